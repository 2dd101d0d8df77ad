"""`stopgap recheck --due` with a real ledger and real plays; hosts refuse the connection at once."""

import fcntl
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.unit.ledger.makers import event, only_sqlite

from stopgap.cli import recheck_due
from stopgap.engine.model import ExitCode, RunResult
from stopgap.ledger.events import spelled
from stopgap.ledger.ids import new_id
from stopgap.ledger.store import open_ledger, reading
from stopgap.ledger.tables import events
from stopgap.recheck import alone, proofs
from stopgap.risk.work import find_policy

REMEDY, OTHER = "CVE-2023-44487", "CVE-2024-6387"
NOW = datetime.now(UTC)


def said(host, kind, verdict, hours_ago, remedy=REMEDY, **evidence):
    at = spelled(NOW - timedelta(hours=hours_ago))
    more = {"estate": evidence.pop("estate", "default"), "reason": "as told"}
    return event(id=new_id(at), at=at, host=host, kind=kind, verdict=verdict, remedy=remedy, evidence=evidence, **more)


def mitigated(host, hours_ago, remedy=REMEDY, **more):
    """In force and proven so many hours ago."""
    held = {"mitigation": "limits", "entry": f"E-{host}-{remedy}", **more}
    proof = {**held, "phase": "mitigation"}
    return [
        said(host, "assessed", "exposed", hours_ago, remedy, code="below_fixed", **more),
        said(host, "mitigation", "applied", hours_ago, remedy, **held, heard_at=spelled(NOW)),
        said(host, "verified", "pass", hours_ago, remedy, **proof),
    ]


def fixed(host, hours_ago, remedy=REMEDY):
    return [
        said(host, "assessed", "patched", hours_ago, remedy, code="awaiting_proof"),
        said(host, "verified", "pass", hours_ago, remedy, phase="fix"),
    ]


@pytest.fixture
def inventory(tmp_path):
    hosts = {f"web{number}": {} for number in range(1, 5)}
    refused = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ssh"}
    path = tmp_path / "hosts.json"
    path.write_text(json.dumps({"all": {"vars": refused, "hosts": hosts}}))
    return path


@pytest.fixture
def recheck(stopgap, inventory, monkeypatch):
    monkeypatch.delenv("STOPGAP_ESTATE", raising=False)

    def run(*words):
        code, out, err = stopgap("recheck", "--due", "-i", inventory, *words)
        assert code != 1 or err, (out, err)
        return code, (json.loads(out) if code != 1 and "--json" in words else out), err

    return run


@pytest.fixture
def asked(monkeypatch):
    """No play is run: what one would be asked."""
    seen = []

    def instead(request, *, told, judge, as_json):
        limit = Path(request.limit.removeprefix("@")).read_text().split()
        seen.append((limit, request.variables["stopgap_remedies"], request.variables["stopgap_due"]))
        return judge(RunResult(verdicts=dict.fromkeys(limit, "proven")))

    monkeypatch.setattr(recheck_due, "run_verb", instead)
    return seen


def pairs(told):
    return [(one["host"], one["remedy"]) for one in told["due"]]


def recorded(since):
    with reading(open_ledger()) as connection:
        query = sa.select(events.c.host, events.c.remedy, events.c.verdict).where(events.c.at >= spelled(since))
        return sorted(tuple(row) for row in connection.execute(query) if row.host)


@only_sqlite
def test_only_what_is_due_is_asked_and_a_dead_host_is_left_alone_for_a_while(recheck, record):
    record(
        *mitigated("web1", 20),
        *fixed("web1", 2, remedy=OTHER),
        *mitigated("web2", 2),
        *fixed("web3", 23, remedy=OTHER),
        *mitigated("elsewhere", 100),
    )
    began = datetime.now(UTC)
    code, told, err = recheck("--json")
    assert code == 3, err
    assert told["exit_code"] == 3
    assert pairs(told) == [("web3", OTHER), ("web1", REMEDY)]
    assert sorted(told["unreachable"]) == ["web1", "web3"]
    # a silent host is unknown in what it was asked, and in nothing else
    assert recorded(began) == [("web1", REMEDY, "unknown"), ("web3", OTHER, "unknown")]
    assert recheck("--json")[:2] == (0, {"due": [], "left": 0, "exit_code": 0, "cases": {}, "verdicts": {},
                                         "failures": {}, "unreachable": {}})  # fmt: skip


