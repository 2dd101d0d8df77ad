"""KEV and EPSS: what is read of them, and what is said of a broken one."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stopgap.risk.errors import BadFeed
from stopgap.risk.feeds import FEEDS, epss, kev

REAL = Path(__file__).parents[4] / "shared/data"
needs_real = pytest.mark.skipif(not (REAL / "kev").is_dir(), reason="the real feeds are not beside this repository")

ENTRY = {
    "cveID": "CVE-2021-44228",
    "vulnerabilityName": "Log4j \x1b[31mRCE",
    "dateAdded": "2021-12-10",
    "dueDate": "2021-12-24",
    "knownRansomwareCampaignUse": "Known",
}
SCORES = (
    "#model_version:v2025.03.14,score_date:2025-12-26T00:00:00+0000\ncve,epss,percentile\nCVE-2021-44228,0.97,0.99\n"
)


def catalogue(*entries, **more):
    released = {"dateReleased": "2026-07-23T16:21:10.8082Z", "count": len(entries), "vulnerabilities": list(entries)}
    return json.dumps(released | more).encode()


def test_kev_is_read():
    told = kev.parse(catalogue(ENTRY, ENTRY | {"cveID": "CISA-2021-1"}))
    assert told.dated == datetime(2026, 7, 23, 16, 21, 10, 808200, tzinfo=UTC)
    assert told.skipped == 1
    facts = {
        "added": "2021-12-10",
        "due": "2021-12-24",
        "ransomware": True,
        "name": "Log4j \N{REPLACEMENT CHARACTER}[31mRCE",
    }
    assert told.facts == {"CVE-2021-44228": facts}


def test_stray_blanks_in_kev_cost_no_entry():
    """Its other fields have them: such an id would be left out as no CVE, and such a day refuse the whole catalogue."""
    odd = {name: f" {value}\t" for name, value in ENTRY.items() if isinstance(value, str)}
    assert kev.parse(catalogue(odd)).facts == kev.parse(catalogue(ENTRY)).facts
    with pytest.raises(BadFeed, match="entry 2: CVE-2021-44228 is there twice"):
        kev.parse(catalogue(ENTRY, odd))


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b'{"count": 1,\n "vuln', "line 2, column 2: not JSON"),
        (b"\n\xff", "line 2: not UTF-8 text"),
        (b"[]", "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"count": ' + b"9" * 5000 + b"}", "a number in it is too long"),
        (b"{}", "no list 'vulnerabilities' with entries"),
        (catalogue(ENTRY | {"cveID": "CVE-1"}), "none of its entries is about a CVE"),
        (catalogue(), "no list 'vulnerabilities' with entries"),
        (catalogue(ENTRY, count=1653), "it says it has 1653 entries and has 1: is it cut?"),
        (catalogue(ENTRY, ENTRY), "entry 2: CVE-2021-44228 is there twice"),
        (catalogue(ENTRY, "x"), "entry 2 is not an object"),
        (catalogue({}), "entry 1 has no cveID"),
        (catalogue(ENTRY | {"dueDate": "2021-13-24"}), "entry 1 (CVE-2021-44228): dueDate '2021-13-24' is not a day"),
        (catalogue(ENTRY | {"dateAdded": "soon" * 99}), "dateAdded 'soonsoon"),
        (catalogue(ENTRY | {"dateAdded": 20211210}), "dateAdded '20211210' is not a day"),
        (catalogue(ENTRY, dateReleased="0999-01-01"), "dateReleased '0999-01-01' is not a date and time"),
        (catalogue(ENTRY, dateReleased="9999-12-31T23:59:59-12:00"), "is not a date and time"),
        (catalogue(ENTRY, dateReleased="0001-01-01T00:00:00+14:00"), "is not a date and time"),
        (catalogue(ENTRY, dateReleased="yesterday"), "dateReleased 'yesterday' is not a date and time"),
    ],
)
def test_a_broken_kev_says_what_and_where(data, sentence):
    with pytest.raises(BadFeed) as raised:
        kev.parse(data)
    assert sentence in str(raised.value)
    assert len(str(raised.value)) < 200


def test_epss_is_read():
    told = epss.parse((SCORES + "GHSA-1,0.1,0.1\nCVE-2024-0001,7e-05,0\n").encode())
    assert told.dated == datetime(2025, 12, 26, tzinfo=UTC)
    assert told.skipped == 1
    assert told.facts == {
        "CVE-2021-44228": {"epss": 0.97, "percentile": 0.99},
        "CVE-2024-0001": {"epss": 7e-05, "percentile": 0.0},
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "line 1: no '#model_version"),
        ("cve,epss,percentile\n", "line 1: no '#model_version"),
        (SCORES.replace("cve,", "CVE,"), "line 2: not the header cve,epss,percentile"),
        (SCORES.replace("2025-12-26T00:00:00+0000", "then"), "line 1: score_date 'then' is not a date and time"),
        (SCORES + "CVE-2024-0001,0.1", "line 4: 2 fields where 3 belong: is it cut?"),
        (SCORES + "\nCVE-2024-0001,0.1,0.1", "line 4: 1 fields"),
        (SCORES + "CVE-2024-0001,1.1,0.1", "line 4: epss '1.1' is not a number from 0 to 1"),
        (SCORES + "CVE-2024-0001,nan,0.1", "line 4: epss 'nan'"),
        (SCORES + "CVE-2024-0001,-1,0.1", "line 4: epss '-1'"),
        (SCORES + "CVE-2024-0001,0.1,", "line 4: percentile ''"),
        (SCORES + "CVE-2021-44228,0.1,0.1", "line 4: CVE-2021-44228 is there twice"),
        ("\n".join(SCORES.splitlines()[:2]), "no score in it: is it cut?"),
    ],
)
def test_a_broken_epss_says_what_and_where(text, sentence):
    with pytest.raises(BadFeed) as raised:
        epss.parse(text.encode())
    assert sentence in str(raised.value)


@needs_real
def test_the_real_catalogues():
    old = kev.parse((REAL / "kev/kev-2025-08-25.json").read_bytes())
    new = kev.parse((REAL / "kev/kev-2026-07-23.json").read_bytes())
    assert (len(old.facts), len(new.facts), old.skipped, new.skipped) == (1404, 1653, 0, 0)
    assert new.facts["CVE-2021-44228"]["due"] == "2021-12-24"
    assert "CVE-2024-6387" not in new.facts  # regreSSHion


@needs_real
def test_the_real_scores():
    told = epss.parse((REAL / "epss/epss_scores-sample.csv").read_bytes())
    assert len(told.facts) == 27
    assert told.facts["CVE-1999-0003"] == {"epss": 0.89352, "percentile": 0.99521}


def test_the_registry_goes_by_name():
    assert all(name == feed.name for name, feed in FEEDS.items())
