# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Probes of `affected.when`: a type is one file here and one line in PROBES.

A probe is `probe(params) -> (holds, reason)`; holds is True, False, or None where it cannot be told.
"""

from ansible_collections.stopgap.remediation.plugins.module_utils.probes import (
    command,
    file_has,
    service_active,
    sysctl,
)

PROBES = {
    "command": command.probe,
    "file_has": file_has.probe,
    "service_active": service_active.probe,
    "sysctl": sysctl.probe,
}


def evaluate(condition):
    """A typed item → {"type", "holds", "reason"}."""
    probe = PROBES.get(condition["type"])
    holds, reason = probe(condition["params"]) if probe else (None, "this release knows no such probe")
    return {"type": condition["type"], "holds": holds, "reason": reason}
