"""CISA's catalogue of Known Exploited Vulnerabilities, as JSON."""

import json
import re
from datetime import date, timedelta
from typing import Any

from stopgap.ledger.events import clean
from stopgap.risk.errors import BadFeed
from stopgap.risk.feeds.model import CVE, Facts, Feed, Parsed, as_text, moment

NAME_LIMIT = 200
_DAY = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}")


def parse(data: bytes) -> Parsed:
    """Facts of a CVE: `added` and `due` (days as YYYY-MM-DD), `ransomware` (known to be used by it), `name`."""
    told = _read(data)
    entries = told.get("vulnerabilities")
    if not isinstance(entries, list) or not entries:
        raise BadFeed("no list 'vulnerabilities' with entries: this is no KEV catalogue")
    if told.get("count") != len(entries):
        raise BadFeed(f"it says it has {str(told.get('count'))[:20]} entries and has {len(entries)}: is it cut?")
    facts: dict[str, Facts] = {}
    skipped = 0
    for number, entry in enumerate(entries, start=1):
        cve = _cve(entry, number)
        if not CVE.fullmatch(cve):
            skipped += 1
        elif cve in facts:
            raise BadFeed(f"entry {number}: {cve} is there twice")
        else:
            facts[cve] = _facts(entry, f"entry {number} ({cve})")
    if not facts:
        raise BadFeed("none of its entries is about a CVE: this is no KEV catalogue")
    return Parsed(moment(told.get("dateReleased"), "dateReleased"), facts, skipped)


def _read(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(as_text(data))
    except json.JSONDecodeError as error:
        raise BadFeed(f"line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise BadFeed("nested too deeply: this is no KEV catalogue") from None
    except BadFeed:
        raise
    except ValueError:
        raise BadFeed("a number in it is too long: this is no KEV catalogue") from None
    if not isinstance(told, dict):
        raise BadFeed("not a JSON object: this is no KEV catalogue")
    return told


def _cve(entry: object, number: int) -> str:
    if not isinstance(entry, dict):
        raise BadFeed(f"entry {number} is not an object")
    cve = _text(entry, "cveID")
    if cve is None:
        raise BadFeed(f"entry {number} has no cveID")
    return cve


def _text(entry: dict[str, Any], key: str) -> str | None:
    """Without stray blanks: CISA's catalogue has them, in whatever field."""
    text = entry.get(key)
    return text.strip() if isinstance(text, str) else None


def _facts(entry: dict[str, Any], where: str) -> Facts:
    return {
        "added": _day(entry, "dateAdded", where),
        "due": _day(entry, "dueDate", where),
        "ransomware": _text(entry, "knownRansomwareCampaignUse") == "Known",
        "name": clean(_text(entry, "vulnerabilityName") or "", NAME_LIMIT),
    }


def _day(entry: dict[str, Any], key: str, where: str) -> str:
    text = _text(entry, key) or ""
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise BadFeed(f"{where}: {key} {str(entry.get(key))[:40]!r} is not a day as YYYY-MM-DD")


FEED = Feed(
    name="kev",
    title="CISA KEV",
    published_at="https://www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json",
    fresh_for=timedelta(days=7),
    parse=parse,
)
