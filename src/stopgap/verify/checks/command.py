"""`command: CMD`: an argument list, never a shell; an exit code that is not expected is no answer."""

import shlex
from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.conditions import broken
from stopgap.verify.context import Context
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed

ROWS = (
    Row(
        "command: CMD",
        "exit code in `rc` and every `stdout_…` holds",
        "a `stdout_…` does not hold",
        "any other exit code",
    ),
)


def name(params: dict[str, Any]) -> str:
    return shlex.join(params["run"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    out = host.run_expect(
        params.get("rc") or [0],
        shlex.join(params["run"]),
        stdin=params.get("stdin"),
        timeout=params.get("timeout"),
    )
    if problem := broken(params, out.stdout, "stdout_"):
        return failed(f"{problem}: {out.stdout.strip()[:200] or 'no output'}")
    return passed(f"exit {out.rc}, output as expected")
