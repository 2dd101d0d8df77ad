"""A person's word for what no check can see: `{obligation}`, as module attestation left it on the host.

A word given for another revision of the remedy is not taken: what is owed may have changed since.
"""

import json
from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.verdict import Verdict, passed, unknown

ROWS = ()  # no remedy writes it
FOLDER = "/var/lib/stopgap/attested"


def name(params: dict[str, Any]) -> str:
    return str(params["obligation"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    path = f"{FOLDER}/{context.remedy['id']}.json"
    out = host.run_expect([0, 1], "cat -- %s", path)
    if out.rc == 1 and "No such file or directory" in out.stderr:
        return unknown("nobody has attested it")
    if out.rc == 1:
        return unknown(out.stderr.strip())
    word = json.loads(out.stdout).get(params["obligation"])
    if not word:
        return unknown("nobody has attested it")
    told = f"attested by {word['by']} on {word['at'][:10]}: {word['reason']}"
    if word["revision"] != context.remedy["revision"]:
        return unknown(f"{told}; that was for revision {word['revision']}, attest it again")
    return passed(told)
