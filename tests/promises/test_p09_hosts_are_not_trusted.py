"""P9: what a host returns goes in at three borders, and comes out harmless everywhere, bounded, marked where cut."""

import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
import unicodedata
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.makers import event_id, only_sqlite, raw_event

from ansible_collections.stopgap.remediation.plugins.plugin_utils import bounds, events, witness
from ansible_collections.stopgap.remediation.plugins.plugin_utils.spool import SpoolFile
from stopgap.cli import main as cli
from stopgap.cli.progress import Progress, show_result
from stopgap.engine.model import Changed, HostAnswered, RunRequest, RunResult, Said, StepStarted
from stopgap.ledger import book, service
from stopgap.ledger import events as ledger_events
from stopgap.ledger.chain import link
from stopgap.ledger.errors import BadEvent, BadExport
from stopgap.ledger.exchange import bring_in, export
from stopgap.ledger.export_reader import spelled
from stopgap.ledger.integrity import verify
from stopgap.ledger.store import open_ledger, reading, writing
from stopgap.ledger.tables import cases
from stopgap.ledger.tables import events as events_table

AT = "2026-11-21T17:00:00.123456Z"
ENTRY = "20261121T170000Z-0a1b2c3d"
TOP = Path(__file__).parents[2]
MARKER = "stopgap-was-owned"

TEXTS = {
    "escapes": "\x1b[2J\x1b]0;owned\x07\x1b]8;;http://x\x07\x9b31m\x1bP1$r\x1b\\",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>&quot;",
    "formula": f"=cmd|'/C touch {MARKER}'!A0",
    "shell": f"$(touch {MARKER}); `touch {MARKER}` | touch {MARKER} & touch {MARKER}",
    "template": "{{ lookup('pipe', 'touch " + MARKER + "') }}{% raw %}",
    "markup": "[bold red]x[/] [/] [link=http://x]y[/link] :bomb:",
    "format": "%s%n{0.__class__}{}%(x)s",
    "sql": "'; DROP TABLE events; --\" \\",
    "nul": "a\x00b",
    "surrogates": "\ud800 \udfff \udce9",
    "windows-1252": b"caf\xe9 \x93quoted\x94".decode("utf-8", "surrogateescape"),
    "bidi": "\u202egnp.exe\u2066\u2067\u2069\u200f\u061c",
    "invisible": "a\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\u206a\U000e0041\u3164b",
    "newlines": "a\r\nweb1  CVE-1  fixed\n\u2028\u2029\x85\x0b\x0cb\rc",
    "long": "x" * 10_000_000,
    "an id of ours": event_id(7),
    "an entry of ours": ENTRY,
    "a path": "../../../../etc/passwd",
}
OTHERS = {
    "deep": json.loads("[" * 900 + "]" * 900),
    "wide": list(range(200_000)),
    "many keys": {f"k{n}": "v" * 50 for n in range(100_000)},
    "a long key": {"k" * 1_000_000: 1},
    "hostile keys": {text[:200]: text[:200] for text in TEXTS.values()},
    "no number": float("nan"),
    "no end": float("inf"),
    "a huge number": 10**4000,
    "a large number": 2**64,
    "null": None,
    "a truth": True,
    "nothing": {},
}
VALUES = {**TEXTS, **OTHERS}

# Invisible, or turns what stands around it: none of it may reach a terminal. (The visible ones of Unicode's Cf stay.)
SEEN = {chr(code) for code in (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)}
SEEN |= {chr(code) for code in (*range(0x13430, 0x13440), *range(0x1BCA0, 0x1BCA4))}


