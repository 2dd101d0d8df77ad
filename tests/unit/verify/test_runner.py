"""Whole requests, as a function and as the program that Ansible runs."""

import json
import os
import shlex
import subprocess
import sys
import time

import pytest

from stopgap.verify.deferred import deferred
from stopgap.verify.errors import BadRequest
from stopgap.verify.runner import verify


def command(*argv, **params):
    return {"type": "command", "params": {"run": list(argv), **params}}


REMEDY = {
    "id": "CVE-1",
    "revision": 3,
    "affected": {"packages": []},
    "mitigations": [
        {"id": "withdrawn", "status": "withdrawn", "checks": [command("false")]},
        {"id": "first", "status": "valid", "checks": [command("echo", "1")]},
        {"id": "second", "status": "partial", "checks": [command("echo", "2")]},
    ],
    "fix": {
        "obligations": [
            {"id": "rotate", "title": "keys rotated", "checks": [command("echo", "obligation")], "attest": False}
        ]
    },
    "checks": [command("echo", "fix")],
}
FIX = {"remedy": "CVE-1", "phase": "fix", "mitigation": None}


def request(connections, targets=(FIX,), **more):
    hosts = {name: list(targets) for name in connections}
    return {"remedies": [REMEDY], "targets": hosts, "connections": connections, "forks": 20, "timeout": 10, **more}


def run(request, cwd=None, **shell):
    environ = os.environ | (shell or {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})  # three quarters of a site test's time
    command = [sys.executable, "-m", "stopgap.verify"]
    return subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, cwd=cwd, env=environ)


def ids(entry):
    return [check["id"] for check in entry["checks"]]


def test_an_open_obligation_is_told_by_its_title(local):
    owed = {
        "id": "rotate",
        "title": "keys rotated",
        "checks": [command("echo", "old", stdout_has="new")],
        "attest": False,
    }
    remedy = {**REMEDY, "fix": {"obligations": [owed]}}
    (entry,) = verify({**request({"a": local}), "remedies": [remedy]})["a"]
    assert entry["verdict"] == "fail"
    assert "still owed: keys rotated" in entry["reason"]


def test_p04_nobody_answers_over_the_warm_connection_of_another_machine_of_the_same_address(local, tmp_path):
    """As ssh does it: there is a master, so whoever names its socket comes to the machine behind it."""
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\n[ "$2" = ControlPath=none ] || exit 9\nfor word; do :; done\nexec /bin/sh -c "$word"\n')
    ssh.chmod(0o755)
    warm = ["-o", "ControlPath=/cp/0a1b", "-T", "10.0.0.7", shlex.join(local["argv"])]
    spec = {gate: {**local, "argv": [str(ssh), "-J", gate, *warm]} for gate in ("gate1", "gate2")}
    found = verify({**request(spec), "remedies": [{**REMEDY, "fix": {"obligations": []}}]})
    assert [found[gate][0]["verdict"] for gate in spec] == ["pass", "pass"]


def test_an_obligation_that_only_a_person_can_attest_keeps_the_fix_unproven(local):
    owed = {"id": "rotate", "title": "keys rotated", "checks": [], "attest": True}
    remedy = {**REMEDY, "fix": {"obligations": [owed]}}
    (entry,) = verify({**request({"a": local}), "remedies": [remedy]})["a"]
    assert entry["verdict"] == "unknown"
    assert "still owed: keys rotated (nobody has attested it)" in entry["reason"]


def test_a_service_that_the_mitigation_stopped_is_asked_for_when_that_is_lifted(local):
    stop = {"type": "service", "params": {"name": "acme8.2", "running": False, "enabled": None, "masked": None}}
    runs = {"type": "service", "params": {"name": "acme8.2.service", "running": True, "enabled": None, "masked": None}}
    other = {"type": "service", "params": {"name": "other", "running": True, "enabled": None, "masked": None}}
    mitigations = [{"id": "off", "status": "valid", "actions": [stop], "checks": []}]
    remedy = {**REMEDY, "mitigations": mitigations, "checks": [runs, command("echo")]}
    (entry,) = verify({**request({"a": local}, [{**FIX, "held": "off"}]), "remedies": [remedy]})["a"]
    assert entry["verdict"] == "pass"
    assert entry["reason"].endswith("service:acme8.2.service: asked once off is lifted")
    assert "service:acme8.2.service" not in ids(entry)
    for held, checks in ((None, [runs]), ("off", [other])):
        (entry,) = verify(
            {**request({"a": local}, [{**FIX, "held": held}]), "remedies": [{**remedy, "checks": checks}]}
        )["a"]
        assert ids(entry)[0].startswith("service:")


