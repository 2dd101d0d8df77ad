"""On the path of a Python under faketime: Debian 12's libfaketime (0.9.10) makes time.sleep fail with EINVAL.

Python 3.11 sleeps until a moment of the monotonic clock, which that release moves although it was told not to.
"""

import select
import time

time.sleep = lambda seconds: select.select([], [], [], seconds) and None
