"""The catalogue's own patterns against real configuration and answers: each finds what it must, and not the rest.

A comment that counts as a setting, or a check that cannot fail, would prove what is not so.
"""

import re
from functools import reduce
from pathlib import Path

import pytest
import yaml

from stopgap.collection import collection_root

CASES = sorted((Path(__file__).parents[2] / "cases/remedy_patterns").glob("*.yml"))


def step(node, name):
    return node[int(name)] if isinstance(node, list) else node[name]


def patterns():
    for path in CASES:
        for place, samples in yaml.safe_load(path.read_text()).items():
            for kind in ("found", "not_found"):
                for text in samples[kind]:
                    yield pytest.param(path.stem, place, text, kind == "found", id=f"{path.stem}-{place}-{text[:40]!r}")


@pytest.mark.parametrize(("remedy", "place", "text", "found"), list(patterns()))
def test_pattern(remedy, place, text, found):
    raw = yaml.safe_load((collection_root() / "remedies" / f"{remedy}.yml").read_text())
    pattern = reduce(step, place.split("."), raw)
    assert bool(re.search(pattern, text, re.MULTILINE)) is found


def test_every_pattern_of_the_catalogue_has_a_text_it_finds_and_one_it_does_not():
    missing = []
    for path in sorted((collection_root() / "remedies").glob("*.yml")):
        case = CASES[0].parent / path.name
        known = yaml.safe_load(case.read_text()) if case.is_file() else {}
        wanted = [
            place for place in walk(yaml.safe_load(path.read_text())) if place.endswith("match") or "matches" in place
        ]
        missing += [f"{path.stem} {place}" for place in wanted if place not in known and not is_plain(place, path)]
    assert missing == []


def is_plain(place, path):
    """A pattern without operators, such as ^OK$, needs no examples."""
    return re.fullmatch(r"[\^$\w |]+", reduce(step, place.split("."), yaml.safe_load(path.read_text()))) is not None


def walk(node, at=()):
    if isinstance(node, dict | list):
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from walk(value, (*at, str(name)))
    else:
        yield ".".join(at)
