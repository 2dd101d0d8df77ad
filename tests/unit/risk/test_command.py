"""`stopgap risk` and `status --by-risk` as a user runs them."""

import json
import re

import pytest
from tests.unit.ledger.makers import START, event, moment, only_sqlite
from tests.unit.risk.conftest import exposed, known

from stopgap.ledger import debts
from stopgap.risk.feeds import FEEDS

CVE = "CVE-2021-44228"


def day(count):
    """So many days from the moment these tests play in, as the ledger spells it."""
    return moment(count * 24 * 60)


@pytest.fixture(autouse=True)
def now(monkeypatch):
    monkeypatch.setattr(debts, "utc_now", lambda: START)


@pytest.fixture
def fleet(record, stopgap, kev, epss):
    """web1 overdue; web2 found a day ago, nothing told; db1 isolated, mitigated; app1 clean; old1 never answered."""
    today = day(0)[:10]
    stopgap("risk", "update", "--kev", kev(today, CVE_2021_44228=("2021-12-10", "2021-12-24")), "--epss", epss(today))
    entry = {"mitigation": "no-jndi", "entry": "E1", "expires_at": day(9)}
    record(
        known(risk={"automatable": True}, aliases=["Log4Shell"], title="Log4j follows [bold]lookups[/bold]"),
        known(remedy="CVE-2024-6387", risk={"automatable": False, "technical_impact": "total"}),
        exposed("web1", day(-5), exposure="internet", criticality="high", owner="ann"),
        exposed("web2", day(-1)),
        exposed("db1", day(-2), remedy="CVE-2024-6387", exposure="isolated", criticality="low", owner="bob"),
        event(host="db1", remedy="CVE-2024-6387", kind="mitigation", verdict="applied", at=day(-2), evidence=entry),
        event(
            host="db1",
            remedy="CVE-2024-6387",
            kind="verified",
            verdict="pass",
            at=day(-1),
            evidence={"phase": "mitigation", **entry},
        ),
        event(host="app1", at=day(-9), remedy=CVE, verdict="not_affected", evidence={"code": "not_installed"}),
        event(host="old1", at=day(-9), remedy=CVE, verdict="unknown", evidence={"code": "unreachable"}),
    )


def accepted(host, until):
    return event(
        host=host,
        remedy=CVE,
        kind="accepted",
        verdict="accepted",
        at=day(0),
        reason="it is off",
        evidence={"until": until},
    )


@only_sqlite
def test_feeds_are_taken_and_shown(stopgap, kev, epss):
    code, out, err = stopgap("risk", "feeds")
    assert (code, out) == (0, "")
    assert "no CISA KEV feed is kept: `stopgap risk update --kev FILE|URL`" in err
    code, out, err = stopgap(
        "risk", "update", "--kev", kev("2024-01-03", CVE_2020_0001=("2020-01-01", "2020-01-02")), "--epss", "/none"
    )
    assert code == 1
    assert out == "CISA KEV of 2024-01-03: 1 CVEs\n"
    assert "stopgap: /none: No such file or directory. Nothing is kept yet" in err
    code, out, err = stopgap("risk", "update")
    assert code == 0
    assert "STALE" in out
    assert "the kept CISA KEV feed is" in err
    told = json.loads(stopgap("risk", "feeds", "--json")[1])
    assert [(one["name"], one["entries"], one["stale"]) for one in told["feeds"]] == [("kev", 1, True)]
    assert len(told["doubts"]) == 2


@only_sqlite
def test_every_feed_has_its_option(stopgap):
    shown = stopgap("risk", "update", "--help")[1]
    assert all(f"--{name}" in shown for name in FEEDS)


def test_a_case_tells_its_whole_story(fleet, stopgap):
    code, out, err = stopgap("risk", "explain", "web1", "log4shell")
    assert (code, err) == (0, "")
    for part in (
        "web1  CVE-2021-44228  Log4j follows [bold]lookups[/bold]",
        "due                OVERDUE by",
        "KEV                CVE-2021-44228 listed since 2021-12-10",
        "exposure           internet (the inventory, at the last assessment)",
        "automatable        yes (remedy CVE-2021-44228 revision 1, in the ledger since 2026-11-01)",
        "technical impact * total, assumed: the worse value (not told by remedy CVE-2021-44228 revision 1",
        "→  2026-11-19, 3 days from 2026-11-16: in KEV, publicly exposed, automatable, total technical impact",
        "-  2021-12-24: KEV's own due date for CVE-2021-44228, which had passed",
        "Look for a break-in before you fix",
        "`stopgap remediate CVE-2021-44228 -i INVENTORY -l web1`",
        "Tell it: `risk: {technical_impact: …}` in the remedy.",
    ):
        assert part in out


