"""Real systemd hosts on one machine, for the demo and the tests."""

from stopgap.lab.errors import CommandError, LabError, SuiteGoneError
from stopgap.lab.hosts import Host, HostSpec
from stopgap.lab.lab import Lab

__all__ = ["CommandError", "Host", "HostSpec", "Lab", "LabError", "SuiteGoneError"]
