"""After a schedule: do hosts and ledger agree? Each finding is a sentence; none means that nothing was lost."""

import json
from collections.abc import Iterator

import sqlalchemy as sa

from stopgap.ledger import book, store
from tests.faults import chains
from tests.faults.fleet import Fleet
from tests.faults.laptop import Laptop

Held = set[tuple[str, str, str]]  # host, remedy, entry


def known(url: str) -> Held:
    """What this ledger has in force, debt or orphan."""
    engine = store.open_ledger(sa.make_url(url))
    with store.writing(engine) as connection:
        kept = book.read_cases(connection)
    engine.dispose()
    return {(case.host, case.remedy, one.entry) for case in kept for one in case.mitigations}


def count_lost(fleet: Fleet, laptops: list[Laptop]) -> tuple[int, int]:
    """How many are in force on hosts, and how many of those some ledger does not have."""
    held = fleet.held()
    return len(held), len(set().union(*(held - known(laptop.ledger_url) for laptop in laptops)))


def judge(fleet: Fleet, laptops: list[Laptop]) -> list[str]:
    held = fleet.held()
    found = [sentence for laptop in laptops for sentence in _spool(laptop)]
    for laptop in {laptop.ledger_url: laptop for laptop in laptops}.values():
        found += [f"{laptop.name}'s ledger: {sentence}" for sentence in _ledger(laptop, held)]
    return found


def _spool(laptop: Laptop) -> Iterator[str]:
    left = [path.name for path in laptop.spool.glob("*") if path.name != "bad"]
    if left:
        yield f"{laptop.name}'s spool still has {left}"
    for path in laptop.spool.glob("bad/*"):
        for line in map(json.loads, path.read_text().splitlines()):
            if "not JSON" not in line["why"]:
                yield f"{laptop.name} put a whole line aside: {line}"


def _ledger(laptop: Laptop, held: Held) -> Iterator[str]:
    owed = _owed(laptop)
    if lost := held - owed:
        yield f"LOST: in force on a host, not in the ledger: {sorted(lost)}"
    if ghosts := owed - held:
        yield f"in the ledger, in force on no host: {sorted(ghosts)}"
    engine = store.open_ledger(sa.make_url(laptop.ledger_url))
    with store.writing(engine) as connection:
        if wrong := book.differences(connection):
            yield f"kept otherwise than events say: {wrong}"
        yield from chains.broken(connection)
    engine.dispose()


def _owed(laptop: Laptop) -> Held:
    """As its user reads it."""
    done = laptop.run("stopgap", "debt", "--json")
    assert done.returncode == 0, done.stderr
    books = json.loads(done.stdout)
    return {(row["host"], row["remedy"], row["entry"]) for kind in ("debt", "orphans") for row in books[kind]}
