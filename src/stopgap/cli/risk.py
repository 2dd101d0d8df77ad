"""`stopgap risk`: the feeds that due dates rest on, and why a case is due when it is."""

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from stopgap.cli.ledger_options import AsJson, ledger_errors, name_given, print_json
from stopgap.cli.risk_options import Policy, risk_errors, tell_doubts
from stopgap.risk.errors import RiskError
from stopgap.risk.feeds import FEEDS

app = typer.Typer(
    name="risk",
    help="Due dates: the feeds they rest on, and why each is what it is.",
    no_args_is_help=True,
    add_completion=False,
)
policy_app = typer.Typer(help="The site's own rules for due dates.", no_args_is_help=True)
app.add_typer(policy_app, name="policy")


def _an_option_each(command: Callable[..., None]) -> Callable[..., None]:
    """A feed is an option of its own, as FEEDS has them: a new one edits nothing here."""
    own = inspect.signature(command)
    options = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, typer.Option(metavar="FILE|URL", help=feed.title)],
        )
        for name, feed in FEEDS.items()
    ]
    fixed = [one for one in own.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = own.replace(parameters=[*fixed, *options])  # type: ignore[attr-defined]
    return command


@app.command()
@_an_option_each
def update(
    *,
    force: Annotated[bool, typer.Option("--force", help="Take a feed that is older than the kept one.")] = False,
    **sources: str | None,
) -> None:
    """Take over feeds from files or URLs; without any, show what is kept and how old it is."""
    given = {name: source for name, source in sources.items() if source is not None}
    for name in given:
        if not given[name].strip():
            raise typer.BadParameter(f"--{name} is empty: name a file or a URL")
    if not given:
        feeds()
        return
    failed = [name for name, source in given.items() if not _update(name, source, force)]
    raise typer.Exit(1 if failed else 0)


def _update(name: str, source: str, force: bool) -> bool:
    from stopgap.ledger.debts import utc_now
    from stopgap.risk.work import update_feed

    with ledger_errors():
        try:
            done = update_feed(name, source, utc_now(), force=force)
        except RiskError as error:
            print(f"stopgap: {error}", file=sys.stderr)
            return False
    before = f", before {done.before.entries} of {done.before.dated[:10]}" if done.before else ""
    odd = f"; {done.skipped} entries are no CVE and were left out" if done.skipped else ""
    print(f"{FEEDS[name].title} of {done.dated[:10]}: {done.entries} CVEs{before}{odd}")
    return True


@app.command()
def feeds(as_json: AsJson = False) -> None:
    """Show which feeds are kept, where they came from and how old they are."""
    from dataclasses import asdict

    from stopgap.cli import ledger_view as view
    from stopgap.ledger.debts import utc_now
    from stopgap.risk.kept import doubts
    from stopgap.risk.work import kept_feeds

    now = utc_now()
    with risk_errors():
        kept = kept_feeds()
    told = tuple(doubts(kept, now))
    if as_json:
        rows = [asdict(one) | {"stale": one.is_stale(now)} for one in kept.values()]
        print_json({"feeds": rows, "doubts": list(told)})
        return
    if kept:
        columns = ("feed", "dated", "age", "fetched", "CVEs", "source")
        lines = [
            (
                one.name,
                one.dated[:10],
                view.age(int(one.age(now).total_seconds()), 1) + (" STALE" if one.is_stale(now) else ""),
                one.fetched_at[:10],
                str(one.entries),
                one.source,
            )
            for one in kept.values()
        ]
        view.show(columns, lines)
    tell_doubts(told)


@app.command()
def explain(
    host: Annotated[str, typer.Argument(metavar="HOST", help="A host as the ledger names it.", callback=name_given)],
    vulnerability: Annotated[str, typer.Argument(metavar="CVE", help="The remedy's id, or an alias of it.")],
    estate: Annotated[
        str, typer.Option(help="Where several estates have a host of that name.", callback=name_given)
    ] = "",
    policy: Policy = None,
    as_json: AsJson = False,
) -> None:
    """Tell one case's whole story: each fact and date with its source, which date decides, and what to do next."""
    from stopgap.cli import risk_view
    from stopgap.ledger.debts import utc_now
    from stopgap.risk import work
    from stopgap.risk.explain import to_dict

    with risk_errors():
        story = work.explain(host, vulnerability, work.find_policy(policy), utc_now(), estate)
    tell_doubts(story.doubts)
    if as_json:
        print_json(to_dict(story))
    else:
        risk_view.show_story(story)


@policy_app.command("check")
def check_policy(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy, see docs/reference/risk.md.")],
) -> None:
    """Check a policy. Prints FILE:LINE: MESSAGE for each problem; exit code 1 where there is one."""
    from stopgap.risk.errors import InvalidPolicy
    from stopgap.risk.policy import load_policy

    try:
        policy = load_policy(file)
    except InvalidPolicy as error:
        print(error)
        raise typer.Exit(1) from error
    count = len(policy.rules)
    print(f"{file}: good, {count} rule{'s' * (count != 1)}, first match decides; then CISA's table")
