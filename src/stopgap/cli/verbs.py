"""The verbs: each is a playbook over an inventory, run through the engine and shown as it goes."""

import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from stopgap.cli.delivered import read_delivered, tell_delivered, tell_missing, told_delivered
from stopgap.cli.lasting import lasting_output
from stopgap.cli.notices import tell_notices, told_notices
from stopgap.cli.progress import Progress, show_result
from stopgap.engine.environment import prompts
from stopgap.engine.model import EngineError, ExitCode, RunRequest, RunResult
from stopgap.ledger.events import PATTERNS, spelled
from stopgap.ledger.ids import new_id

Remedies = Annotated[list[str] | None, typer.Argument(help="Remedy ids or aliases; 'all' is the whole catalogue.")]
Inventory = Annotated[list[str] | None, typer.Option("--inventory", "-i", help="Inventory file, folder or plugin.")]
Limit = Annotated[str | None, typer.Option("--limit", "-l", help="Only these hosts, as ansible-playbook's --limit.")]
Check = Annotated[bool, typer.Option("--check", "-C", help="Change nothing, say what would change.")]
Diff = Annotated[bool, typer.Option("--diff", "-D", help="Show what changes.")]
Forks = Annotated[int | None, typer.Option("--forks", "-f", help="Hosts worked on at once.", min=1)]
Path_ = Annotated[list[Path] | None, typer.Option("--remedy-path", help="Folder with remedies of your own.")]
Owner = Annotated[str, typer.Option(help="Who answers for a mitigation until the fix is in.")]
Reason = Annotated[str, typer.Option(help="Why; recorded.")]
Variables = Annotated[list[str] | None, typer.Option("--extra-vars", "-e", help="KEY=VALUE, JSON, or @file.")]
Ask = Annotated[bool, typer.Option("--ask-become-pass", "-K", help="Ask for the sudo password.")]
AskSsh = Annotated[bool, typer.Option("--ask-pass", "-k", help="Ask for the ssh password.")]
Json = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON, nothing else.")]
Verbose = Annotated[int, typer.Option("--verbose", "-v", count=True, help="Show what Ansible prints.")]


NO_HOSTS = "the inventory gives no host to work on: check -i and -l ('ansible-inventory --list' shows what is read)"
AT_MOST = 500  # hosts in one recheck of what is due
PROVING = ("fix", "remediate", "verify", "recheck", "lift")