@pytest.fixture
def cloud(tmp_path):
    """A dynamic inventory whose service is away."""
    path = tmp_path / "cloud"
    path.write_text("#!/bin/sh\necho 503 >&2; exit 1\n")
    path.chmod(0o755)
    return path


@only_sqlite
def test_hosts_of_an_inventory_that_cannot_be_read_are_unknown(stopgap, record, asked, cloud):
    record(*mitigated("web1", 20))
    code, out, err = stopgap("recheck", "--due", "-i", cloud)
    assert (code, out, asked) == (3, "", [])
    assert f"part of the inventory is not asked: Completely failed to parse inventory source {cloud}" in err


@only_sqlite
def test_a_part_of_the_inventory_that_cannot_be_read_does_not_hold_up_the_rest(recheck, record, asked, cloud):
    record(*mitigated("web1", 20), *mitigated("cloud1", 20))
    code, _out, err = recheck("-i", cloud)
    assert (code, [hosts for hosts, *_ in asked]) == (3, [["web1"]])
    assert f"part of the inventory is not asked: Completely failed to parse inventory source {cloud}" in err


@only_sqlite
@pytest.mark.parametrize("option", ["--vault-password-file={0}", "--vault-id lab@{0}"])
def test_an_encrypted_inventory_is_read_with_what_ansible_is_given(recheck, record, asked, inventory, tmp_path, option):
    record(*mitigated("web1", 20))
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    program = Path(sys.executable).with_name("ansible-vault")
    subprocess.run([program, "encrypt", "--vault-id", f"lab@{secret}", inventory], check=True, capture_output=True)
    code, _out, err = recheck(*[f"--ansible={word}" for word in option.format(secret).split()])
    assert (code, [hosts for hosts, *_ in asked]) == (0, [["web1"]])
    assert "not asked" not in err


@only_sqlite
def test_an_inventory_without_hosts_is_no_answer(stopgap, record, asked, tmp_path):
    record(*mitigated("web1", 20))
    empty = tmp_path / "empty.json"
    empty.write_text('{"all": {}}')
    code, _out, err = stopgap("recheck", "--due", "-i", empty)
    assert (code, asked) == (1, [])
    assert "no host" in err


@only_sqlite
def test_an_orphan_of_a_host_that_is_not_affected_is_not_due_again_at_once(recheck, record, asked):
    """No proof follows such an assessment: it is the whole answer."""
    held = {"id": "limits", "entry": f"E-web1-{REMEDY}", "in_force": True}
    record(*mitigated("web1", 30), said("web1", "assessed", "not_affected", 25, code="not_installed", mitigation=held))
    recheck()
    record(said("web1", "assessed", "not_affected", 0.5, code="not_installed", mitigation=held))
    recheck()
    assert asked == [(["web1"], [REMEDY], {"web1": [REMEDY]})]


@only_sqlite
def test_nothing_due_says_nothing_and_starts_nothing(recheck, record, monkeypatch):
    record(*mitigated("web1", 1), *fixed("web2", 1))
    monkeypatch.setenv("PATH", "/nowhere")  # Ansible could not even list the hosts
    assert recheck() == (0, "", "")


@only_sqlite
def test_what_is_due_is_told_with_why_and_the_rest_is_left_for_the_next_run(recheck, record, asked):
    record(*mitigated("web1", 10), *mitigated("web2", 23), *mitigated("web2", 20, remedy=OTHER))
    out = recheck("--at-most", "1")[1]
    assert out.startswith("2 proofs due on 1 host:\n")
    assert "proven 23h ago; wanted every 6h, as it may stay open for 14 days" in out
    assert "1 proof more left for the next run (--at-most)" in out
    assert "web1" not in out
    assert asked == [(["web2"], [REMEDY, OTHER], {"web2": [REMEDY, OTHER]})]