@pytest.mark.parametrize(
    ("held", "asked", "is_later"),
    [
        ({"running": False}, {"running": True}, True),
        ({"running": False}, {"running": False}, False),  # it says nothing else than the fix wants
        ({"running": False}, {"enabled": True}, False),
        ({"running": False}, {"running": True, "enabled": True}, True),
        ({"enabled": False}, {"enabled": True}, True),
        ({"masked": True}, {"running": True}, True),  # nobody starts or enables what is masked
        ({"masked": True}, {"enabled": True}, True),
        ({"masked": True}, {"running": False, "masked": True}, False),
        ({"masked": False}, {"running": True}, False),
    ],
    ids=str,
)
def test_only_what_the_mitigation_contradicts_is_asked_later(held, asked, is_later):
    unit = {"name": "acme", "running": None, "enabled": None, "masked": None}
    check = {"type": "service", "params": {**unit, **asked}}
    action = {"type": "service", "params": {**unit, **held}}
    remedy = {"mitigations": [{"id": "off", "actions": [action]}], "checks": [check]}
    assert deferred(remedy, "off") == [check] * is_later


def test_the_fix_is_proven_by_the_remedys_checks_and_those_of_its_obligations(local):
    (entry,) = verify(request({"a": local}))["a"]
    assert ids(entry) == ["command:echo fix", "command:echo obligation"]
    assert {key: entry[key] for key in ("remedy", "revision", "phase", "mitigation", "verdict", "reason")} == {
        "remedy": "CVE-1",
        "revision": 3,
        "phase": "fix",
        "mitigation": None,
        "verdict": "pass",
        "reason": "all 2 checks passed",
    }


@pytest.mark.parametrize(
    ("chosen", "shown", "checks", "verdict"),
    [
        (None, "first", ["command:echo 1"], "pass"),
        ("second", "second", ["command:echo 2"], "pass"),
        ("withdrawn", "withdrawn", ["command:false"], "unknown"),
        ("nonsense", "nonsense", [], "unknown"),
    ],
)
def test_a_mitigation_is_proven_by_its_own_checks(local, chosen, shown, checks, verdict):
    target = {"remedy": "CVE-1", "phase": "mitigation", "mitigation": chosen}
    (entry,) = verify(request({"a": local}, [target]))["a"]
    assert (entry["mitigation"], ids(entry), entry["verdict"]) == (shown, checks, verdict)


def test_p04_an_unreachable_host_is_unknown_and_costs_the_others_nothing(local):
    hang = {"argv": ["sleep", "60"], "python": "python3"}
    connections = {"a": local, "b": {"error": "no way there"}, "c": hang, "d": {"argv": ["false"]}, "e": local}
    started = time.monotonic()
    results = verify(request(connections, timeout=3))
    assert time.monotonic() - started < 12
    assert {host: entries[0]["verdict"] for host, entries in results.items()} == {
        "a": "pass",
        "b": "unknown",
        "c": "unknown",
        "d": "unknown",
        "e": "pass",
    }
    assert "unreachable: no answer in 3 s" in results["c"][0]["reason"]
    assert len(ids(results["c"][0])) == 2


def test_p04_a_check_that_hangs_is_unknown_and_the_next_one_is_answered(local):
    remedy = {**REMEDY, "checks": [command("sleep", "60"), command("true")], "fix": {"obligations": []}}
    (entry,) = verify({**request({"a": local}, timeout=1), "remedies": [remedy]})["a"]
    assert [check["verdict"] for check in entry["checks"]] == ["unknown", "pass"]


