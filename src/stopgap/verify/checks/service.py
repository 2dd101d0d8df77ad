"""`service {name, running?, enabled?, masked?}` of systemd, as `systemctl show` tells it.

Not by testinfra's `is_running` and `is_enabled`: where systemctl cannot answer they fall back to SysV scripts, which
makes "not running" of a lost D-Bus and "enabled" of a masked unit with a script left in rc2.d. Nor by its
`systemd_properties`: a property that nobody asked for, such as a command of several lines, breaks all of them.
"""

from typing import Any

from stopgap.verify.backend import AgentHost
from stopgap.verify.context import Context
from stopgap.verify.errors import Surprise
from stopgap.verify.row import Row
from stopgap.verify.verdict import Verdict, failed, passed

ROWS = (
    Row(
        "service: {name, running?, enabled?, masked?}",
        "systemd says what is asked for",
        "it says anything else",
        "systemd does not answer",
    ),
)

STARTED = ("enabled", "enabled-runtime", "alias", "static", "indirect", "generated", "transient")
NOT_STARTED = ("disabled", "linked", "linked-runtime", "not-found")

# property of `systemctl show` · what counts as yes · what counts as no. Anything else is neither, so it fails both.
RULES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "running": ("ActiveState", ("active", "reloading", "refreshing"), ("inactive", "failed")),
    "enabled": ("UnitFileState", STARTED, (*NOT_STARTED, "masked", "masked-runtime")),
    "masked": ("UnitFileState", ("masked",), (*STARTED, *NOT_STARTED)),  # masked-runtime ends with the next boot
}
ASKED = ",".join(dict.fromkeys(["LoadState", *(source for source, _yes, _no in RULES.values())]))


def name(params: dict[str, Any]) -> str:
    return str(params["name"])


def check(host: AgentHost, params: dict[str, Any], context: Context) -> Verdict:
    unit = params["name"]
    told = host.check_output(f"systemctl show --property={ASKED} -- %s", unit)
    properties = dict(line.split("=", 1) for line in told.splitlines())
    if properties.get("LoadState") == "not-found":
        properties["UnitFileState"] = "not-found"
    if properties.get("UnitFileState") == "generated":  # of an init script, say, which is enabled by links of its own
        properties["UnitFileState"] = host.run_expect([0, 1], "systemctl is-enabled -- %s", unit).stdout.strip()
    said = []
    for key, (source, yes, no) in RULES.items():
        if params.get(key) is None:
            continue
        state = properties.get(source)
        if not state:
            raise Surprise(f"systemctl names no {source} of {unit}")
        if state not in (yes if params[key] else no):
            return failed(f"{unit} is {state}, wanted {key}: {'yes' if params[key] else 'no'}")
        said.append(state)
    return passed(f"{unit} is {' and '.join(said)}")