@only_sqlite
def test_a_remedy_by_its_alias_and_a_limit(recheck, record, asked):
    record(*mitigated("web1", 30), *mitigated("web1", 30, remedy=OTHER), *mitigated("web2", 30, remedy=OTHER))
    assert recheck("regreSSHion", "-l", "web1")[0] == 0
    assert asked == [(["web1"], [OTHER], {"web1": [OTHER]})]
    assert recheck("CVE-1999-0001")[0] == 1


@only_sqlite
def test_a_remedy_that_is_no_more_is_told_and_stops_nobody_else(recheck, record, asked):
    record(*mitigated("web1", 30, remedy="CVE-GONE"), *mitigated("web2", 30))
    code, _out, err = recheck()
    assert (code, asked) == (3, [(["web2"], [REMEDY], {"web2": [REMEDY]})])
    assert "in no folder of remedies (--remedy-path): CVE-GONE" in err
    code, told, _err = recheck("--json", "-l", "web1")
    assert (code, told["due"], len(asked)) == (3, [], 1)


@only_sqlite
def test_a_due_host_that_the_play_leaves_out_is_unknown(recheck, record, monkeypatch):
    record(*mitigated("web1", 30))
    monkeypatch.setattr(recheck_due, "run_verb", lambda request, *, judge, **more: judge(RunResult()))
    code, _out, err = recheck()
    assert code == 3
    assert "due, and not asked by the play: web1" in err


@only_sqlite
def test_without_a_ledger_nothing_is_known_to_be_proven(recheck):
    code, out, err = recheck()
    assert (code, out) == (3, "")
    assert "there is no ledger" in err


