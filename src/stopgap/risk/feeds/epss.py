"""FIRST's EPSS: how likely each CVE is exploited in the next 30 days. CSV, with a comment line before its header."""

import re
from datetime import timedelta

from stopgap.risk.errors import BadFeed
from stopgap.risk.feeds.model import CVE, Facts, Feed, Parsed, as_text, moment

HEADER = ["cve", "epss", "percentile"]
_COMMENT = re.compile(r"#model_version:(?P<model>[^,]{1,40}),score_date:(?P<date>[^,]{1,40})")
_SHARE = re.compile(r"[0-9](\.[0-9]{1,20})?(e-[0-9]{1,2})?")


def parse(data: bytes) -> Parsed:
    """Facts of a CVE: `epss` and `percentile`, both from 0 to 1."""
    lines = as_text(data).splitlines()
    comment = _COMMENT.fullmatch(lines[0].strip()) if lines else None
    if comment is None:
        raise BadFeed("line 1: no '#model_version:…,score_date:…': this is no EPSS file")
    if len(lines) < 2 or lines[1].strip().split(",") != HEADER:
        raise BadFeed(f"line 2: not the header {','.join(HEADER)}")
    facts, skipped = _scores(lines[2:])
    if not facts:
        raise BadFeed("no score in it: is it cut?")
    return Parsed(moment(comment["date"], "line 1: score_date"), facts, skipped)


def _scores(lines: list[str]) -> tuple[dict[str, Facts], int]:
    facts: dict[str, Facts] = {}
    skipped = 0
    for number, line in enumerate(lines, start=3):
        row = line.split(",")
        if len(row) != len(HEADER):
            raise BadFeed(f"line {number}: {len(row)} fields where {len(HEADER)} belong: is it cut?")
        cve = row[0]
        if not CVE.fullmatch(cve):
            skipped += 1
        elif cve in facts:
            raise BadFeed(f"line {number}: {cve} is there twice")
        else:
            facts[cve] = {
                "epss": _share(row[1], f"line {number}: epss"),
                "percentile": _share(row[2], f"line {number}: percentile"),
            }
    return facts, skipped


def _share(text: str, where: str) -> float:
    if not _SHARE.fullmatch(text) or float(text) > 1:
        raise BadFeed(f"{where} {text[:40]!r} is not a number from 0 to 1")
    return float(text)


FEED = Feed(
    name="epss",
    title="FIRST EPSS",
    published_at="https://epss.empiricalsecurity.com/epss_scores-current.csv.gz",
    fresh_for=timedelta(days=7),
    parse=parse,
)