@only_sqlite
def test_the_story_as_json(fleet, stopgap):
    told = json.loads(stopgap("risk", "explain", "web1", CVE, "--json")[1])
    assert told["due"]["due_at"] == "2026-11-19T23:59:59.999999Z"
    assert (told["due"]["basis"], told["due"]["days"], told["due"]["forensics"]) == ("bod", 3, True)
    assert [(one["basis"], one["used"], one["decides"]) for one in told["dates"]] == [
        ("bod", True, True),
        ("kev", False, False),
    ]
    assert [one["name"] for one in told["facts"] if one["assumed"]] == ["technical impact", "severity"]
    assert all(sentence in told["explanation"] for sentence in told["next"])


@only_sqlite
def test_a_mitigated_an_unknown_and_a_closed_case(fleet, stopgap):
    db1 = stopgap("risk", "explain", "db1", "CVE-2024-6387")[1]
    assert "with the next upgrade" in db1
    assert "Mitigation no-jndi is in force, proven" in db1
    assert "it does not move the fix's due date" in db1
    assert "`stopgap fix CVE-2024-6387 -i INVENTORY -l db1`" in db1
    old1 = stopgap("risk", "explain", "old1", CVE)[1]
    assert "No due date: never known to be affected." in old1
    assert "`stopgap assess CVE-2021-44228 -i INVENTORY -l old1`" in old1
    app1 = stopgap("risk", "explain", "app1", CVE)[1]
    assert "Nothing is due: the case is not affected." in app1
    assert "Nothing to do." in app1


@only_sqlite
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("web9", CVE), "the ledger has no host 'web9'; near: web"),
        (("web1", CVE, "--estate", "moon"), "the ledger has no host 'web1' in estate 'moon'; near: web1"),
        (("web1", "CVE-2021-44229"), "no case of 'CVE-2021-44229' on web1; near: CVE-2021-44228; its cases: CVE-2021"),
        (("\x1b[2J", CVE), "the ledger has no host '\N{REPLACEMENT CHARACTER}[2J'"),
        (("web1", CVE, "--policy", "/none"), "the policy cannot be read"),
    ],
)
def test_a_question_about_nothing(fleet, stopgap, words, sentence):
    code, out, err = stopgap("risk", "explain", *words)
    assert (code, out) == (1, "")
    assert err.startswith(f"stopgap: {sentence}")
    assert "\x1b" not in err


@only_sqlite
def test_a_host_in_two_estates_has_to_be_named_with_its_own(fleet, record, stopgap):
    record(exposed("web1", day(-30)).__class__(**{**_plain(exposed("web1", day(-30))), "estate": "prod"}))
    code, _, err = stopgap("risk", "explain", "web1", CVE)
    assert code == 1
    assert "web1 is in several estates (default, prod): say which with --estate" in err
    code, out, _ = stopgap("risk", "explain", "web1", CVE, "--estate", "prod")
    assert code == 0
    assert f"`stopgap accept web1 {CVE} --estate prod --until DATE" in out


def _plain(told):
    return {name: getattr(told, name) for name in told.__slots__}


def test_an_id_that_is_an_alias_of_another_remedy_names_its_own_case(fleet, record, stopgap):
    record(known(remedy="SITE-1", aliases=[CVE, "Log4Shell"]), exposed("web1", day(-3), remedy="SITE-1"))
    code, out, _ = stopgap("risk", "explain", "web1", CVE.lower(), "--json")
    assert (code, json.loads(out)["remedy"]) == (0, CVE)
    code, _, err = stopgap("risk", "explain", "web1", "Log4Shell")
    assert code == 1
    assert "'Log4Shell' is an alias of several remedies (CVE-2021-44228, SITE-1): name the one you mean" in err


def test_the_order_of_work(fleet, stopgap):
    code, out, err = stopgap("status", "--by-risk")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["host", "remedy", "state", "due", "why"]
    assert [line.split()[0] for line in lines[1:-2]] == ["web1", "web2", "old1", "db1"]
    assert "OVERDUE" in lines[1]
    assert "in KEV since 2021-12-10; BOD 26-04: 3 days and forensic triage" in lines[1]
    assert lines[-2] == "4 open, 0 alarms, 2 exploited, 1 past due, 0 accepted"


@only_sqlite
def test_the_order_of_work_is_cut_after_the_worst(fleet, stopgap):
    lines = stopgap("status", "--by-risk", "--limit", "1")[1].splitlines()
    assert [line.split()[0] for line in lines[1:2]] == ["web1"]
    assert lines[2].startswith("and 3 more: --limit 0 shows all")
    assert len(stopgap("status", "--by-risk", "--limit", "0")[1].splitlines()) == 7


@only_sqlite
def test_the_order_of_work_as_json_and_by_filter(fleet, stopgap):
    told = json.loads(stopgap("status", "--by-risk", "--json")[1])
    assert [(one["host"], one["rank"]) for one in told["work"]] == [
        ("web1", "exploited"),
        ("web2", "exploited"),
        ("old1", "waiting"),
        ("db1", "waiting"),
    ]
    assert told["summary"] == {"open": 4, "alarms": 0, "exploited": 2, "past_due": 1, "accepted": 0}
    assert told["work"][0]["epss"] == 0.97
    assert [
        one["host"] for one in json.loads(stopgap("status", "--by-risk", "--json", "--state", "mitigated")[1])["work"]
    ] == ["db1"]
    assert "No open case here" in stopgap("status", "--by-risk", "--state", "fixed")[1]


