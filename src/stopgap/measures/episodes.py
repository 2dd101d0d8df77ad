"""The episodes of a case: each time it was affected, with its clocks. All of them count, not only the present one.

Times are whole seconds since 1970, None for what has not happened.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stopgap.ledger.case import AFFECTED


@dataclass(frozen=True, slots=True)
class Episode:
    """`ended` is when it closed: by a fix in effect, or because the host was not affected any more. `over` is when the
    next one began; the last three are of the present one: how it stands now.
    """

    exposed: int
    mitigated: int | None = None
    installed: int | None = None
    effective: int | None = None
    lifted: int | None = None
    ended: int | None = None
    over: int | None = None
    held: bool = False  # a mitigation is in force
    state: str = ""
    since: int | None = None


def episodes_of(row: Mapping[str, Any], now: int) -> Iterator[Episode]:
    """The earlier ones first; none of a case that was never affected. `row`: see rows.COLUMNS."""
    earlier = row["episodes"]
    for told, after in zip(earlier, [*earlier, row][1:], strict=False):
        yield from (replace(one, over=seconds(after["exposed_at"])) for one in _episode(told))
    yield from (_as_it_stands(present, row, now) for present in _episode(row))


def _episode(told: Mapping[str, Any]) -> Iterator[Episode]:
    exposed = seconds(told["exposed_at"])
    if exposed is None:
        return
    lifted = seconds(told.get("lifted_at"))
    yield Episode(
        exposed=exposed,
        mitigated=seconds(told["mitigated_at"]),
        installed=seconds(told["installed_at"]),
        effective=seconds(told["effective_at"]),
        lifted=None if lifted is None or lifted < exposed else lifted,  # else it is of an episode before
        ended=seconds(told.get("ended_at")),
    )


def _as_it_stands(episode: Episode, row: Mapping[str, Any], now: int) -> Episode:
    """Of a silent host what is known of it, unless that was closed; where nothing is, nothing protects it. A mitigation
    whose protection has run out, perhaps before this episode, protects nobody, whatever state is kept.
    """
    state, since = row["state"], seconds(row["since"])
    if state == "unknown" and episode.ended is None and row["known"]:
        state = row["known"] if row["known"] in AFFECTED else "exposed"
    runs_out = seconds(row["protected_until"])
    if state == "mitigated" and runs_out is not None and runs_out <= now:
        state, since = "exposed", max(runs_out, episode.exposed)
    return replace(episode, held=row["held"] > 0, state=state, since=since, ended=_ended(episode, state, since))


def _ended(episode: Episode, state: str, since: int | None) -> int | None:
    """A host that fell silent has not become safe; one that was fixed before is not exposed by its silence."""
    if state in AFFECTED or (state == "unknown" and episode.ended is None):
        return None
    return _first(episode.effective, episode.ended, since if state == "not_affected" else None)


def _first(*moments: int | None) -> int | None:
    return next((moment for moment in moments if moment is not None), None)


def seconds(moment: str | None) -> int | None:
    return None if moment is None else int(datetime.fromisoformat(moment).timestamp())