def _verb(name: str, text: str) -> Callable[..., None]:
    """A command for one verb. All verbs share one set of options: they are one flow that stops at different points."""

    def command(
        remedies: Remedies = None,
        inventory: Inventory = None,
        limit: Limit = None,
        check: Check = False,
        diff: Diff = False,
        forks: Forks = None,
        remedy_path: Path_ = None,
        mitigation: Annotated[str, typer.Option(help="Which mitigation, where a remedy has several.")] = "",
        owner: Owner = "",
        reason: Reason = "",
        force: Annotated[bool, typer.Option("--force", help="lift: without proof, over foreign changes.")] = False,
        extend: Annotated[
            str, typer.Option(metavar="14d", help="recheck: more time for mitigations that are proven to hold.")
        ] = "",
        due: Annotated[
            bool, typer.Option("--due", help="recheck: only what was proven too long ago for how urgent it is.")
        ] = False,
        at_most: Annotated[
            int | None,
            typer.Option(
                min=0,
                metavar="HOSTS",
                show_default=str(AT_MOST),
                help="recheck --due: so many hosts in one run; 0 is all.",
            ),
        ] = None,
        attest: Annotated[list[str] | None, typer.Option(help="Vouch for an obligation of the fix.")] = None,
        conffiles: Annotated[
            Literal["keep", "replace"] | None, typer.Option(help="fix: which side of an edited configuration file.")
        ] = None,
        reboot: Annotated[
            Literal["never", "allow"] | None, typer.Option(help="fix: reboot a host whose fix needs it.")
        ] = None,
        rollback: Annotated[
            Literal["auto", "ask", "never"] | None, typer.Option(help="fix: take a fix back whose checks fail.")
        ] = None,
        tests: Annotated[list[Path] | None, typer.Option("--tests", help="Your own testinfra file.")] = None,
        extra_vars: Variables = None,
        ask_become_pass: Ask = False,
        ask_pass: AskSsh = False,
        as_json: Json = False,
        verbose: Verbose = 0,
        ansible: Annotated[list[str] | None, typer.Option(help="One more argument for ansible-playbook.")] = None,
    ) -> None:
        ids = _chosen(name, remedies)
        _check_limit(limit)
        _check_words(name, reason, force=force, extend=bool(extend), due=due, attest=bool(attest))
        if at_most is not None and not due:
            raise typer.BadParameter("--at-most goes with recheck --due: all else is over all hosts (--limit)")
        variables: dict[str, Any] = {
            "stopgap_remedies": ids,
            "stopgap_remedy_path": [str(p.absolute()) for p in remedy_path or []],
            "stopgap_mitigation": mitigation,
            "stopgap_owner": owner,
            "stopgap_reason": reason,
            "stopgap_force": force,
            "stopgap_extend": extend,
            "stopgap_attest": attest or [],
            "stopgap_conffiles": conffiles,
            "stopgap_rollback": rollback,
            "stopgap_reboot": reboot,
            "stopgap_tests": [str(p.absolute()) for p in tests or []],
        }
        words = [word for value in extra_vars or [] for word in ("-e", value)]
        words += ["--ask-pass"] * ask_pass + ["--ask-become-pass"] * ask_become_pass + (ansible or [])
        request = RunRequest(
            verb=name,
            inventory=tuple(inventory or ()),
            limit=limit or "",
            check=check,
            diff=diff,
            forks=forks,
            verbosity=verbose,
            # what was not given is left to the inventory's group_vars: extra variables would win over them
            variables={key: value for key, value in variables.items() if value not in ("", [], False, None)},
            passthrough=tuple(words),
            passwords=_ask(words),
        )
        with lasting_output():
            if due:
                from stopgap.cli.recheck_due import run_due  # it reads the ledger, which the verbs do not

                raise typer.Exit(run_due(request, ids, AT_MOST if at_most is None else at_most, as_json=as_json))
            raise typer.Exit(run_verb(request, as_json=as_json))

    command.__name__ = name
    command.__doc__ = text
    return command


LIMIT_PART = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")  # as Ansible finds them where there is no comma


def _check_limit(limit: str | None) -> None:
    """Neither a variable of the shell that was never set nor a file without a host must mean the whole fleet."""
    if limit is None:
        return
    parts = [part.strip() for part in limit.split(",")] if "," in limit else LIMIT_PART.findall(limit)
    if not any(parts):
        raise typer.BadParameter("--limit is empty: name hosts, or leave it out for all of the inventory")
    wanted = [part for part in parts if part and part[0] not in "!&"]
    if wanted and all(part.startswith("@") and _is_blank(Path(part[1:])) for part in wanted):
        told = ", ".join(part[1:] for part in wanted)
        raise typer.BadParameter(f"--limit: {told} names no host, and Ansible would take all of the inventory")


def _is_blank(file: Path) -> bool:
    """Not what is no file or cannot be read: Ansible says so."""
    with suppress(OSError):
        return file.is_file() and not file.read_bytes().strip()
    return False


def _check_words(verb: str, reason: str, *, force: bool, extend: bool, due: bool, attest: bool) -> None:
    """Which options go with which verbs, and which need a reason."""
    if force and not reason:
        raise typer.BadParameter("--force needs --reason: it is recorded with the lifting")
    if extend and verb != "recheck":
        raise typer.BadParameter("--extend goes with recheck: only fresh proof gives a mitigation more time")
    if extend and not reason:
        raise typer.BadParameter("--extend needs --reason: it is recorded with your name")
    if due and verb != "recheck":
        raise typer.BadParameter("--due goes with recheck: only what was proven before can be due again")
    if attest and verb not in PROVING:
        raise typer.BadParameter(f"--attest goes with a verb that proves a fix: {', '.join(PROVING)}")
    if attest and not reason:
        raise typer.BadParameter("--attest needs --reason: it is recorded with your name")


def _chosen(verb: str, remedies: list[str] | None) -> list[str]:
    if remedies or verb == "sync":
        return remedies or []
    if verb in ("recheck", "verify", "assess"):
        return ["all"]  # reading verbs may look at everything; changing ones are told what to change
    raise typer.BadParameter(f"which remedy? stopgap {verb} REMEDY…; 'stopgap remedy list' shows them")


