"""A connection whose worker is killed while it holds the lock of Ansible's result queue, as the kernel may do it."""

import os
import signal
from pathlib import Path

from ansible.plugins.connection.local import DOCUMENTATION as LOCAL
from ansible.plugins.connection.local import Connection as Local
from ansible.utils.display import Display

DOCUMENTATION = LOCAL.replace("name: local", "name: site_dies", 1)


class Connection(Local):
    transport = "site_dies"

    def exec_command(self, *_words, **_options):
        Display()._final_q._wlock.acquire()
        Path(os.environ["TOLD"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
