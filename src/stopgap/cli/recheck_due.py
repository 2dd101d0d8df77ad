"""`stopgap recheck --due`: of all that was proven, what has grown too old, and only on the hosts where it has."""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from stopgap.cli import ledger_view as view
from stopgap.cli.ledger_options import ledger_errors, print_json, where_it_is
from stopgap.cli.risk_options import risk_errors, tell_doubts
from stopgap.cli.verbs import NO_HOSTS, check_inventory, run_verb
from stopgap.engine.hosts import hosts_of
from stopgap.engine.memory import PrivateFolder
from stopgap.engine.model import EngineError, ExitCode, RunRequest, RunResult
from stopgap.ledger import debts
from stopgap.ledger.events import clean, spelled
from stopgap.recheck.alone import alone
from stopgap.recheck.schedule import DueProof, Key, why
from stopgap.recheck.work import Due, find_due, find_last_passes, first_hosts
from stopgap.remedy import RemedyError, search_path
from stopgap.remedy.catalogue import catalogue, find
from stopgap.risk.work import find_policy

COLUMNS = ("host", "remedy", "state", "why")
MOST_ROWS = 60
NOTHING: dict[str, Any] = {"cases": {}, "verdicts": {}, "failures": {}, "unreachable": {}}


def run_due(request: RunRequest, remedies: list[str], at_most: int, *, as_json: bool) -> ExitCode:
    """One at a time. With nothing due, nothing is said and no host is touched."""
    check_inventory(request.inventory)
    known = known_remedies(request, remedies)
    with ledger_errors(), alone() as is_alone:
        if not is_alone:
            tell("another recheck --due is under way; what is due is left to it")
            return end_early(ExitCode.PROVEN, as_json)
        found = ask_ledger()
        if found is None:
            tell(f"there is no ledger, so nothing is known to be due: {where_it_is()}")
            return end_early(ExitCode.UNKNOWN, as_json)
        due = [one for one in found.proofs if remedies == ["all"] or one.case.remedy.casefold() in known]
        due, unread = of_this_inventory(due, request)
        lost = tell_strange(due, known)
        due = [one for one in due if one.case.remedy not in lost]
        any_lost = bool(lost or unread)
        if not due:
            return end_early(ExitCode.UNKNOWN if any_lost else ExitCode.PROVEN, as_json)
        return recheck(request, replace(found, proofs=due), at_most, any_lost, as_json=as_json)


def tell(sentence: str) -> None:
    print(f"stopgap: {sentence}", file=sys.stderr)


def end_early(code: ExitCode, as_json: bool) -> ExitCode:
    if as_json:
        print_json({"due": [], "left": 0, "exit_code": int(code), **NOTHING})
    return code


def ask_ledger() -> Due | None:
    with risk_errors():
        return find_due(find_policy(None), debts.utc_now())


def known_remedies(request: RunRequest, remedies: list[str]) -> set[str]:
    """Ids, in lower case, of those asked for that the play will find."""
    try:
        path = search_path(map(Path, request.variables.get("stopgap_remedy_path", ())))
        files = catalogue(path) if remedies == ["all"] else (find(one, path) for one in remedies)
        return {file.stem.casefold() for file in files}
    except RemedyError as error:
        raise typer.TyperException(str(error)) from None


def of_this_inventory(due: list[DueProof], request: RunRequest) -> tuple[list[DueProof], str]:
    """What is due on its hosts, and which part of it could not be read. It is asked only where something is due.

    An estate is an inventory's: of two, one has to be named.
    """
    if not due:
        return [], ""
    try:
        ours, unread = hosts_of(request)
    except EngineError as error:
        raise typer.TyperException(str(error)) from error
    if unread:
        tell(f"what is due on hosts of a part of the inventory is not asked: {clean(unread, 1000)}")
    elif not ours:
        raise typer.TyperException(NO_HOSTS)
    known = set(ours)
    due = [one for one in due if one.case.host in known]
    estates: dict[str, set[str]] = {}
    for one in due:
        estates.setdefault(one.case.host, set()).add(one.case.estate)
    meant = os.environ.get("STOPGAP_ESTATE", "")
    for host, names in sorted(estates.items()):
        if len(names) > 1 and meant not in names:
            told = clean(", ".join(sorted(names)), 200)
            raise typer.TyperException(f"{clean(host, 80)} is in several estates ({told}): set STOPGAP_ESTATE to yours")
    return [one for one in due if len(estates[one.case.host]) == 1 or one.case.estate == meant], unread


