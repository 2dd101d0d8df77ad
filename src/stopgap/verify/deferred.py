"""Which of a fix's checks cannot be asked while the remedy's own mitigation is in force: what it stopped does not run.

They are asked after the lifting, with all the others; until then they count neither way.
"""

from typing import Any

Item = dict[str, Any]


def deferred(remedy: Item, held: str | None) -> list[Item]:
    """Those of the remedy's checks that mitigation `held` answers by itself."""
    held_units = {
        canonical(action["params"]["name"]): action["params"]
        for mitigation in remedy["mitigations"]
        if mitigation["id"] == held
        for action in mitigation.get("actions") or []
        if action["type"] == "service"
    }
    services = [check for check in remedy["checks"] if check["type"] == "service"]
    return [
        check for check in services if _contradicts(check["params"], held_units.get(canonical(check["params"]["name"])))
    ]


def canonical(unit: str) -> str:
    """One name for `nginx` and `nginx.service`; a dot alone says nothing: php8.2-fpm is a service."""
    return unit.removesuffix(".service")


def _contradicts(wanted: Item, held: Item | None) -> bool:
    if held is None:
        return False
    masked = held.get("masked") is True
    return any(
        wanted.get(key) is not None and held.get(key) is not None and wanted[key] != held[key]
        for key in ("running", "enabled", "masked")
    ) or (masked and (wanted.get("running") is True or wanted.get("enabled") is True))
