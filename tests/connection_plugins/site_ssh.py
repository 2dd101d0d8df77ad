"""The same over ssh, with all of its settings."""

from ansible.plugins.connection.ssh import DOCUMENTATION as SSH
from ansible.plugins.connection.ssh import Connection as Ssh

DOCUMENTATION = SSH.replace("name: ssh", "name: site_ssh", 1)


class Connection(Ssh):
    transport = "site_ssh"
