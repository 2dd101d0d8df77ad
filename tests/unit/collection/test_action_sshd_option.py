"""What is an option of sshd; a real sshd is asked in tests/e2e/test_actions_lab.py."""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils.actions.sshd_option import SshdOption
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError


@pytest.mark.parametrize("name", ["LoginGraceTime", "X11Forwarding"])
def test_sshd_option_names(name):
    assert SshdOption({"name": name, "value": "no"}).path.endswith(f"/00-stopgap-{name.lower()}.conf")


@pytest.mark.parametrize("option", [("Match", "x\nPermitRootLogin yes"), ("../x", "y"), ("", "y")])
def test_sshd_option_that_is_not_one(option):
    with pytest.raises(ActionError, match="is not one option with one value"):
        SshdOption(dict(zip(("name", "value"), option, strict=True)))
