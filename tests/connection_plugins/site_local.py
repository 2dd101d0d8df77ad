"""A connection plugin that a site might have: no command line of its own that anybody could keep open."""

from ansible.plugins.connection.local import DOCUMENTATION as LOCAL
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = LOCAL.replace("name: local", "name: site_local", 1)


class Connection(Local):
    transport = "site_local"