def harmless(text, also=""):
    bad = {char for char in text if char not in also and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    return not bad - SEEN


# --- the border of a module's result -------------------------------------------------------------------------------


def answers(value):
    """A result of each module with this value in every place a host can put one."""
    item = {
        "remedy": "CVE-1",
        "revision": value,
        "mitigation": value,
        "entry": ENTRY,
        "reason": value,
        "code": value,
        "evidence": {
            "packages": [value],
            "when": value,
            "old_code": value,
            "mitigation": {"id": value, "entry": value},
        },
        "owner": value,
        "ttl_seconds": value,
        "expires_at": value,
        "persists": value,
        "actions": [{"type": value, "resource": value, "changed": value}, value],
        "history": [{"state": "applied", "at": value, "reason": value}, value],
        "packages": value,
        "checks": value,
        "phase": value,
    }
    whole = {"host_id": value, "system": {"distro": value, "host_id": value}, "msg": value}
    yield "assess", {**whole, "assessments": [{**item, "state": "exposed"}]}
    yield "mitigation", {**whole, "results": [{**item, "state": "applied"}, {**item, "state": "refused"}]}
    yield "patch", {**whole, "results": [{**item, "state": "refused"}]}
    yield "journal_info", {**whole, "entries": [{**item, "state": "applied"}, value]}
    yield (
        "verify",
        {"results": {"web1": [{**item, "verdict": "fail"}, {**item, "verdict": "pass", "phase": "mitigation"}]}},
    )


def hear(value, host="web1"):
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    by.hear_remedies(["CVE-1"])
    told = []
    for action, result in answers(value):
        said = by.hear(events.PREFIX + action, host, lambda _host: "default", result, {"CVE-1": 3})
        assert said, action
        told += [dict(one, host=host) for one in said]
    return told


@pytest.mark.parametrize("name", VALUES)
def test_an_answer_makes_events_that_ingest_takes_as_they_are(name):
    for told in hear(VALUES[name]):
        line = json.dumps(told).encode("ascii")
        assert len(line) <= ledger_events.LINE_LIMIT
        kept = ledger_events.parse_line(line)
        assert spelled(kept.evidence) == spelled(told["evidence"])  # nothing was left to clean
        assert harmless(kept.reason + spelled(kept.evidence))


@pytest.mark.parametrize("name", ["long", "wide", "deep", "many keys", "a long key"])
def test_what_was_cut_is_marked(name):
    told = hear(VALUES[name])
    assert {one["kind"] for one in told if one["evidence"].get("truncated")} >= {
        "assessed", "mitigation", "patch", "verified"
    }  # fmt: skip
    assert not any(one["evidence"].get("truncated") for one in hear("short") if one["kind"] != "journal")


def test_a_talkative_host_loses_the_largest_and_keeps_the_rest():
    packages = [{"name": "nginx", "arch": "amd64", "source_version": "1.18"}]
    evidence = {"packages": packages, "old_code": [{"exe": "x" * 900}] * 100, "when": []}
    result = {"assessments": [{"remedy": "CVE-1", "state": "exposed", "reason": "old", "evidence": evidence}]}
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    (told,) = by.hear(events.PREFIX + "assess", "web1", lambda _host: "default", result, {"CVE-1": 3})
    assert told["evidence"]["packages"] == packages
    assert (told["evidence"]["truncated"], told["evidence"]["cut"]) == (True, ["old_code"])


def test_a_long_reason_is_marked_too():
    result = {"results": [{"remedy": "CVE-1", "state": "refused", "reason": "no " * 1000}]}
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    (told,) = by.hear(events.PREFIX + "patch", "web1", lambda _host: "default", result, {"CVE-1": 3})
    assert told["evidence"]["truncated"] is True


def test_ten_megabytes_cost_no_more_in_the_callback():
    answer = {name: dict(answers(VALUES[name])) for name in ("long", "escapes")}
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    tracemalloc.start()
    try:
        for result in answer["long"].items():
            by.hear(events.PREFIX + result[0], "web1", lambda _host: "default", result[1], {"CVE-1": 3})
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # bytes; the string itself was there before


def test_what_a_case_keeps_of_an_entry_is_short():
    """A case holds all its entries: their texts are names and times, not stories."""
    texts = dict.fromkeys(("mitigation", "owner", "expires_at", "persists", "ttl_seconds"), "x" * 900)
    result = {"results": [{"remedy": "CVE-1", "state": "applied", "entry": ENTRY, **texts}]}
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    (told,) = by.hear(events.PREFIX + "mitigation", "web1", lambda _host: "default", result, {"CVE-1": 3})
    assert len(json.dumps(told["evidence"])) < 2000
    assert told["evidence"]["truncated"] is True


def test_one_answer_cannot_grow_without_end_in_the_spool():
    """Each line of a history repeats what its entry says: many entries with long histories would be gigabytes."""
    line = {"state": "applied", "at": AT}
    item = {"remedy": "CVE-1", "mitigation": "m", "state": "applied", "history": [line] * 100, "reason": "r" * 5000}
    actions = [{"type": "t" * 900, "resource": "r" * 900, "changed": True}] * 20
    many = [{**item, "entry": f"E{number}", "actions": actions} for number in range(1100)]
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    for action, key in (("mitigation", "results"), ("journal_info", "entries")):
        told = by.hear(events.PREFIX + action, "web1", lambda _host: "default", {key: many}, {"CVE-1": 3})
        assert sum(len(json.dumps(one)) for one in told[::100]) * 100 < 200_000_000
        assert len(told) <= 20_001
    assert told[-1]["evidence"]["truncated"] is True  # of the journal: what is missing here is not gone


def test_both_sides_clean_alike():
    every = "".join(map(chr, range(0x110000)))
    assert bounds.clean(every, len(every)) == ledger_events.clean(every, len(every))
    assert harmless(bounds.clean(every, len(every)))


# --- the border of a spool line ------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(reason=st.text(st.characters(), max_size=1100), evidence=st.dictionaries(st.text(max_size=5), JSON_VALUES))
def test_whatever_a_line_says_is_kept_clean_and_stays_so(reason, evidence):
    once = ledger_events.parse_event(raw_event(reason=reason, evidence=evidence))
    assert harmless(once.reason + spelled(once.evidence))
    spelled(once.evidence).encode("utf-8")
    raw = {name: getattr(once, name) for name in ledger_events.FIELDS} | {
        "evidence": json.loads(spelled(once.evidence))
    }
    assert ledger_events.parse_event(raw) == once  # so an export of it can be imported


@pytest.mark.parametrize("name", VALUES)
def test_an_honest_line_is_cut_to_size_and_never_lost(name):
    value = VALUES[name]
    evidence = {"code": "below_fixed", "a": value, "b": [value]}
    reason = value if isinstance(value, str) else "r"
    kept = ledger_events.parse_event(raw_event(reason=reason, evidence=evidence))
    assert kept.evidence["code"] == "below_fixed"
    assert len(kept.reason) <= ledger_events.REASON_LIMIT
    assert len(spelled(kept.evidence)) <= ledger_events.EVIDENCE_LIMIT
    assert harmless(kept.reason + spelled(kept.evidence))
    json.loads(spelled(kept.evidence), parse_constant=pytest.fail)
    is_cut = name in ("long", "deep", "wide", "many keys", "a long key")
    assert kept.evidence.get("truncated", False) is is_cut


BOMBS = {
    "1e999": b"1e999",
    "a number of 4000 digits": b"9" * 4000,
    "a number of a million digits": b"9" * 200_000,
    "NaN": b"NaN",
    "deep": b"[" * 60_000 + b"]" * 60_000,
    "cut deep": b"[" * 200_000,
    "the same key again": b'{"a": 1, "a": 2}',
    "half a pair": rb'"\ud800"',
    "windows-1252": b'"caf\xe9"',
    "utf-16": '"x"'.encode("utf-16"),
    "a raw escape": b'"\x1b[2J"',
    "a raw NUL": b'"\x00"',
    "exponents": b"[" + b",".join([b"1e308"] * 10_000) + b"]",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_kept_harmless_or_refused_in_a_sentence(name):
    line = json.dumps(raw_event(evidence={"a": "BOMB"})).encode().replace(b'"BOMB"', BOMBS[name])
    try:
        kept = ledger_events.parse_line(line)
    except BadEvent as error:
        said, kept = str(error), None
    if kept is None:
        assert harmless(said)
        assert len(said) < 400
    else:
        assert harmless(spelled(kept.evidence))
        json.loads(spelled(kept.evidence), parse_constant=pytest.fail)
        assert len(spelled(kept.evidence)) <= ledger_events.EVIDENCE_LIMIT


# --- and out again -------------------------------------------------------------------------------------------------


@pytest.fixture
def hostile_fleet(state, tmp_path, monkeypatch):
    """A ledger that hosts filled with all of it, through the callback's spool, and through lines nobody cleaned."""
    monkeypatch.chdir(tmp_path)
    spool = SpoolFile(str(state / "spool"), events.uuid7())
    for number, value in enumerate(VALUES.values()):
        for told in hear(value, f"h{number}"):
            spool.write(told)
    spool.close()
    with open(state / "spool" / "raw.jsonl", "wb") as raw:
        for number, text in enumerate(TEXTS.values()):
            text = text[:50_000]
            evidence = {
                "mitigation": text,
                "entry": text,
                "owner": text,
                "persists": text,
                "heard_at": AT,
                text[:300]: 1,
            }
            more = {"host": f"r{number}", "reason": text, "evidence": evidence}
            for said in ({}, {"kind": "mitigation", "verdict": "applied"}, {"kind": "patch", "verdict": "refused"}):
                raw.write(json.dumps(raw_event(**more, **said)).encode() + b"\n")
        for bomb in BOMBS.values():
            raw.write(bomb + b"\n")
        raw.write(b"x" * 10_000_000)
    told = list(service.ingest(state / "spool"))
    assert sum(one.events for one in told) > 200
    bad = [sentence for one in told for sentence in one.bad]
    assert all(harmless(one) and len(one) < 500 for one in bad)
    return state


def run(*words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["stopgap", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
    return ended.value.code


READERS = (
    ("status",), ("status", "--by-risk"), ("debt",), ("measures",), ("ledger", "check"), ("ledger", "verify"),
    ("ledger", "review"), ("risk", "explain", "h0", "CVE-1"), ("risk", "explain", "r0", "CVE-1"),
)  # fmt: skip
JSON_READERS = (
    ("status", "--json"), ("debt", "--json"), ("measures", "--json"), ("ledger", "verify", "--json"),
    ("risk", "explain", "h0", "CVE-1", "--json"),
)  # fmt: skip


def test_it_comes_out_harmless_everywhere(hostile_fleet, tmp_path, capfdbinary, monkeypatch):
    for words in READERS:
        assert run(*words) in (0, 3, 4), words
        out, err = (part.decode("utf-8") for part in capfdbinary.readouterr())
        assert harmless(out + err, also="\n"), words
        assert max(map(len, out.splitlines())) < 4000, words
    for words in JSON_READERS:
        assert run(*words) in (0, 3, 4), words
        out = capfdbinary.readouterr().out.decode("utf-8")
        assert len(out) < 5_000_000, words
        assert_harmless_values(json.loads(out, parse_constant=pytest.fail))
    assert service_cases_are_bounded()
    assert not list(tmp_path.rglob(f"*{MARKER}*"))


@only_sqlite  # what is asked of the ledger is its JSON, the same on either
def test_as_an_inventory_it_is_names_of_states_only(hostile_fleet, tmp_path):
    (tmp_path / "fleet.stopgap.yml").write_text("plugin: ledger\n")
    command = [Path(sys.executable).parent / "ansible-inventory", "-i", tmp_path / "fleet.stopgap.yml", "--list"]
    environ = os.environ | {"ANSIBLE_CONFIG": str(TOP / "ansible.cfg")}
    done = subprocess.run(command, cwd=TOP, env=environ, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    assert harmless(done.stdout, also="\n")
    assert told.pop("_meta")["hostvars"] == {}
    assert all(name == "all" or re.fullmatch("[a-z0-9_]+", name) for name in told)
    assert not list(TOP.glob(f"*{MARKER}*")) + list(tmp_path.rglob(f"*{MARKER}*"))


def test_rich_on_a_terminal_is_harmless_too(hostile_fleet, capfdbinary, monkeypatch):
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for words in (("status",), ("debt",)):
        run(*words)
        out = plain(capfdbinary.readouterr().out.decode("utf-8"))
        assert harmless(out, also="\n"), words


def test_it_is_exported_imported_and_whole(hostile_fleet, tmp_path, monkeypatch):
    lines = []
    with reading(open_ledger()) as connection:
        assert verify(connection).broken == 0
        assert book.differences(connection) == []
        export(connection, lines.append)
    assert all(harmless(line.decode("utf-8"), also="\n") and line.count(b"\n") == 1 for line in lines)
    monkeypatch.setenv("STOPGAP_STATE_DIR", str(tmp_path / "other"))
    monkeypatch.delenv("STOPGAP_LEDGER_URL", raising=False)
    with writing(open_ledger()) as connection:
        assert bring_in(connection, io.BytesIO(b"".join(lines))).new == len(lines) - 2
        assert book.differences(connection) == []


@pytest.mark.parametrize("name", VALUES)
def test_an_import_that_is_not_clean_is_refused_whole(name, state):
    """With honest hashes: whoever sends it knows the code."""
    row = raw_event(evidence={"a": VALUES[name]}, reason="r") | {"writer": events.uuid7(), "seq": 1, "recorded_at": AT}
    try:
        row["hash"] = link("", row | {"evidence": spelled(row["evidence"])})
        line = spelled(row).encode("utf-8", "surrogatepass")
    except (UnicodeEncodeError, RecursionError):
        row["hash"], line = "f" * 64, json.dumps(row).encode()
    first = {"stopgap_ledger": 1, "writer": row["writer"], "events": 1, "chains": 1}
    clean = ledger_events.parse_event(raw_event(evidence={"a": VALUES[name]}))
    if spelled(clean.evidence) == spelled({"a": VALUES[name]}):
        return
    with writing(open_ledger()) as connection, pytest.raises(BadExport, match=r"^line 2: ") as refused:
        bring_in(connection, io.BytesIO(json.dumps(first).encode() + b"\n" + line + b"\n"))
    assert harmless(str(refused.value))
    assert len(str(refused.value)) < 700


@pytest.mark.parametrize("name", TEXTS)
def test_the_progress_of_a_run_is_harmless(name, capfdbinary, monkeypatch):
    text = TEXTS[name]
    request = RunRequest("mitigate", check=True, verbosity=1)
    for terminal in (False, True):
        monkeypatch.setattr("rich.console.Console.is_terminal", terminal)
        with Progress(request) as progress:
            progress.take(StepStarted(text))
            progress.take(HostAnswered("web1", text, "x.assess", "failed", {"msg": text, "warnings": [text]}, text))
            results = [{"remedy": text, "state": "would_" + text, "mitigation": text}, text]
            progress.take(HostAnswered("web1", text, "x.mitigation", "ok", {"results": results}, text))
            progress.take(Changed("web1", text))
            progress.take(Said(text))
        case = {"remedy": text, "state": text, "reason": text, "waiting_for": text, "met": False}
        show_result(request, RunResult(cases={"web1": [case]}, failures={"a": text}, unreachable={"b": text}))
        out = plain(capfdbinary.readouterr().out.decode("utf-8"))
        assert harmless(out, also="\n")
        assert len(out) < 100_000
    assert "\N{BOMB}" not in out


def plain(text):
    """Without what our own display says to a terminal: colours, the cursor, one line rewritten."""
    return re.sub("\x1b\\[[0-9;?]*[A-Za-z]|\r", "", text)


def assert_harmless_values(value):
    if isinstance(value, dict):
        for key, item in value.items():
            assert harmless(key)
            assert_harmless_values(item)
    elif isinstance(value, list):
        for item in value:
            assert_harmless_values(item)
    elif isinstance(value, str):
        assert harmless(value)


def service_cases_are_bounded():
    """A case is a row that every reader reads: no host makes it megabytes."""
    with reading(open_ledger()) as connection:
        rows = [dict(row) for row in connection.execute(sa.select(cases)).mappings()]
        count = connection.scalar(sa.select(sa.func.count()).select_from(events_table))
    assert len(rows) >= len(VALUES)
    assert count > 200
    return max(sum(len(str(value)) for value in row.values()) for row in rows) < 200_000
