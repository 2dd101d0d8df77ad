"""A host that is gone for good, by the word of a person: its cases close, and what it held is in force no more.

One event for the whole host, in the place of the journal that it cannot send any more. Should it answer after all, its
answers outweigh this.
"""

from dataclasses import dataclass
from datetime import datetime

from stopgap.ledger import book, say
from stopgap.ledger.case import CLOSED, Case
from stopgap.ledger.errors import NoSuchCase
from stopgap.ledger.events import clean
from stopgap.ledger.store import exists, writing_ledger


@dataclass(frozen=True, slots=True)
class Retired:
    """How it stood until now."""

    estate: str
    host: str
    cases: int
    open: int
    held: int


def retire(host: str, estate: str, *, who: str, why: str, now: datetime) -> Retired:
    """Raises NoSuchCase, BadWord or another LedgerError, and then changed nothing."""
    if not exists():
        raise NoSuchCase(f"the ledger is empty: there is no host '{clean(host, 80)}' to retire")
    with writing_ledger() as connection:
        cases = book.read_cases(connection, estate=estate, host=host)
        found = _only_estate(host, cases)
        event = say.make_event(
            "journal",
            "seen",
            now=now,
            who=who,
            run=say.new_run(now),
            estate=found,
            host=host,
            reason=why,
            evidence={"in_force": [], "retired": True},
        )
        book.record(connection, [event])
    return Retired(
        estate=found,
        host=host,
        cases=len(cases),
        open=sum(one.state not in CLOSED for one in cases),
        held=sum(len(one.mitigations) for one in cases),
    )


def _only_estate(host: str, cases: list[Case]) -> str:
    estates = sorted({one.estate for one in cases})
    if not estates:
        raise NoSuchCase(f"the ledger has no case of a host '{clean(host, 80)}': `stopgap status` shows all")
    if len(estates) > 1:
        raise NoSuchCase(f"{clean(host, 80)} is in several estates ({', '.join(estates)}): say which with --estate")
    return estates[0]
