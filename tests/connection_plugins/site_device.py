"""A network connection as `network_cli` is one: Ansible runs modules on the controller, and `raw` too.

Stands for a switch: the real plugins are in collections that are not installed here. Those have a base class of their
own, not Ansible's; what they share is the word by which Ansible knows them.
"""

from ansible.plugins.connection.local import DOCUMENTATION as LOCAL
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = LOCAL.replace("name: local", "name: site_device", 1)


class Connection(Local):
    transport = "site_device"
    _remote_is_local = True
