"""The hosts of a pytest session with `--remedy`, asked for before anything else."""

import pytest

from stopgap.verify.errors import BadRequest
from stopgap.verify.hostspecs import Hosts

# testinfra's own options, which say how hosts are reached
TESTINFRA = (
    "connection", "ansible_inventory", "ssh_config", "ssh_identity_file", "ssh_extra_args", "sudo", "sudo_user",
)  # fmt: skip


def ask(config: pytest.Config) -> Hosts | None:
    """None where there are none to ask for: none are named, or this is an xdist worker, which is told."""
    specs = config.getoption("hosts", None)
    if not specs or hasattr(config, "workerinput"):
        return None
    try:
        return Hosts(specs.split(","), {name: config.getoption(name) for name in TESTINFRA})
    except BadRequest as error:
        raise pytest.UsageError(str(error)) from None
