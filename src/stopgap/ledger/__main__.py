"""`python -m stopgap.ledger VERB`: the ledger for machines. JSON out, one sentence on trouble.

argparse, not Typer: this starts at the end of every play.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stopgap.ledger.errors import LedgerError
from stopgap.ledger.paths import spool_dir


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m stopgap.ledger", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    ingest = verbs.add_parser("ingest", help="deliver spool files to the ledger")
    ingest.add_argument("--spool", type=Path, default=None)
    verbs.add_parser("cases", help="print every case").add_argument("--json", action="store_true")
    verbs.add_parser("rebuild", help="project every case again")
    verbs.add_parser("check", help="tell what the ledger is; compare the kept cases with their events")
    verbs.add_parser("init", help="make a ledger, and grant its roles what they need")
    verbs.add_parser("upgrade", help="bring its tables up to this version")
    arguments = parser.parse_args(argv)
    try:
        return VERBS[arguments.verb](arguments)
    except LedgerError as error:
        print(error, file=sys.stderr)
        return 1


def _ingest(arguments: argparse.Namespace) -> int:
    from stopgap.ledger.service import ingest

    deliveries = []
    for delivery in ingest(arguments.spool or spool_dir()):
        deliveries.append(asdict(delivery))
        if delivery.left:
            print(delivery.left, file=sys.stderr)
        for sentence in delivery.bad:
            print(f"{delivery.file}, {sentence}; put aside in {spool_dir_name(arguments)}/bad", file=sys.stderr)
        for sentence in delivery.warnings:
            print(sentence, file=sys.stderr)
    return _print({"deliveries": deliveries, "new": sum(one["new"] for one in deliveries)})


def spool_dir_name(arguments: argparse.Namespace) -> str:
    return str(arguments.spool or spool_dir())


def _cases(_arguments: argparse.Namespace) -> int:
    from stopgap.ledger.case import to_dict
    from stopgap.ledger.json_stream import print_stream
    from stopgap.ledger.readers import every_case

    print_stream("cases", (to_dict(one) for one in every_case()), dict)
    return 0


def _rebuild(_arguments: argparse.Namespace) -> int:
    from stopgap.ledger.service import rebuild

    return _print({"cases": rebuild()})


def _check(_arguments: argparse.Namespace) -> int:
    from stopgap.ledger.service import look

    found = look()
    _print(asdict(found) if found else {"differences": []})
    return 1 if found and found.differences else 0


def _init(_arguments: argparse.Namespace) -> int:
    from stopgap.ledger.schema import init

    return _print(asdict(init()))


def _upgrade(_arguments: argparse.Namespace) -> int:
    from stopgap.ledger.schema import upgrade

    return _print(asdict(upgrade()))


def _print(value: dict[str, Any]) -> int:
    json.dump(value, sys.stdout)
    print()
    return 0


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "ingest": _ingest,
    "cases": _cases,
    "rebuild": _rebuild,
    "check": _check,
    "init": _init,
    "upgrade": _upgrade,
}

if __name__ == "__main__":
    sys.exit(main())
