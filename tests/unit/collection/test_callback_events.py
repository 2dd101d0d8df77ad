"""From results to events: who may say what, ids that repeat, and answers of hosts that are not answers."""

import json
import os
import subprocess
import sys
import uuid
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.stopgap.remediation.plugins.plugin_utils import about, events, extension, witness
from ansible_collections.stopgap.remediation.plugins.plugin_utils.spool import SpoolFile
from stopgap.ledger.events import parse_event, parse_line

AT = "2026-11-21T17:00:00.123456Z"
ENTRY = "20261121T170000Z-0a1b2c3d"
ASKED = {"CVE-1": 3, "CVE-2": 1}
HOSTILE = ["\x1b[2J", "a\x00b", "\ud800", "\u202eevil", "x" * 100_000, {"a": {}}, [], None, 7, float("nan"), 10**5000]


def hear(action, result, trouble="", host="web1", asked=ASKED, by=None, wish=None):
    by = by or witness.Witness(events.uuid7(), "ann", "laptop")
    told = by.hear(events.PREFIX + action, host, lambda _host: "default", result, asked, trouble, wish)
    for one in told:
        parse_line(json.dumps(one).encode())  # the ledger takes all we make
    return told


def held(**changes):
    history = [{"state": "intended", "at": AT}, {"state": "applied", "at": AT}]
    item = {"remedy": "CVE-1", "revision": 3, "mitigation": "m", "state": "applied", "entry": ENTRY, "reason": "done"}
    return {**item, "history": history, "owner": "ann", "expires_at": AT, "persists": "always", **changes}


