"""From a request to its results: hosts in parallel, one connection each."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from stopgap.verify.backend import AgentHost, open_host
from stopgap.verify.checks import CHECKS
from stopgap.verify.context import Context
from stopgap.verify.deferred import deferred
from stopgap.verify.errors import BadRequest, HostUnreachable, VerifyError
from stopgap.verify.masters import keep_apart
from stopgap.verify.verdict import Verdict, aggregate, clean, unknown

Item = dict[str, Any]
ATTESTATION = "attestation"  # a check that no remedy writes: an obligation has it


def verify(request: dict[str, Any]) -> dict[str, list[Item]]:
    """`request` is contracts.md §5; gives its `results`."""
    try:
        remedies = {remedy["id"]: remedy for remedy in request["remedies"]}
        timeout = float(request.get("timeout") or 30)
        connections = keep_apart(request["connections"])
        hosts = {name: open_host(name, connections[name], timeout) for name in request["targets"]}
        plans = {name: [plan(remedies, target) for target in targets] for name, targets in request["targets"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"the request is not complete: {type(error).__name__} {error}") from error
    workers = max(1, min(len(hosts), int(request.get("forks") or 5)))
    try:
        with ThreadPoolExecutor(workers) as pool:
            results = dict(
                zip(hosts, pool.map(lambda name: _ask_and_hang_up(hosts[name], plans[name]), hosts), strict=True)
            )
        extra = _site_tests(request.get("tests") or [], hosts)
    finally:
        for host in hosts.values():
            host.backend.close()
    return {name: [_sum_up(entry, extra.get(name, [])) for entry in entries] for name, entries in results.items()}


def plan(remedies: dict[str, Item], target: Item) -> tuple[Item, Item, list[Item]]:
    """(what the entry says of itself, the remedy, its checks)"""
    remedy = remedies[target["remedy"]]
    phase, chosen, later = target["phase"], target.get("mitigation"), []
    if phase == "fix":
        later = deferred(remedy, target.get("held"))
        now = [check for check in remedy["checks"] if check not in later]
        checks = [*now, *(check for one in remedy["fix"]["obligations"] for check in _owed(one))]
    else:
        valid = [
            one for one in remedy["mitigations"] if (one["id"] == chosen if chosen else one["status"] != "withdrawn")
        ]
        chosen = valid[0]["id"] if valid else chosen
        checks = valid[0]["checks"] if valid else []
    head = {"remedy": remedy["id"], "revision": remedy["revision"], "phase": phase, "mitigation": chosen}
    if later:
        told = ", ".join(name_of(check["type"], check["params"]) for check in later)
        head["later"] = f"{told}: asked once {target['held']} is lifted"
    return head, remedy, checks


def _owed(obligation: Item) -> list[Item]:
    """An obligation's checks, told by its title, and a person's word where it asks for one."""
    vouched = [{"type": ATTESTATION, "params": {"obligation": obligation["id"]}}] if obligation["attest"] else []
    checks = [*obligation["checks"], *vouched]
    return [{**check, "obligation": obligation["title"]} for check in checks]


def _ask_and_hang_up(host: AgentHost, plan: Iterable[tuple[Item, Item, list[Item]]]) -> list[Item]:
    """A connection is a process: there are never more of them than forks, however many hosts there are."""
    try:
        return _ask(host, plan)
    finally:
        host.backend.close()


def _ask(host: AgentHost, plan: Iterable[tuple[Item, Item, list[Item]]]) -> list[Item]:
    return [
        {**head, "checks": [run_check(host, check, Context(remedy, head["phase"])) for check in checks]}
        for head, remedy, checks in plan
    ]


def run_check(host: AgentHost, check: Item, context: Context) -> Item:
    kind, params, owed = check["type"], check["params"], check.get("obligation")
    if kind not in CHECKS:
        return _result(kind, kind, unknown(f"this release has no check of type {kind}"), 0.0)
    started = time.monotonic()
    verdict = answer(host, lambda: CHECKS[kind].check(host, params, context))
    if owed and verdict.word != "pass":
        verdict = Verdict(verdict.word, f"still owed: {owed} ({verdict.reason})")
    return _result(name_of(kind, params), kind, verdict, time.monotonic() - started)


def answer(host: AgentHost, ask: Callable[[], Verdict]) -> Verdict:
    try:
        host.backend.connect()
        host.backend.start_clock()
        return ask()
    except HostUnreachable as error:
        return unknown(f"unreachable: {error}")
    except VerifyError as error:
        return unknown(str(error))
    except Exception as error:  # one check, fed with what a strange host says, must not cost the others their verdict
        return unknown(f"{type(error).__name__}: {error}")


def name_of(kind: str, params: Any) -> str:
    try:
        return f"{kind}:{CHECKS[kind].name(params)}"
    except (KeyError, TypeError, AttributeError):  # the verdict says what is wrong with these parameters
        return kind


def _result(name: str, kind: str, verdict: Verdict, seconds: float) -> Item:
    return {
        "id": clean(name, 200),
        "type": kind,
        "verdict": verdict.word,
        "reason": clean(verdict.reason),
        "seconds": round(seconds, 3),
    }


def _sum_up(entry: Item, extra: list[Item]) -> Item:
    checks = [*entry["checks"], *extra]
    verdict = aggregate(checks)
    later = entry.pop("later", None)
    reason = f"{verdict.reason}; {later}" if later else verdict.reason
    return {**entry, "verdict": verdict.word, "reason": reason, "checks": checks}


def _site_tests(files: list[str], hosts: dict[str, AgentHost]) -> dict[str, list[Item]]:
    if not files:
        return {}
    from stopgap.verify.site_tests import run_site_tests  # pytest costs a quarter second

    return run_site_tests(files, hosts)
