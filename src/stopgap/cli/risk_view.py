"""A case's story and the order of work as text. Nothing a host said is ever markup."""

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime

from stopgap.cli.ledger_view import age
from stopgap.ledger.events import clean
from stopgap.risk.due import Due
from stopgap.risk.explain import Story, dates, decision, next_steps, until_then

LIMIT = 1200  # characters of one line
Line = tuple[str, str]  # label, text; a section's title has no text


def show_story(story: Story) -> None:
    lines = [(clean(label, LIMIT), clean(text, LIMIT)) for label, text in _lines(story)]
    if sys.stdout.isatty():
        _show_grid(lines)
    else:
        for label, text in lines:
            print(f"  {label:<{_width(label)}} {text}" if text else label)


def _show_grid(lines: Iterable[Line]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for label, text in lines:
        if not text:
            console.print(Text(label, "bold"))
            continue
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(width=_width(label), no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(label, "cyan"), Text(text, "bold red" if text.startswith("OVERDUE") else ""))
        console.print(Padding(grid, (0, 0, 0, 2)))


def _width(label: str) -> int:
    """Names of facts stand in a column; a number, an arrow or nothing needs less."""
    return 18 if label[:1].isalpha() else 2


def _lines(story: Story) -> Iterator[Line]:
    case = story.case
    estate = f"{case.estate}/" if case.estate != "default" else ""
    yield f"{estate}{case.host}  {case.remedy}  {story.remedy.title}".rstrip(), ""
    flags = "".join(f"{flag.upper().replace('_', ' ')}; " for flag in case.flags)
    yield "state", f"{case.state} since {case.since[:10]}: {flags}{case.reason}"
    if case.exposed_at:
        yield "affected since", f"{case.exposed_at[:10]} {case.exposed_at[11:16]} UTC, as far as we know"
    yield "due", due_in_words(story.due, story.now) if story.due else decision(story)
    yield "What is known (* assumed)", ""
    for fact in story.judged.facts.told:
        yield fact.name + (" *" if fact.assumed else ""), fact.said
    told = list(dates(story))
    if told:
        yield "Dates", ""
    for decides, sentence in told:
        yield "\N{RIGHTWARDS ARROW}" if decides else "-", sentence
    if len(told) > 1:
        yield "", decision(story)
    yield from _section("Until then", until_then(story))
    yield from _section("Next", next_steps(story))


def _section(title: str, sentences: Iterable[str]) -> Iterator[Line]:
    told = list(sentences)
    if told:
        yield title, ""
    for number, sentence in enumerate(told, start=1):
        yield f"{number}.", sentence


def due_in_words(due: Due, now: datetime) -> str:
    if due.due_at is None:
        return "with the next upgrade"
    left = int((due.due_at - now).total_seconds())
    when = f"end of {due.due_at.date()} UTC"
    triage = ", with forensic triage" if due.forensics else ""
    return (f"OVERDUE by {age(-left)}, since the {when}" if due.overdue else f"{when}, in {age(left)}") + triage


def due_cell(due: Due | None, now: datetime) -> str:
    """`2026-11-25, in 3d`; on one line of a table."""
    if due is None:
        return "-"
    if due.due_at is None:
        return "next upgrade"
    left = int((due.due_at - now).total_seconds())
    return f"OVERDUE {age(-left, 1)}" if due.overdue else f"{due.due_at.date()}, in {age(left, 1)}"