def test_uuid7_is_one_and_tells_its_time():
    made = uuid.UUID(events.uuid7())
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert abs((made.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 5


def test_journal_ids_repeat_and_differ():
    name = events.journal_id(AT, "default", "web1", ENTRY, "applied")
    assert name == events.journal_id(AT, "default", "web1", ENTRY, "applied")
    assert uuid.UUID(name).int >> 80 == int(datetime.fromisoformat(AT).timestamp() * 1000)
    others = {
        events.journal_id(AT, *who)
        for who in [
            ("lab", "web1", ENTRY, "applied"),
            ("default", "web2", ENTRY, "applied"),
            ("default", "web1", ENTRY, "lifted"),
        ]
    }
    assert len(others | {name}) == 4


def test_a_sync_gives_the_events_the_run_gave():
    run = {one["id"] for one in hear("mitigation", {"results": [held()]})}
    sync = {
        one["id"] for one in hear("journal_info", {"entries": [held()], "host_id": "x"}) if one["kind"] != "journal"
    }
    assert run == sync
    assert len(run) == 2


def test_every_remedy_asked_gets_an_answer():
    told = hear(
        "assess", {"assessments": [{"remedy": "CVE-1", "state": "exposed", "code": "below_fixed", "reason": "old"}]}
    )
    assert [(one["remedy"], one["verdict"], one["revision"]) for one in told] == [
        ("CVE-1", "exposed", 3),
        ("CVE-2", "unknown", 1),
    ]


def test_a_failed_assessment_is_unknown_with_its_message():
    told = hear("assess", {"msg": "no python"}, trouble="no python")
    assert {(one["verdict"], one["reason"]) for one in told} == {("unknown", "assessment failed: no python")}


def test_a_host_speaks_of_itself_and_of_what_it_was_asked():
    forged = {"host": "other", "actor": "root", "run": "x", "origin": "awx", "estate": "prod", "id": "1", "at": "then"}
    item = {"remedy": "CVE-1", "state": "exposed", "code": "below_fixed", "reason": "", **forged}
    stranger = {**item, "remedy": "CVE-9"}
    told = hear("assess", {"assessments": [item, stranger], **forged})
    assert {one["remedy"] for one in told} == set(ASKED)
    assert {(one["host"], one["actor"], one["origin"], one["estate"]) for one in told} == {
        ("web1", "ann", "laptop", "default")
    }


@pytest.mark.parametrize("action", ["assess", "mitigation", "patch", "journal_info"])
@pytest.mark.parametrize("junk", HOSTILE, ids=lambda junk: repr(junk)[:20] if not isinstance(junk, int) else "number")
def test_junk_from_a_host_makes_events_the_ledger_takes(action, junk):
    item = held(
        reason=junk, evidence={"a": junk}, code=junk, owner=junk, expires_at=junk, packages=junk, actions=[junk]
    )
    for state in ("exposed", "applied", "refused", junk):
        for name in ("CVE-1", junk):
            one = {**item, "state": state, "remedy": name}
            hear(action, {"assessments": [one, junk], "results": [one, junk], "entries": [one, junk], "host_id": junk})
    hear(action, {"assessments": junk, "results": junk, "entries": junk})
    hear(
        action,
        {"results": [held(history=[{"state": "applied", "at": junk}], entry=ENTRY)], "entries": [held(entry=junk)]},
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(
    action=st.sampled_from(sorted(events.TELLERS)),
    value=JSON,
    verdict=st.sampled_from([*events.STATES, "pass", "failed"]),
)
def test_any_answer_makes_events_the_ledger_takes(action, value, verdict):
    item = {
        "remedy": "CVE-1",
        "state": verdict,
        "verdict": verdict,
        "reason": value,
        "evidence": value,
        "checks": value,
    }
    result = {
        "assessments": [item],
        "results": [item] if "verify" not in action else {"web1": [item]},
        "entries": value,
    }
    hear(action.removeprefix(events.PREFIX), result)


def test_a_long_journal_never_makes_the_rest_look_gone():
    entries = [held(entry=f"20261121T170000Z-{n:08x}", history=[]) for n in range(events.IN_FORCE_LIMIT + 5)]
    seen = hear("journal_info", {"entries": entries})[-1]
    assert seen["evidence"]["truncated"] is True
    odd = hear("journal_info", {"entries": [held(), {"remedy": "; rm"}]})[-1]
    assert odd["evidence"]["truncated"] is True
    assert "truncated" not in hear("journal_info", {"entries": [held()]})[-1]["evidence"]


def test_a_journal_that_could_not_be_read_says_nothing():
    assert hear("journal_info", {"msg": "boom"}, trouble="boom") == []
    assert hear("journal_info", {}) == []


def test_refusals_and_failures_are_kept_with_the_history():
    told = hear("mitigation", {"results": [held(state="refused", reason="somebody changed /etc/x")]}, trouble="")
    assert [one["verdict"] for one in told] == ["intended", "applied", "refused"]
    broken = hear("mitigation", {"msg": "module broke"}, trouble="module broke")
    assert [(one["remedy"], one["verdict"], one["reason"]) for one in broken] == [
        ("CVE-1", "failed", "module broke"),
        ("CVE-2", "failed", "module broke"),
    ]


def test_what_would_be_done_is_no_event():
    assert hear("patch", {"results": [{"remedy": "CVE-1", "state": "would_install"}]}) == []
    assert hear("mitigation", {"results": [held(state="would_apply", entry=None, history=[])]}) == []


def test_a_proof_names_the_entry_this_run_heard_of():
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    hear("mitigation", {"results": [held()]}, by=by)
    answer = {
        "remedy": "CVE-1",
        "phase": "mitigation",
        "mitigation": "m",
        "verdict": "pass",
        "reason": "",
        "checks": [],
    }
    told = hear("verify", {"results": {"web1": [answer], "web2": [answer]}}, by=by)
    assert [(one["host"], one["evidence"].get("entry")) for one in told] == [("web1", ENTRY), ("web2", None)]


def test_silence_is_told_once_when_the_remedies_are_known():
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    by.hear_silence("web1", "timed out")
    assert by.silences(lambda _host: "lab") == []
    by.hear_remedies([{"id": "CVE-1", "revision": 2}, {"id": "; rm -rf"}, 7])
    (told,) = by.silences(lambda _host: "lab")
    assert (told["verdict"], told["evidence"]["code"], told["revision"], told["estate"]) == (
        "unknown",
        "unreachable",
        2,
        "lab",
    )
    assert parse_event(told).reason == "unreachable: timed out"
    assert by.silences(lambda _host: "lab") == []


@pytest.mark.parametrize(
    ("variables", "environ", "origin"),
    [
        ({}, {}, "laptop"),
        ({"awx_job_id": 7}, {}, "awx"),
        ({}, {"JOB_ID": "7"}, "awx"),
        ({}, {"MOLECULE_SCENARIO_NAME": "default"}, "molecule"),
    ],
)
def test_origin(variables, environ, origin):
    assert witness.origin_of(variables, environ) == origin


def test_actor(monkeypatch):
    assert witness.actor_of({"awx_user_name": "ann"}, {}) == "ann"
    monkeypatch.setattr(witness.getpass, "getuser", lambda: "root")
    assert witness.actor_of({}, {"SUDO_USER": "bob"}) == "bob"
    assert witness.actor_of({}, {}) == "root"


def test_run_may_be_named_beforehand():
    given_name = "01a1ff3a-cf6e-7395-9742-248dd26742d3"
    assert witness.run_of({"STOPGAP_RUN": given_name}) == given_name
    assert uuid.UUID(witness.run_of({"STOPGAP_RUN": "../../x"})).version == 7


def test_a_write_cut_short_costs_one_line(tmp_path, monkeypatch):
    spool = SpoolFile(str(tmp_path / "spool"), "run")
    spool.write({"a": 1})
    real = __import__("os").write
    with monkeypatch.context() as full:
        full.setattr("os.write", lambda fd, data: real(fd, data[:4]))
        with pytest.raises(OSError, match="only part"):
            spool.write({"b": 2})
    spool.write({"c": 3})
    spool.close()
    lines = (tmp_path / "spool" / "run.jsonl").read_text().splitlines()
    assert (lines[0], lines[-1], len(lines)) == ('{"a":1}', '{"c":3}', 3)
    assert (tmp_path / "spool" / "run.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "spool").stat().st_mode & 0o777 == 0o700


def is_free(file):
    """Whether a delivery, which is another process, could take it."""
    ask = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    return subprocess.run([sys.executable, "-c", ask, file], capture_output=True, check=False).returncode == 0


def test_p03_a_spool_file_is_held_until_it_is_whole_and_then_on_disk(tmp_path, monkeypatch):
    file, flushed = tmp_path / "spool/run.jsonl", []
    spool = SpoolFile(str(file.parent), "run")
    spool.write({"a": 1})
    assert not is_free(file)
    monkeypatch.setattr("os.fsync", lambda fd: flushed.append(os.fstat(fd).st_ino))
    spool.close()
    assert (is_free(file), flushed) == (True, [file.stat().st_ino])


def test_p03_a_run_of_the_same_name_loses_none_of_the_events_before_it(tmp_path):
    for number in (1, 2):
        spool = SpoolFile(str(tmp_path / "spool"), "run")
        spool.write({"run": number})
        spool.close()
    assert sorted(path.read_text() for path in tmp_path.glob("spool/*.jsonl")) == ['{"run":1}\n', '{"run":2}\n']


def test_a_long_history_keeps_its_end_and_its_places():
    history = [{"state": state, "at": AT} for state in ("intended", "applied") * 80]
    told = hear("mitigation", {"results": [held(history=history)]})
    assert len(told) == events.HISTORY_LIMIT
    assert (told[-1]["evidence"]["step"], told[-1]["verdict"]) == (159, "applied")


def assessment(**changes):
    return {"remedy": "CVE-1", "state": "exposed", "code": "below_fixed", "reason": "1 < 2", "evidence": {}, **changes}


def test_an_assessment_names_the_distribution_and_the_machine():
    system = {"distro": "debian-12", "host_id": "ab" * 16, "kernel": "6.1", "arch": "amd64"}
    (told, silent) = hear("assess", {"system": system, "assessments": [assessment()]})
    assert (told["evidence"]["distro"], told["evidence"]["host_id"]) == ("debian-12", "ab" * 16)
    assert "distro" not in silent["evidence"]
    for junk in (None, [], {"distro": 7, "host_id": ["x"]}, {"distro": "", "host_id": None}):
        assert set(hear("assess", {"system": junk, "assessments": [assessment()]})[0]["evidence"]) == {"code"}


def test_a_host_adds_nothing_to_what_it_was_assessed_on():
    """`heard_at` would choose its place among all facts, `about` its own urgency."""
    smuggled = {"heard_at": AT, "about": {"exposure": "isolated"}, "distro": "x-1", "found": True, "extends_to": AT}
    evidence = {"packages": [], "when": [], "old_code": [], "mitigation": None}
    (told, _silent) = hear("assess", {"assessments": [assessment(evidence={**evidence, **smuggled})]})
    assert told["evidence"] == {**evidence, "code": "below_fixed"}


def test_what_the_site_says_of_a_host_goes_with_every_assessment_of_it():
    def say(host):
        return {"web1": {"exposure": "internet"}, "web2": {"owner": "ann"}}.get(host, {})

    by = witness.Witness(events.uuid7(), "ann", "laptop", say)
    told = hear("assess", {"assessments": [assessment()]}, by=by)
    assert [one["evidence"]["about"] for one in told] == [{"exposure": "internet"}] * 2
    assert hear("assess", {"assessments": [assessment()]}, by=by, host="web3")[0]["evidence"]["about"] == {}
    assert "about" not in hear("mitigation", {"results": [held()]}, by=by)[0]["evidence"]
    by.hear_silence("web2", "timed out", {"CVE-1": 1})
    assert by.silences(lambda _host: "lab")[0]["evidence"]["about"] == {"owner": "ann"}


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("stopgap_exposure", "internet", "internet"),
        ("stopgap_criticality", "critical", "critical"),
        ("stopgap_owner", " web-team ", "web-team"),
        ("stopgap_owner", "a\x1b[2J", "a\ufffd[2J"),
        ("stopgap_exposure", None, None),
        ("stopgap_owner", "", None),
    ],
)
def test_words_about_a_host(variable, value, word):
    assert about.word_of(variable, value) == word


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("stopgap_exposure", "extranet"),
        ("stopgap_criticality", 3),
        ("stopgap_owner", ["a"]),
        ("stopgap_exposure", "LOW"),
    ],
)
def test_words_that_say_nothing_about_a_host(variable, value):
    with pytest.raises(about.BadWord):
        about.word_of(variable, value)


