# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)


class ModuleDocFragment:
    """What our modules promise, said once. Override a key in the module where it promises more or less."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can predict what it would do without changing anything.
    support: full
  diff_mode:
    description: Shows what changed, or would change, when asked to.
    support: none
  platform:
    description: Hosts it works on.
    platforms: linux
    support: full
"""
