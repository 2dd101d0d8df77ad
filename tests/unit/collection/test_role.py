"""What the role says to Ansible itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap import remediation

ROLE = Path(next(iter(remediation.__path__))) / "roles/remediate"


def test_remedies_do_not_go_to_the_hosts_syslog():
    """Modules log their arguments there, with the content of files that not everybody may read."""
    assert yaml.safe_load((ROLE / "vars/main.yml").read_text())["ansible_no_target_syslog"] is True


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["stopgap_extend=14d"], "stopgap_extend gives a mitigation more time: set stopgap_reason, it is recorded"),
        (["stopgap_extend=14 days", "stopgap_reason=window"], "write a number and h, d or w, such as 12h, 14d, 4w"),
    ],
)
def test_more_time_is_refused_before_any_host_is_touched(given, says, tmp_path):
    """The inventory's only host does not exist: whoever asked it would hear that it is unreachable."""
    words = [word for one in ["stopgap_remedies=CVE-2023-44487", *given] for word in ("-e", one.replace(" ", "\\ "))]
    top = Path(__file__).parents[3]
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "playbooks/recheck.yml", "-i", "nobody.invalid,", *words],
        cwd=top,
        env=os.environ | {"ANSIBLE_CONFIG": str(top / "ansible.cfg"), "STOPGAP_STATE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 2, said
    assert says in said
    assert "unreachable=0" in said
    assert not list(tmp_path.glob("spool/*"))