def test_what_a_journal_tells_was_found():
    run, found = hear("mitigation", {"results": [held()]}), hear("journal_info", {"entries": [held()]})
    assert [one["evidence"].get("found") for one in run] == [None, None]
    assert [one["evidence"].get("found") for one in found] == [True, True, None]


KNOWN = {"id": "00000000-0000-768f-aff0-99285644a645", "remedy": "CVE-1", "revision": 2, "evidence": {"fix": True}}


def test_what_is_known_of_a_remedy_is_told_once_a_run_and_of_no_host():
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    (told,) = by.hear_knowledge([KNOWN, KNOWN])
    assert by.hear_knowledge([KNOWN]) == []
    event = parse_event(told)
    assert (event.id, event.kind, event.verdict, event.revision) == (KNOWN["id"], "remedy", "known", 2)
    assert (event.estate, event.host, event.actor, event.evidence) == ("", "", "ann", {"fix": True})


@pytest.mark.parametrize("junk", [None, "x", [None, 7], [{**KNOWN, "id": "1"}], [{**KNOWN, "remedy": "; rm"}], [{}]])
def test_what_is_no_knowledge_is_no_event(junk):
    assert witness.Witness(events.uuid7(), "ann", "laptop").hear_knowledge(junk) == []


def proof(**changes):
    item = {"remedy": "CVE-1", "phase": "mitigation", "mitigation": "m", "verdict": "pass", "reason": "", "checks": []}
    return {"results": {"web1": [{**item, **changes}]}}