@only_sqlite
def test_one_at_a_time(recheck, record, state, asked):
    record(*mitigated("web1", 30))
    with open(state / alone.NAME, "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        code, out, err = recheck()
        assert (code, out) == (0, "")
        assert "another recheck --due is under way" in err
    assert not asked
    assert recheck()[0] == 0
    assert asked


@only_sqlite
def test_the_lock_goes_with_whoever_was_killed(state):
    script = (
        "import time\nfrom stopgap.recheck.alone import alone\n"
        "with alone() as is_alone:\n print(is_alone, flush=True)\n time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "True\n"
        with alone.alone() as is_alone:
            assert not is_alone
        other.kill()
    with alone.alone() as is_alone:
        assert is_alone


@only_sqlite
def test_a_state_folder_that_nobody_may_write_to_is_one_sentence(recheck, state):
    state.parent.mkdir(exist_ok=True)
    state.write_text("not a folder")
    code, out, err = recheck()
    assert (code, out) == (1, "")
    assert "STOPGAP_STATE_DIR names the folder" in err


@only_sqlite
def test_a_dry_run_leaves_no_verdicts_and_that_is_no_doubt(recheck, record, monkeypatch):
    record(*mitigated("web1", 30))
    monkeypatch.setattr(recheck_due, "run_verb", lambda request, *, judge, **more: judge(RunResult()))
    code, _out, err = recheck("--check")
    assert (code, "not asked by the play" in err) == (0, False)


@only_sqlite
def test_a_host_in_two_estates_wants_one_named(recheck, record, asked, monkeypatch):
    record(*mitigated("web1", 30), *mitigated("web1", 30, estate="training"))
    code, _out, err = recheck()
    assert code == 1
    assert "web1 is in several estates (default, training): set STOPGAP_ESTATE" in err
    monkeypatch.setenv("STOPGAP_ESTATE", "training")
    record(*mitigated("web1", 30, remedy=OTHER))  # of the other one
    assert recheck()[0] == 0
    assert asked == [(["web1"], [REMEDY], {"web1": [REMEDY]})]


@only_sqlite
def test_the_sites_policy_is_heeded(recheck, record, tmp_path, monkeypatch):
    record(*mitigated("web1", 30))
    (tmp_path / "policy.yml").write_text("apiVersion: stopgap/v1\nrecheck: [{every: 2w}]\n")
    monkeypatch.setenv("STOPGAP_POLICY", str(tmp_path / "policy.yml"))
    assert find_policy(None).recheck[0].every == 14 * 86400
    assert recheck()[0] == 0
    (tmp_path / "policy.yml").write_text("apiVersion: stopgap/v1\nrecheck: []\n")
    code, _out, err = recheck()
    assert code == 1
    assert "policy.yml:2: recheck: write it by rising days" in err


@pytest.mark.parametrize("words", [["verify", "--due"], ["fix", "CVE-2023-44487", "--due"]])
@only_sqlite
def test_due_goes_with_recheck(stopgap, words):
    assert "--due goes with recheck" in stopgap(*words)[2]


def test_what_rests_on_a_proof(record):
    record(
        *mitigated("held", 5),
        *fixed("fixed", 5),
        *fixed("silent", 9),
        said("silent", "assessed", "unknown", 5, code="unreachable"),
        *fixed("patched", 9),
        said("patched", "verified", "unknown", 5, phase="fix"),
        *fixed("gone", 9),
        said("gone", "assessed", "exposed", 5, code="below_fixed"),
        *mitigated("lost", 9),
        said("lost", "verified", "fail", 5, phase="mitigation", mitigation="limits", entry=f"E-lost-{REMEDY}"),
        said("exposed", "assessed", "exposed", 5, code="below_fixed"),
        said("clean", "assessed", "not_affected", 5, code="not_installed"),
        said("never", "assessed", "unknown", 5, code="unreachable"),
    )
    with reading(open_ledger()) as connection:
        found = {one.host: one.state for one in proofs.standing_cases(connection, NOW)}
    assert found == {
        "held": "mitigated", "fixed": "fixed", "silent": "unknown", "patched": "patched", "lost": "exposed",
    }  # fmt: skip


def test_when_each_was_asked_last_and_when_it_passed(record):
    record(
        *mitigated("old", 30),
        *mitigated("failed", 40),
        said("failed", "verified", "fail", 3, phase="mitigation", mitigation="limits"),
        *fixed("assessed", 9),
        said("assessed", "assessed", "patched", 2, code="awaiting_proof"),  # a proof was not asked for
        *fixed("silent", 9),
        said("silent", "assessed", "unknown", 2, code="unreachable"),
        *fixed("ahead", 9),
        said("ahead", "verified", "pass", -5, phase="fix"),  # a clock that was ahead says nothing of now
    )
    with reading(open_ledger()) as connection:
        asked = proofs.last_asked(connection, NOW, timedelta(days=1))
        passed = proofs.last_passed(connection, [("default", host, REMEDY) for host in ("old", "failed", "none")])
    hours = {key[1]: round((NOW - at).total_seconds() / 3600) for key, at in asked.items()}
    assert hours == {"failed": 3, "assessed": 9, "silent": 2, "ahead": 9}
    ago = {"old": 30, "failed": 40}
    assert passed == {("default", host, REMEDY): spelled(NOW - timedelta(hours=ago[host])) for host in ago}


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (RunResult(verdicts={"a": "proven"}), ExitCode.PROVEN),
        (RunResult(cases={"a": [{"state": "exposed"}]}, verdicts={"a": "failed"}, return_code=2), ExitCode.BREACHED),
        (RunResult(cases={"a": [{"state": "patched"}]}, verdicts={"a": "failed"}, return_code=2), ExitCode.FAILED),
        (RunResult(unreachable={"a": "no route"}, return_code=4), ExitCode.UNKNOWN),
        (RunResult(no_hosts=True, cases={"a": [{"state": "exposed"}]}), ExitCode.ERROR),
    ],
)
def test_lost_outweighs_failed_and_failed_outweighs_unknown(result, code):
    assert recheck_due.exit_code(result, is_unproven=False) is code
    assert recheck_due.exit_code(result, is_unproven=True) is (ExitCode.UNKNOWN if code is ExitCode.PROVEN else code)