def test_p04_a_connection_that_drops_is_opened_again_once(local, tmp_path):
    spec = {**local, "argv": ["/bin/sh", "-c", f'echo $$ >{tmp_path}/pid; exec "$@"', "sh", *local["argv"]]}
    kill = f"kill -9 $(cat {tmp_path}/pid); sleep 5"
    once = command("sh", "-c", f"[ -e {tmp_path}/done ] || {{ touch {tmp_path}/done; {kill}; }}")
    remedy = {**REMEDY, "checks": [once], "fix": {"obligations": []}}
    (entry,) = verify({**request({"a": spec}), "remedies": [remedy]})["a"]
    assert entry["verdict"] == "pass"
    remedy["checks"] = [command("sh", "-c", kill), command("true")]
    (entry,) = verify({**request({"a": spec}), "remedies": [remedy]})["a"]
    assert [check["verdict"] for check in entry["checks"]] == ["unknown", "unknown"]


@pytest.mark.parametrize(
    "broken", [{}, {"remedies": []}, {"remedies": [{}]}, {"connections": {}}, {"targets": {"a": [{}]}}]
)
def test_a_request_that_is_not_complete_is_refused_in_one_sentence(local, broken):
    whole = request({"a": local})
    with pytest.raises(BadRequest):
        verify({**whole, **broken} if broken else {})
    done = run({**whole, **broken} if broken else {})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("stopgap.verify: ")
    assert done.stderr.count("\n") == 1


SITE = """
import pytest
from pathlib import Path

print("noise at import")

def test_good(host):
    print("noise")
    assert host.run("echo hello").stdout == "hello\\n"

def test_bad(host):
    assert host.backend.hostname == "a", "\\x1b[31mnot here"

def test_surprise(host):
    host.check_output("exit 3")

def test_skipped(host):
    pytest.skip("not today")

def test_broken_itself(host):
    assert {}["no such key"]

def test_failed_by_a_word(host):
    pytest.fail("told so")

@pytest.mark.xfail(strict=True)
def test_passed_against_all_expectation(host):
    pass

@pytest.fixture
def broken():
    raise ValueError("fixture")

def test_error(broken, host):
    pass

def test_of_no_host():
    pass

@pytest.fixture(scope="module")
def greeting(host):
    return host.check_output("echo hello")

def test_with_a_fixture_of_the_module(greeting, host):
    assert greeting == "hello"
"""


@pytest.fixture
def site(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    (tmp_path / "test_site.py").write_text(SITE)
    return tmp_path


def test_site_tests_become_checks_of_the_host_they_ran_for(local, site):
    done = run(request({"a": local, "b": local, "gone": {"error": "no way"}}, tests=["test_site.py"]), cwd=site)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    verdicts = {
        host: {c["id"].split("::")[1].split("[")[0]: c["verdict"] for c in entries[0]["checks"] if c["type"] == "test"}
        for host, entries in results.items()
    }
    for host in ("a", "b"):
        assert verdicts[host] == {
            "test_good": "pass",
            "test_bad": "pass" if host == "a" else "fail",
            "test_surprise": "unknown",
            "test_skipped": "unknown",
            "test_broken_itself": "unknown",
            "test_failed_by_a_word": "fail",
            "test_passed_against_all_expectation": "fail",
            "test_error": "unknown",
            "test_of_no_host": "pass",
            "test_with_a_fixture_of_the_module": "pass",
        }
    assert set(verdicts["gone"].values()) == {"unknown", "pass"}
    assert results["b"][0]["verdict"] == "fail"
    assert "\x1b" not in done.stdout
    assert "\\u001b" not in done.stdout


@pytest.mark.parametrize(
    "content",
    [
        "import no_such_module\n",
        "def broken(:\n",
        "x = 1\n",
        "import sys\nsys.exit(0)\n",
        "import os\nassert 0\n",
        "import pytest\npytest.importorskip('no_such_module')\ndef test_one(host):\n    assert 0\n",
        "import pytest\npytest.skip('not here', allow_module_level=True)\n",
        "import pytest\npytest.exit('not now', returncode=0)\n",
        "import pytest\ndef test_one(host):\n    pytest.exit('not now', returncode=42)\n",
    ],
)
@pytest.mark.parametrize(("others", "where"), [([], "."), (["test_other.py"], "elsewhere")])
def test_p04_site_tests_that_do_not_run_are_unknown(local, tmp_path, content, others, where):
    (tmp_path / "test_site.py").write_text(content)
    (tmp_path / "test_other.py").write_text("def test_other(host):\n    pass\n")
    (tmp_path / "elsewhere").mkdir()
    files = [str(tmp_path / name) for name in ("test_site.py", *others)]
    done = run(request({"a": local}, tests=files), cwd=tmp_path / where)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)["results"]["a"]
    assert entry["verdict"] == "unknown", entry
    assert "test_site.py" in entry["reason"] or "pytest.exit" in content, entry