def test_fail_on_overdue_names_the_breach_until_it_is_accepted(fleet, record, stopgap):
    code, _, err = stopgap("status", "--fail-on", "overdue", "--by-risk")
    assert code == 4
    assert "stopgap: web1 CVE-2021-44228: OVERDUE" in err
    assert err.endswith("stopgap: 1 case is past due, and nobody has accepted that\n")
    assert stopgap("status", "--fail-on", "overdue", "--host", "web2")[0] == 0
    way_out = "`stopgap accept web1 CVE-2021-44228 --until DATE --why WHY`"
    assert way_out in stopgap("risk", "explain", "web1", CVE)[1]
    record(accepted("web1", day(3)))
    assert "stopgap accept" not in stopgap("risk", "explain", "web1", CVE)[1]
    assert stopgap("status", "--fail-on", "overdue")[0] == 0
    for words in ("--by-risk",), ():
        rows = next(iter(json.loads(stopgap("status", "--host", "web1", *words, "--json")[1]).values()))
        assert rows[0]["flags"] == ["accepted"]
    last = stopgap("status", "--by-risk")[1].splitlines()[-3]
    assert last.startswith("web1")
    assert "accepted until 2026-11-24" in last
    assert "The risk is accepted until" in stopgap("risk", "explain", "web1", CVE)[1]


@only_sqlite
def test_a_feed_named_by_a_variable_that_is_not_set_is_refused(fleet, stopgap):
    """Without any option what is kept is shown: a timer would take that for an update."""
    code, out, err = stopgap("risk", "update", "--kev", "")
    assert (code, out) == (1, "")
    assert "--kev is empty: name a file or a URL" in err


@only_sqlite
def test_fail_on_names_the_estate_where_there_are_several(fleet, record, stopgap):
    record(exposed("web1", day(-5), estate="lab"))
    told = stopgap("status", "--fail-on", "overdue")[2]
    assert "stopgap: default/web1 CVE-2021-44228: OVERDUE" in told
    assert "stopgap: lab/web1 CVE-2021-44228: OVERDUE" in told


@only_sqlite
def test_fail_on_exposed(fleet, record, stopgap):
    assert stopgap("status", "--fail-on", "exposed", "--host", "db1")[0] == 0
    assert stopgap("status", "--fail-on", "exposed", "--host", "web2")[0] == 4
    record(accepted("web2", day(3)))
    assert stopgap("status", "--fail-on", "exposed", "--host", "web2")[0] == 0


@only_sqlite
def test_the_sites_policy_by_option_and_by_environment(fleet, stopgap, tmp_path, monkeypatch):
    file = tmp_path / "policy.yml"
    file.write_text("apiVersion: stopgap/v1\nrules:\n  - {days: 30, why: our own pace}\n")
    assert stopgap("status", "--fail-on", "overdue", "--policy", file)[0] == 0
    monkeypatch.setenv("STOPGAP_POLICY", str(file))
    assert stopgap("status", "--fail-on", "overdue")[0] == 0
    assert "our own pace (site policy, rule 1)" in stopgap("risk", "explain", "web1", CVE)[1]
    assert "good, 1 rule, first match decides" in stopgap("risk", "policy", "check", file)[1]
    file.write_text("apiVersion: stopgap/v1\nrules:\n  - {dayz: 30, why: our own pace}\n")
    code, out, _ = stopgap("risk", "policy", "check", file)
    assert (code, out.splitlines()[0]) == (
        1,
        f"{file}:3: unknown key 'dayz'; did you mean 'days'? (keys here: when, days, next_upgrade, forensics, why)",
    )
    code, _, err = stopgap("status", "--by-risk")
    assert code == 1
    assert f"stopgap: {file}:3: unknown key 'dayz'" in err


@only_sqlite
def test_an_empty_ledger(stopgap, state):
    assert stopgap("status", "--by-risk", "--fail-on", "overdue")[0] == 3  # nobody can know
    assert "the ledger is empty" in stopgap("risk", "explain", "web1", CVE)[2]
    assert not state.exists()


@only_sqlite
def test_a_terminal_of_80_columns(fleet, stopgap, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    shown = stopgap("risk", "explain", "web1", CVE)[1] + stopgap("status", "--by-risk")[1]
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
    assert [line for line in plain.splitlines() if len(line) > 80] == []
    assert "Log4j follows [bold]lookups[/bold]" in shown
    assert "─" in shown


def test_a_mitigation_that_was_lost_is_not_told_as_one_in_force(fleet, record, stopgap):
    failed = {"phase": "mitigation", "mitigation": "no-jndi", "entry": "E1"}
    told = {"kind": "verified", "verdict": "fail", "at": day(0), "evidence": failed}
    record(event(host="db1", remedy="CVE-2024-6387", **told))
    story = json.loads(stopgap("risk", "explain", "db1", "CVE-2024-6387", "--json")[1])
    assert story["until_then"][0].startswith("Mitigation no-jndi is LOST")
