"""`stopgap measures` as a user runs it."""

import json
import sys
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from tests.unit.ledger.makers import event
from tests.unit.measures.conftest import exposed, fixed, mitigated
from tests.unit.measures.makers import moment
from tests.unit.risk.conftest import stopgap  # noqa: F401 - a fixture

from stopgap.cli.main import main
from stopgap.ledger.store import open_ledger, writing
from stopgap.ledger.tables import cases

DAY = 86400


@pytest.fixture
def measures(monkeypatch, capsys):
    """In this process: what is measured is what is shown, not how Python starts."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["stopgap", "measures", *words])
        with pytest.raises(SystemExit) as end:
            main()
        shown = capsys.readouterr()
        return SimpleNamespace(returncode=end.value.code, stdout=shown.out, stderr=shown.err)

    return run


@pytest.fixture
def told(measures):
    def run(*words):
        done = measures(*words, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_whole_fleet(fleet, told):
    whole = told()["all"]
    effect = whole["times"]["effect"]
    assert (effect["cases"], effect["happened"], effect["still_open"], effect["over_without"]) == (5, 3, 2, 0)
    assert effect["median_seconds"] == 3 * DAY
    assert effect["ninetieth_percentile_seconds"] is None
    assert [(step["seconds"], step["at_risk"]) for step in effect["curve"]] == [(DAY, 5), (2 * DAY, 4), (3 * DAY, 3)]
    assert whole["times"]["mitigate"]["over_without"] == 3
    assert whole["cases"] == 5
    assert whole["due"]["open"] == 2


def test_by_team(fleet, told):
    groups = {group["name"]: group for group in told("--by", "team")["groups"]}
    assert list(groups) == ["ann", "bob"]
    assert groups["ann"]["times"]["effect"]["median_seconds"] == 2 * DAY
    assert groups["bob"]["times"]["effect"]["median_seconds"] is None


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("remedy", ["CVE-1", "CVE-2024-6387"]),
        ("severity", ["not scored", "high"]),
        ("estate", ["default"]),
    ],
)
def test_by_the_others(fleet, by, names, told):
    assert [group["name"] for group in told("--by", by)["groups"]] == names


def test_the_table_shows_what_is_not_reached_and_never_a_number_for_it(fleet, measures):
    lines = measures("--by", "team").stdout.splitlines()
    assert lines[0] == "all episodes"
    effect = [line for line in lines if " effect " in line]
    assert effect[0].split()[:6] == ["all", "effect", "5", "3", "2", "0"]
    assert effect[0].endswith("not reached yet")
    assert effect[1].split()[:7] == ["ann", "effect", "4", "3", "1", "0", "2d"]
    assert any(line.startswith("cases at the end of each day") for line in lines)


def test_only_episodes_that_began_in_the_span(fleet, told):
    assert told("--since", "2026-03-02")["all"]["times"]["effect"]["cases"] == 1
    assert told("--until", "2026-03-02")["all"]["times"]["effect"]["cases"] == 4
    assert told("--since", "2026-03-01", "--until", "2026-03-03")["all"]["times"]["effect"]["cases"] == 5
    assert told("--remedy", "CVE-2024-6387")["all"]["times"]["effect"]["cases"] == 1
    assert told("--until", "9999-12-31")["all"]["times"]["effect"]["cases"] == 5
    assert told("--until", "0001-01-01")["all"]["times"]["effect"]["cases"] == 0


def test_exposure_day_by_day(fleet, told):
    days = told("--since", "2026-03-01", "--until", "2026-03-04")["exposure"]
    assert days == [
        {"day": "2026-03-01", "exposed": 3, "mitigated": 1, "patched": 0},
        {"day": "2026-03-02", "exposed": 2, "mitigated": 1, "patched": 0},
        {"day": "2026-03-03", "exposed": 2, "mitigated": 1, "patched": 0},
        {"day": "2026-03-04", "exposed": 1, "mitigated": 1, "patched": 0},
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "yesterday"), "--since 'yesterday' is no day: write it as 2026-11-22"),
        (("--until", "2026-02-30"), "--until '2026-02-30' is no day"),
        (("--since", "9998-01-01"), "is still to come"),
        (("--since", "2026-03-02", "--until", "2026-03-01"), "is after --until"),
        (("--since", "0001-01-01"), "take a later one"),
        (("--by", "colour"), "colour"),
    ],
)
def test_bad_words_are_told(state, words, said, measures):
    done = measures(*words)
    assert done.returncode == 1
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_an_empty_ledger(state, told, measures):
    assert "nothing to measure" in measures().stdout
    nothing = told()
    assert nothing["all"]["times"]["effect"]["cases"] == 0
    assert not (state / "ledger.sqlite").exists()


def test_no_such_remedy(fleet, measures):
    assert "No case matches that was ever affected" in measures("--remedy", "CVE-9").stdout


def test_silent_after_it_was_closed_stays_closed(record, told):
    told_before = {"code": "not_installed"}
    record(
        exposed("web1", 1),
        event(host="web1", at=moment(3), verdict="not_affected", evidence=told_before),
        event(host="web1", at=moment(5), verdict="unknown", evidence={"code": "unreachable"}),
    )
    whole = told()["all"]
    assert whole["times"]["effect"]["over_without"] == 1
    assert whole["due"]["open"] == 0


def test_silent_after_a_proof_that_could_not_be_repeated_is_open_as_risk_has_it(record, told, stopgap):  # noqa: F811
    record(
        exposed("web1", 1),
        *fixed("web1", 2),
        event(host="web1", at=moment(3), kind="verified", verdict="unknown", evidence={"phase": "fix"}),
        event(host="web1", at=moment(5), verdict="unknown", evidence={"code": "unreachable"}),
    )
    whole = told()["all"]
    assert (whole["times"]["effect"]["happened"], whole["due"]["open"], whole["due"]["past_due"]) == (1, 1, 1)
    _, out, _ = stopgap("status", "--by-risk", "--json")
    assert json.loads(out)["summary"]["past_due"] == 1


LOST = {"kind": "verified", "verdict": "fail", "evidence": {"phase": "mitigation", "mitigation": "limits"}}
LIFTED = {"kind": "mitigation", "verdict": "lifted", "evidence": {"entry": "E-web1", "heard_at": moment(3)}}
GONE = {"kind": "journal", "verdict": "seen", "remedy": "", "revision": 0, "evidence": {"in_force": []}}
REBUILT = GONE | {"evidence": {"in_force": [], "host_id": "b" * 64}}


@pytest.mark.parametrize("what", [LOST, LIFTED, GONE, REBUILT], ids=["lost", "lifted", "gone", "rebuilt"])
def test_silent_after_its_mitigation_was_lost_is_exposed_and_not_mitigated(what, record, told):
    record(
        exposed("web1", 1),
        event(host="web1", at=moment(1), kind="journal", verdict="seen", remedy="", revision=0,
              evidence={"in_force": [], "host_id": "a" * 64}),
        *mitigated("web1", 2),
        event(host="web1", at=moment(3), **what),
        event(host="web1", at=moment(4), verdict="unknown", evidence={"code": "unreachable"}),
    )  # fmt: skip
    today = told()["exposure"][-1]
    assert (today["exposed"], today["mitigated"], today["patched"]) == (1, 0, 0)


def test_never_assessed_and_its_mitigation_lifted_is_exposed_and_not_mitigated(record, told):
    record(*mitigated("web1", 2), event(host="web1", at=moment(3), **LIFTED))
    today = told()["exposure"][-1]
    assert (today["exposed"], today["mitigated"], today["patched"]) == (1, 0, 0)


def test_what_another_version_kept_of_a_silent_host_is_open_all_the_same(record, told):
    record(
        exposed("web1", 1),
        *fixed("web1", 2),
        event(host="web1", at=moment(3), kind="verified", verdict="unknown", evidence={"phase": "fix"}),
        event(host="web1", at=moment(5), verdict="unknown", evidence={"code": "unreachable"}),
    )
    with writing(open_ledger()) as connection:
        connection.execute(sa.update(cases).values(folded='{"format":0}'))
    assert told()["all"]["due"]["open"] == 1


def test_an_earlier_episode_counts_with_its_lifting(record, told):
    lifted = {"mitigation": "limits", "entry": "E-web1", "heard_at": moment(5)}
    record(
        exposed("web1", 1),
        *mitigated("web1", 2),
        *fixed("web1", 4),
        event(host="web1", at=moment(5), kind="mitigation", verdict="lifted", evidence=lifted),
        exposed("web1", 8),
    )
    times = told()["all"]["times"]
    assert (times["effect"]["happened"], times["effect"]["still_open"]) == (1, 1)
    assert (times["lift"]["happened"], times["lift"]["median_seconds"]) == (1, DAY)


def test_past_due_by_the_site_s_policy_and_accepted_apart(record, told, tmp_path):
    policy = tmp_path / "policy.yml"
    policy.write_text("apiVersion: stopgap/v1\nrules: [{days: 1, why: ours}]\n")
    record(*(exposed(f"web{number}", 1) for number in range(4)))
    until = {"until": "2999-01-01T00:00:00.000000Z"}
    record(event(host="web0", at=moment(2), kind="accepted", verdict="accepted", reason="why", evidence=until))
    due = told("--policy", str(policy))["all"]["due"]
    assert due == {"open": 4, "past_due": 4, "accepted": 1, "no_date": 0, "share_past_due": 0.75}
    policy.write_text("apiVersion: stopgap/v1\nrules: [{next_upgrade: true, why: ours}]\n")
    assert told("--policy", str(policy))["all"]["due"]["no_date"] == 4


def test_a_policy_that_cannot_be_read(fleet, measures):
    done = measures("--policy", "/nowhere.yml")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the policy cannot be read" in done.stderr