@pytest.mark.parametrize("options", ["-x", "-n 2", "-k nothing"])
def test_p04_options_of_the_shell_leave_no_site_test_out(local, tmp_path, options):
    (tmp_path / "test_site.py").write_text("def test_bad(host):\n    assert False\n")
    done = run(request({"a": local, "b": local}, tests=["test_site.py"]), cwd=tmp_path, PYTEST_ADDOPTS=options)
    assert done.returncode == 0, done.stderr
    assert {entry["verdict"] for (entry,) in json.loads(done.stdout)["results"].values()} == {"fail"}


def test_a_site_test_has_what_lies_beside_it(local, tmp_path):
    """As under plain pytest: modules, packages and conftest.py."""
    here = tmp_path / "a b"
    (here / "parts").mkdir(parents=True)
    for name, content in {
        "words.py": "HELLO = 'hello'\n",
        "conftest.py": "import pytest\n@pytest.fixture\ndef said(host):\n    return host.check_output('echo hello')\n",
        "test_one.py": "from words import HELLO\n\ndef test_one(said):\n    assert said == HELLO\n",
        "parts/__init__.py": "",
        "parts/more.py": "from words import HELLO\n",
        "parts/test_two.py": "from parts.more import HELLO\n\ndef test_two(said):\n    assert said == HELLO\n",
    }.items():
        (here / name).write_text(content)
    tests = [str(here / "test_one.py"), str(here / "parts/test_two.py")]
    (entry,) = json.loads(run(request({"a": local}, tests=tests), cwd=tmp_path).stdout)["results"]["a"]
    assert (entry["verdict"], len(entry["checks"])) == ("pass", 4), entry


def test_a_site_test_may_be_another_user_for_a_while(local, tmp_path):
    (tmp_path / "sudo").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "sudo").chmod(0o755)
    test = 'with host.sudo("www-data"):\n        assert host.check_output("id -un") == "-u www-data /bin/sh -c id -un"'
    (tmp_path / "test_site.py").write_text(f"def test_user(host):\n    {test}\n")
    known = {"a": local | {"argv": ["/usr/bin/env", f"PATH={tmp_path}:/usr/bin:/bin", *local["argv"]]}}
    (entry,) = verify(request(known, tests=[str(tmp_path / "test_site.py")]))["a"]
    assert entry["verdict"] == "pass", entry


def test_a_site_test_file_that_is_missing_is_unknown(local, tmp_path):
    (entry,) = json.loads(run(request({"a": local}, tests=["no.py"]), cwd=tmp_path).stdout)["results"]["a"]
    assert entry["verdict"] == "unknown"


def test_the_program_starts_without_what_it_does_not_need():
    code = "import sys, stopgap.verify.runner; print(*(m for m in sys.argv[1:] if m in sys.modules))"
    heavy = ["pytest", "pydantic", "rich", "sqlalchemy", "yaml", "ansible", "asyncio"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_never_more_connections_than_forks_are_open(local, tmp_path):
    """The controller's memory must not grow with the fleet; a site's own tests come after the checks."""
    tests = tmp_path / "test_site.py"
    tests.write_text("def test_hello(host):\n    assert host.run('echo hello').rc == 0\n")
    agents = command("sh", "-c", f"ps --ppid {os.getpid()} -o args= | grep -c '[s]topgap> '", stdout_matches="^[12]$")
    wanted = request({f"h{number}": local for number in range(6)}, forks=2, tests=[str(tests)])
    found = verify({**wanted, "remedies": [{**REMEDY, "checks": [agents], "fix": {"obligations": []}}]})
    assert [(entry["verdict"], len(entry["checks"])) for (entry,) in found.values()] == [("pass", 2)] * 6
