"""A site's plugin that enters something from the controller, and leaves all it can to the plugin it is made from."""

from ansible.plugins.connection.local import DOCUMENTATION as LOCAL
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = LOCAL.replace("name: local", "name: site_jail", 1)


class Connection(Local):
    def exec_command(self, cmd, in_data=None, sudoable=True):
        return super().exec_command(f"enter jail {cmd}", in_data=in_data, sudoable=sudoable)
