"""What the role says to Ansible itself."""

from pathlib import Path

import yaml

from ansible_collections.stopgap import remediation

ROLE = Path(next(iter(remediation.__path__))) / "roles/remediate"


def test_remedies_do_not_go_to_the_hosts_syslog():
    """Modules log their arguments there, with the content of files that not everybody may read."""
    assert yaml.safe_load((ROLE / "vars/main.yml").read_text())["ansible_no_target_syslog"] is True
