"""`python -m stopgap.remedy resolve [--path DIR]… ID…` prints JSON. It runs once a play, so it starts light."""

import argparse
import json
import sys
from pathlib import Path

from stopgap.remedy import RemedyError, resolve, search_path
from stopgap.remedy.knowledge import knowledge


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="stopgap.remedy")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("resolve", help="print the remedies as the plays use them")
    verb.add_argument("--path", action="append", default=[], type=Path, metavar="DIR", help="look here first")
    verb.add_argument("ids", nargs="+", metavar="ID")
    arguments = parser.parse_args(argv)
    try:
        remedies = resolve(arguments.ids, search_path(arguments.path))
    except (RemedyError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
    json.dump({"remedies": remedies, "knowledge": [knowledge(one) for one in remedies]}, sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