def tell_strange(due: list[DueProof], known: set[str]) -> set[str]:
    """Remedies that the ledger has and no folder of remedies: what rests on them cannot be proven again."""
    strange = {one.case.remedy for one in due if one.case.remedy.casefold() not in known}
    if strange:
        names = clean(", ".join(sorted(strange)), 1000)
        tell(f"due, and not to be proven: in no folder of remedies (--remedy-path): {names}")
    return strange


def recheck(request: RunRequest, found: Due, at_most: int, any_lost: bool, *, as_json: bool) -> ExitCode:
    chosen = first_hosts(found.proofs, at_most)
    with risk_errors():
        passed = find_last_passes(chosen)
    tell_doubts(found.doubts)
    left = len(found.proofs) - len(chosen)
    if not as_json:
        show(chosen, passed, left, found)
    wanted: dict[str, list[str]] = {}
    for one in chosen:
        wanted.setdefault(one.case.host, []).append(one.case.remedy)

    def judge(result: RunResult) -> ExitCode:
        if request.check:  # a dry run leaves no verdicts
            return exit_code(result, any_lost)
        unasked = sorted(wanted.keys() - result.verdicts.keys() - result.failures.keys() - result.unreachable.keys())
        if unasked:
            tell(f"due, and not asked by the play: {clean(', '.join(unasked), 1000)}")
        return exit_code(result, bool(unasked) or any_lost)

    with PrivateFolder() as folder:
        hosts = Path(folder, "hosts")  # too many for a command line
        hosts.write_text("\n".join(wanted) + "\n", encoding="utf-8")
        remedies = sorted({one.case.remedy for one in chosen})
        variables = {**request.variables, "stopgap_remedies": remedies, "stopgap_due": wanted}
        narrowed = replace(request, limit=f"@{hosts}", variables=variables)
        told = {"due": [as_dict(one, passed, found) for one in chosen], "left": left}
        return run_verb(narrowed, as_json=as_json, told=told, judge=judge)


def exit_code(result: RunResult, is_unproven: bool) -> ExitCode:
    """What had protection and is exposed now is lost: that outweighs all else."""
    code = result.exit_code()
    if code is ExitCode.ERROR:
        return code
    if any(case.get("state") == "exposed" for cases in result.cases.values() for case in cases):
        return ExitCode.BREACHED
    return ExitCode.UNKNOWN if code is ExitCode.PROVEN and is_unproven else code


def show(chosen: list[DueProof], passed: dict[Key, str], left: int, found: Due) -> None:
    hosts = len({one.case.host for one in chosen})
    print(f"{counted(len(chosen), 'proof')} due on {counted(hosts, 'host')}:")
    rows = [(one.case.host, one.case.remedy, one.case.state, _why(one, passed, found)) for one in chosen[:MOST_ROWS]]
    view.show(COLUMNS, rows)
    if len(chosen) > MOST_ROWS:
        print(f"and {len(chosen) - MOST_ROWS} more; --json has all")
    if left:
        print(f"{counted(left, 'proof')} more left for the next run (--at-most)")


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def as_dict(one: DueProof, passed: dict[Key, str], found: Due) -> dict[str, Any]:
    return {
        **{name: getattr(one.case, name) for name in ("estate", "host", "remedy", "state")},
        "flags": list(one.case.flags),
        "proven_at": passed.get(one.case.key),
        "asked_at": spelled(one.asked_at) if one.asked_at else None,
        "every": int(one.every.total_seconds()),
        "days": one.days,
        "why": _why(one, passed, found),
    }


def _why(one: DueProof, passed: dict[Key, str], found: Due) -> str:
    return why(one, passed.get(one.case.key), found.now)
