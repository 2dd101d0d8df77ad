"""`command: CMD`: an argument list, never a shell; an exit code that is not expected is no answer."""

import re
import shlex
from collections.abc import Callable
from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.verdict import Verdict, failed, passed

CONDITIONS: dict[str, Callable[[str, str], bool]] = {
    "stdout_has": lambda wanted, out: wanted in out,
    "stdout_lacks": lambda wanted, out: wanted not in out,
    "stdout_matches": lambda wanted, out: bool(re.search(wanted, out, re.MULTILINE)),
    "stdout_lacks_match": lambda wanted, out: not re.search(wanted, out, re.MULTILINE),
}


def name(params: dict[str, Any]) -> str:
    return shlex.join(params["run"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    out = host.run_expect(
        params.get("rc") or [0],
        shlex.join(params["run"]),
        stdin=params.get("stdin"),
        timeout=params.get("timeout"),
    )
    for key, holds in CONDITIONS.items():
        wanted = params.get(key)
        if wanted is not None and not holds(wanted, out.stdout):
            return failed(f"{key} {wanted!r} does not hold: {out.stdout.strip()[:200] or 'no output'}")
    return passed(f"exit {out.rc}, output as expected")