def _ask(words: list[str]) -> dict[str, str]:
    """What Ansible will ask for, asked before it runs: then nobody could answer."""
    return {rf"^{re.escape(prompt)}(\[.*\])?:\s*?$": _answer(prompt) for prompt in prompts(os.environ, words)}


def _answer(prompt: str) -> str:
    try:
        return str(typer.prompt(prompt, "", hide_input=True, show_default=False, err=True))
    except typer.Abort:
        raise typer.TyperException(
            f"nobody answered '{prompt}': an option, ansible.cfg or the environment has Ansible ask for it. Where "
            "nobody can, take that out and name a file: --ansible=--become-password-file=FILE (connection-, vault-)"
        ) from None


def run_verb(
    request: RunRequest,
    *,
    as_json: bool = False,
    told: dict[str, Any] | None = None,
    judge: Callable[[RunResult], ExitCode] = RunResult.exit_code,
) -> ExitCode:
    """Run it, show it, give the exit code. *told* goes before the outcome in JSON."""
    from stopgap.engine.run import run

    check_inventory(request.inventory)
    given = os.environ.get("STOPGAP_RUN", "").lower()  # no id, no name: the callback makes the same choice
    request = replace(request, run=given if PATTERNS["run"].fullmatch(given) else new_id(spelled(datetime.now(UTC))))
    with Progress(request, quiet=as_json) as progress:
        try:
            result = run(request, progress.take)
        except EngineError as error:
            raise typer.TyperException(str(error)) from error
    code = judge(result)
    if result.refused:
        raise typer.TyperException(result.refused.removeprefix("Task failed: ").strip())
    if result.no_hosts:
        raise typer.TyperException(NO_HOSTS)
    if code is ExitCode.PROVEN and not result.verdicts and request.verb != "sync" and not request.check:
        print("stopgap: no host came to a verdict: what --ansible said kept the play from its end", file=sys.stderr)
        code = ExitCode.UNKNOWN
    if request.verb == "sync":
        return _end_sync(request, result, code, as_json=as_json)
    if as_json:
        _print_json(result, code, told or {})
    else:
        show_result(request, result)
    return code


def _end_sync(request: RunRequest, result: RunResult, code: ExitCode, *, as_json: bool) -> ExitCode:
    """A journal that was read and did not come into the ledger is the same to whoever asks the ledger as one unread."""
    try:
        hosts, missing = read_delivered(request.run, set() if request.check else result.journals)
    except Exception:
        if not as_json:
            show_result(request, result)
        raise
    if missing:
        tell_missing(missing)
        code = ExitCode.ERROR
    if as_json:
        _print_json(result, code, {}, {"delivered": told_delivered(hosts), "notices": told_notices()})
    else:
        tell_delivered(hosts)
        show_result(request, result)
        tell_notices()
    return code


def _print_json(result: RunResult, code: ExitCode, before: dict[str, Any], after: dict[str, Any] | None = None) -> None:
    told = before | {
        "exit_code": int(code),
        "cases": result.cases,
        "verdicts": result.verdicts,
        "failures": result.failures,
        "unreachable": result.unreachable,
    }
    print(json.dumps(told | (after or {}), indent=2))


def check_inventory(sources: tuple[str, ...]) -> None:
    for source in sources:
        if not source.strip():  # Ansible would take every file of the current folder
            raise typer.BadParameter("--inventory is empty: name a file, a folder, or hosts with a comma")
        if "," not in source and not Path(source).exists():
            raise typer.BadParameter(f"inventory {source} does not exist")


assess = _verb("assess", "Say which of the hosts are exposed, and why.")
mitigate = _verb("mitigate", "Put a mitigation in force and prove it. It is debt until the fix is in effect.")
fix = _verb("fix", "Install the vendor's fix, prove it in effect, lift the mitigation it makes needless.")
remediate = _verb("remediate", "Fix what can be fixed now and mitigate the rest.")
verify = _verb("verify", "Prove what is in effect on the hosts now.")
lift = _verb("lift", "Lift mitigations whose fix is proven (or with --force --reason).")
recheck = _verb("recheck", "Prove again what was proven before: verdicts age.")
sync = _verb("sync", "Bring what the hosts' journals say into the ledger.")
