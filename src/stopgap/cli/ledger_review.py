"""`stopgap ledger review`: what a newer catalogue reopens, told without asking a host."""

from collections import defaultdict
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stopgap.cli.ledger_options import BREACHED, AsJson, ledger_errors, print_json

if TYPE_CHECKING:
    from stopgap.ledger.review import Review

MOST_GROUPS = 40
MOST_HOSTS = 5

Remedies = Annotated[list[str] | None, typer.Argument(metavar="[REMEDY]…", help="Ids; the whole catalogue without.")]
Folders = Annotated[list[Path] | None, typer.Option("--path", metavar="DIR", help="Look for remedies here first.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be reopened.")]

Reason = tuple[str, int, str, str]  # remedy, revision, state, reason


class FailOn(StrEnum):
    reopened = "reopened"


FailOnReopened = Annotated[FailOn | None, typer.Option(help="Exit with 4 when a case is reopened.")]


def review(
    remedies: Remedies = None,
    path: Folders = None,
    as_json: AsJson = False,
    dry_run: DryRun = False,
    fail_on: FailOnReopened = None,
) -> None:
    """Hold the ledger against this machine's catalogue: a raised revision reopens what was closed under an older one.

    From the evidence in the ledger, no host is asked. Where that does not decide, the case asks for a new proof.
    """
    from stopgap.ledger.debts import utc_now
    from stopgap.ledger.review import review as hold_against
    from stopgap.remedy import RemedyError, resolve, search_path
    from stopgap.remedy.knowledge import knowledge

    try:
        told = [knowledge(one) for one in resolve(remedies or ["all"], search_path(path or ()))]
    except RemedyError as error:
        raise typer.TyperException(str(error)) from error
    with ledger_errors():
        found = hold_against(told, utc_now(), dry_run=dry_run)
    print_json(_as_dict(found, dry_run)) if as_json else _show(found, len(told), dry_run)
    if fail_on and found.changed:
        raise typer.Exit(BREACHED)


def _as_dict(found: "Review", dry_run: bool) -> dict[str, object]:
    return {
        "recorded": not dry_run,
        "new": [{"remedy": remedy, "revision": revision} for remedy, revision in found.new],
        "reopened": [asdict(one) for one in found.changed],
        "behind": [asdict(one) for one in found.behind],
    }


def _show(found: "Review", remedies: int, dry_run: bool) -> None:
    groups = _groups(found)
    for (remedy, revision, state, reason), hosts in groups[:MOST_GROUPS]:
        print(f"{remedy} revision {revision}: {len(hosts)} {state}: {reason}")
        print(f"  {_some(hosts)}")
    if len(groups) > MOST_GROUPS:
        print(f"{len(groups) - MOST_GROUPS} more reasons; --json has all")
    for one in found.behind:
        known = f"the ledger knows revision {one.known}: update the catalogue"
        print(f"{one.remedy}: this catalogue has revision {one.revision}, {known}")
    count, noun = len(found.changed), "remedy" if remedies == 1 else "remedies"
    reopened = f"{count} case{'s' * (count != 1)} {'would be ' * dry_run}reopened"
    end = "; dry run: nothing was recorded" * dry_run
    print(f"{remedies} {noun} held against the ledger: {len(found.new)} new to it, {reopened}{end}")


def _groups(found: "Review") -> list[tuple[Reason, list[str]]]:
    """The largest first."""
    several = len({one.estate for one in found.changed}) > 1
    groups: dict[Reason, list[str]] = defaultdict(list)
    for one in found.changed:
        name = f"{one.estate}/{one.host}" if several else one.host
        groups[one.remedy, one.revision, one.state, one.reason].append(name)
    return sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))


def _some(hosts: list[str]) -> str:
    more = len(hosts) - MOST_HOSTS
    return ", ".join(hosts[:MOST_HOSTS]) + (f" and {more} more" if more > 0 else "")