def wish(text, own=14 * 86400):
    mitigations = [{"id": "m", "ttl_seconds": own}]
    return extension.wish_of(
        {"extend": text, "reason": "window", "remedies": [{"id": "CVE-1", "mitigations": mitigations}]}
    )


def seconds_granted(told):
    until = told["evidence"].get("extends_to")
    return until and (datetime.fromisoformat(until) - datetime.fromisoformat(told["at"])).total_seconds()


def test_a_proof_extends_a_mitigation_by_what_was_asked_for():
    (told,) = hear("verify", proof(), wish=wish("3d"))
    assert seconds_granted(told) == 3 * 86400
    assert told["evidence"]["extends_why"] == "window"


def test_never_by_more_than_the_mitigation_s_own_time():
    asked = wish("8w", own=12 * 3600)
    assert seconds_granted(hear("verify", proof(), wish=asked)[0]) == 12 * 3600
    assert asked.told("CVE-1", "m") == "12h (its own; 8w was asked for)"
    assert wish("3d").told("CVE-1", "m") == "3d"


@pytest.mark.parametrize(
    "answer", [proof(verdict="fail"), proof(verdict="unknown"), proof(phase="fix"), proof(mitigation="other")]
)
def test_what_does_not_prove_the_mitigation_extends_nothing(answer):
    assert "extends_to" not in hear("verify", answer, wish=wish("3d"))[0]["evidence"]


@pytest.mark.parametrize("code", ["mitigation_lost", "mitigation_withdrawn"])
def test_checks_that_pass_extend_nothing_where_the_host_says_it_is_no_help(code):
    by = witness.Witness(events.uuid7(), "ann", "laptop")
    hear("assess", {"assessments": [assessment(code=code)]}, by=by)
    assert "extends_to" not in hear("verify", proof(), by=by, wish=wish("3d"))[0]["evidence"]
    hear("assess", {"assessments": [assessment(code="mitigation_in_force", state="mitigated")]}, by=by)
    assert "extends_to" in hear("verify", proof(), by=by, wish=wish("3d"))[0]["evidence"]


def test_no_answer_extends_by_itself():
    smuggled = {"extends_to": AT, "extends_why": "I say so", "evidence": {"extends_to": AT}}
    (told,) = hear("verify", proof(**smuggled))
    assert set(told["evidence"]) == {"phase", "mitigation", "checks"}
    for one in hear("mitigation", {"results": [held(**smuggled)]}) + hear(
        "journal_info", {"entries": [held(**smuggled)]}
    ):
        assert "extends_to" not in one["evidence"]


@pytest.mark.parametrize("text", ["14", "d", "0d", "14 d", "-1d", "1m", "99999d", "14d; rm"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="write a number and h, d or w"):
        wish(text)


def test_more_time_needs_a_reason():
    with pytest.raises(ValueError, match="set stopgap_reason"):
        extension.wish_of({"extend": "14d", "reason": " "})
    assert extension.wish_of({"extend": "", "reason": ""}) is None
