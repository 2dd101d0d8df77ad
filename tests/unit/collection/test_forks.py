"""What the processes that Ansible forks share with it."""

import subprocess
import sys

FORK = """
import gc, os
from ansible_collections.stopgap.remediation.plugins.plugin_utils.forks import share_memory
share_memory()
child = os.fork()
if not child:
    os._exit(0 if gc.get_freeze_count() > 100 else 1)
assert os.waitpid(child, 0)[1] == 0
assert gc.get_freeze_count() == 0
"""


def test_a_fork_leaves_the_objects_of_its_parent_alone_and_the_parent_collects_its_own_garbage(request, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath / "collections"))
    subprocess.run([sys.executable, "-c", FORK], check=True)
