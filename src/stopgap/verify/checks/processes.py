"""`processes {not_on_old_code: PACKAGE}`: no process runs code that the package has replaced.

The collection's own processes.py does the looking, so that assess, patch and verify cannot disagree.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.checks.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.verdict import Verdict, failed, passed

# Who is not root sees no maps of others, and would call everything clean.
CALL = """
import json, os, sys
if os.geteuid() != 0:
    sys.exit("only root can see what other users' processes run")
print(json.dumps(old_code([%r])))
"""


def name(params: dict[str, Any]) -> str:
    return str(params["not_on_old_code"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    package = params["not_on_old_code"]
    out = host.check_output(f"{host.backend.python} -", stdin=_source() + CALL % package)
    found = json.loads(out)
    if not isinstance(found, list):
        raise Surprise(f"not a list of processes: {out}")
    if not found:
        return passed(f"no process runs code that {package} has replaced")
    shown = ", ".join(f"{one['name']}[{one['pid']}]" for one in found[:5])
    return failed(f"{len(found)} on the old code of {package}: {shown}")


@cache
def _source() -> str:
    return (_collection_root() / "plugins/module_utils/processes.py").read_text(encoding="utf-8")


def _collection_root() -> Path:
    from stopgap.collection import collection_root

    return collection_root()
