"""What is an option of sshd; a real sshd is asked in tests/e2e/test_actions_lab.py."""

from pathlib import Path

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import sshd_option
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.sshd_option import SshdOption
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


@pytest.mark.parametrize("name", ["LoginGraceTime", "X11Forwarding"])
def test_sshd_option_names(name):
    assert SshdOption({"name": name, "value": "no"}).path.endswith(f"/00-stopgap-{name.lower()}.conf")


@pytest.mark.parametrize("option", [("Match", "x\nPermitRootLogin yes"), ("../x", "y"), ("", "y")])
def test_sshd_option_that_is_not_one(option):
    with pytest.raises(ActionError, match="is not one option with one value"):
        SshdOption(dict(zip(("name", "value"), option, strict=True)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Match Address 10.0.0.0/8\n  X11Forwarding yes\n", True),
        ('match user ann\n\tx11forwarding = "yes"\n', True),
        ("Match user ann\n X11Forwarding No\nMatch all\nX11Forwarding yes\n", False),
        ("X11Forwarding yes\nMatch user ann\n# X11Forwarding yes\n AllowTcpForwarding yes\n", False),
    ],
)
def test_sshd_option_that_a_match_block_sets_otherwise_is_told(tmp_path, monkeypatch, text, told):
    site = tmp_path / "50-site.conf"
    site.write_text(text)
    monkeypatch.setattr(sshd_option, "FOLDER", str(tmp_path))
    monkeypatch.setattr(sshd_option, "CONFIG", str(site.with_name("sshd_config")))
    Path(sshd_option.CONFIG).write_text("Include *.conf\n")
    said = SshdOption({"name": "X11Forwarding", "value": "no"}).warning()
    assert said == (f"X11Forwarding is otherwise for whom a Match block in {site} matches" if told else "")
