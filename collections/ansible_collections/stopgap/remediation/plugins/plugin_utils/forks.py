# SPDX-License-Identifier: Apache-2.0
"""What Ansible has in memory is to stay shared with its forks."""

import gc
import os


def share_memory():
    """For the process that forks, before it does.

    Python's collector marks every object that it looks at, in whichever process it runs, and a page that is written to is
    no longer shared: inventory and modules would be there twice. Frozen objects are not looked at. The parent thaws them
    after each fork, so that its own garbage is found as ever.
    """
    os.register_at_fork(before=gc.freeze, after_in_parent=gc.unfreeze)
