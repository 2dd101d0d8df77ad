"""`pytest --remedy` as a user runs it: a pytest of its own, over this machine's own shell."""

import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest
from tests.entry_points import environment

pytest_plugins = ["pytester"]

REMEDY = """
apiVersion: stopgap/v1
id: SITE-1
revision: 3
title: Answers of every kind
published: 2026-01-01
risk: {technical_impact: partial}
affected:
  packages: [{name: no-such-package, fixed_in: {debian-12: "1"}}]
mitigations:
  - id: shut
    title: Shut it
    side_effect: none
    disruption: low
    persists: always
    ttl: 7d
    actions: [{file: {path: /nowhere/at/all, absent: true}}]
    checks: [{file: {path: /nowhere/at/all, exists: false}}]
fix: {packages: [no-such-package], then: [], reboot: never}
checks:
  - command: {run: echo yes, stdout_has: "yes"}
  - command: {run: echo yes, stdout_has: "no"}
  - command: {run: sh -c "exit 3", stdout_has: a}
  - command: {run: "echo tcp://:::22 [a]", stdout_has: ":::22"}
"""
YES, NO, EXIT = "command:echo yes", "command:echo yes (2)", "command:sh -c 'exit 3'"
LOCAL = ("--remedy=SITE-1", "--remedy-path=.", "--hosts=local://", "-p", "no:cacheprovider")
UNREACHABLE = "all: {hosts: {web1: {ansible_host: 127.0.0.1, ansible_port: 9, ansible_control_path: none}}}\n"


@pytest.fixture
def site(pytester, monkeypatch, tmp_path):
    """A folder with the remedy and a project's own tests, which nobody named."""
    for key, value in environment(tmp_path, STOPGAP_STATE_DIR=str(tmp_path / "state")).items():
        monkeypatch.setenv(key, value)
    (tmp_path / "ansible.cfg").touch()
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")  # three quarters of such a run's time
    pytester.path.joinpath("SITE-1.yml").write_text(REMEDY)
    pytester.makepyfile(test_of_the_project="def test_this(): raise SystemExit('never asked for')")
    return pytester


def told(report):
    """{name: {what stands in it}} of a JUnit file."""
    cases = ElementTree.parse(report).getroot().iter("testcase")  # noqa: S314 - our own file
    found = {}
    for case in cases:
        parts = [*case, *case.iter("property")]
        found[case.get("name")] = {one.get("name", one.tag): one.get("value") or one.text for one in parts}
    return found


def test_pass_fail_and_unknown_are_three_outcomes(site):
    done = site.runpytest_subprocess(*LOCAL, "--junit-xml=junit.xml", "-v")
    done.assert_outcomes(passed=2, failed=1)
    assert "1 unknown" in done.stdout.lines[-1]
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(
        [
            f"*::local SITE-1 fix {YES} PASSED*",
            f"*::local SITE-1 fix {NO} FAILED*",
            f"*::local SITE-1 fix {EXIT} UNKNOWN*",
            "*= unknown: neither proven nor refuted =*",
            f"local SITE-1 fix {EXIT}: *exit*3*",
        ],
        consecutive=False,
    )
    found = told(site.path / "junit.xml")
    assert len(found) == 4
    assert found[f"local SITE-1 fix {YES}"].keys() == {"properties", "check", "verdict", "reason"}
    assert "failure" in found[f"local SITE-1 fix {NO}"]
    assert "exit 3" in found[f"local SITE-1 fix {EXIT}"]["error"]
    assert found["local SITE-1 fix command:echo tcp://: : :22 '(a)'"]["check"] == "command:echo tcp://:::22 '[a]'"


def test_an_unknown_fails_the_run_and_x_stops_at_it(site):
    done = site.runpytest_subprocess(*LOCAL, "-x", "-k", "tcp or exit or (yes and not 2)")
    done.assert_outcomes(passed=1, deselected=1)
    assert "1 unknown" in done.stdout.lines[-1]
    assert "stopping after 1 failures" in done.stdout.str()
    assert done.ret != pytest.ExitCode.OK


def test_ctrl_c_does_not_wait_for_the_check_that_is_asked(site):
    begun = site.path / "begun"
    checks = REMEDY[: REMEDY.index("checks:\n  - command")].replace("SITE-1", "SITE-2")
    slow = f'["sh", "-c", "echo > {begun}; sleep 325"]'
    (site.path / "SITE-2.yml").write_text(
        f"{checks}checks:\n  - command: {{run: {slow}, stdout_has: x, timeout: 25}}\n"
    )
    words = [sys.executable, "-m", "pytest", "--remedy=SITE-2", *LOCAL[1:]]
    running = subprocess.Popen(words, cwd=site.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 20
    while not begun.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=10)[0]
    assert "KeyboardInterrupt" in said
    assert "Traceback" not in said
    assert running.returncode == pytest.ExitCode.INTERRUPTED
    assert "sleep 325" not in subprocess.check_output(["ps", "-eo", "args"], text=True)


def test_an_xdist_worker_gives_the_same(site):
    done = site.runpytest_subprocess(*LOCAL, "-n", "1", "--dist", "loadgroup", "--junit-xml=junit.xml")
    done.assert_outcomes(passed=2, failed=1)
    assert "1 unknown" in done.stdout.lines[-1]
    problems = [{"failure", "error"} & case.keys() for case in told(site.path / "junit.xml").values()]
    assert sorted(map(len, problems)) == [0, 0, 1, 1]


def test_site_tests_get_fixtures_and_run_beside_the_checks(site):
    site.makepyfile(
        test_site="""
        def test_remedy(remedy, host):
            assert (remedy["id"], remedy["revision"]) == ("SITE-1", 3)
            assert host.check_output("echo a") == "a"
        def test_case(case):
            assert case is None
        def test_old_code(processes_on_old_code):
            assert processes_on_old_code == []
        """
    )
    done = site.runpytest_subprocess(*LOCAL, "--phase=mitigation", "test_site.py")
    found = done.parseoutcomes()
    # where this machine's release has a fix of the package that is not here, nobody can tell what still runs of it
    assert (found["passed"], found.get("unknown", 0)) in ((4, 0), (3, 1))
    assert "no connection" not in done.stdout.str()


def test_what_a_site_marks_as_expected_is_no_unknown(site):
    """An unknown fails the run, and pytest passes what is marked so."""
    site.makepyfile(
        test_site="""
        import pytest
        from stopgap.verify.errors import CommandTimeout
        @pytest.mark.xfail
        def test_slow():
            raise CommandTimeout("no end")
        """
    )
    done = site.runpytest_subprocess(*LOCAL, "test_site.py", "-k", "slow")
    done.assert_outcomes(xfailed=1, deselected=4)
    assert "neither proven" not in done.stdout.str()
    assert done.ret == pytest.ExitCode.OK


def test_nothing_to_check_is_unknown(site):
    remedy = site.path / "SITE-1.yml"
    head, _mitigations = remedy.read_text().split("mitigations:")
    _own, fix = remedy.read_text().split("fix:")
    remedy.write_text(f"{head}mitigations: []\nfix:{fix}")
    done = site.runpytest_subprocess(*LOCAL, "--phase=mitigation")
    assert "1 unknown" in done.stdout.lines[-1]
    assert done.ret == pytest.ExitCode.TESTS_FAILED


def test_hosts_of_the_inventory_are_reached_as_ansible_would(site):
    (site.path / "hosts.yml").write_text(UNREACHABLE)
    inventory = ("--ansible-inventory=hosts.yml", "--connection=ansible")
    done = site.runpytest_subprocess("--remedy=SITE-1", "--remedy-path=.", "--hosts=all", *inventory, "-k", "exit")
    assert "1 unknown" in done.stdout.lines[-1]
    assert "web1 SITE-1" in done.stdout.str()
    assert "Connection refused" in done.stdout.str()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--remedy=SITE-1", "--remedy-path=."], "--hosts"),
        (["--remedy=SITE-1", "--remedy-path=.", "--hosts=ansible://nobody"], "no host for ansible://nobody"),
        (["--remedy=SITE-9", "--remedy-path=.", "--hosts=ansible://all"], "no remedy 'SITE-9'"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(site, words, said):
    (site.path / "hosts.yml").write_text(UNREACHABLE)
    done = site.runpytest_subprocess(*words, "--ansible-inventory=hosts.yml")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr.str()


TELLS_OF_HYPOTHESIS = """
import sys
def pytest_unconfigure():
    print("hypothesis is", "loaded" if "hypothesis" in sys.modules else "left alone")
"""


@pytest.mark.parametrize("more", [(), ("-n", "1")])
def test_hypothesis_is_not_loaded_for_a_report_that_it_does_not_give(site, monkeypatch, more):
    monkeypatch.delenv("PYTEST_ADDOPTS")
    site.makeconftest(TELLS_OF_HYPOTHESIS)
    done = site.runpytest_subprocess(*LOCAL, *more, "-k", "yes")
    done.assert_outcomes(passed=1, failed=1)
    assert ("hypothesis is left alone" in done.stdout.str()) == (not more)  # the controller of workers cannot tell


def test_hypothesis_still_reports_of_a_sites_own_tests(site, monkeypatch):
    monkeypatch.delenv("PYTEST_ADDOPTS")
    site.makepyfile(
        test_site="""
        from hypothesis import given, strategies
        @given(strategies.integers())
        def test_integers(number): assert number == number
        """
    )
    done = site.runpytest_subprocess(*LOCAL, "test_site.py", "--hypothesis-show-statistics", "-k", "yes or integers")
    done.assert_outcomes(passed=2, failed=1)
    assert "Hypothesis Statistics" in done.stdout.str()
    assert "test_integers" in done.stdout.str()


def test_a_run_without_our_options_imports_nothing_of_ours(site):
    site.makepyfile(
        test_other="""
        import sys
        def test_imports():
            ours = {name for name in sys.modules if name.split(".")[0] == "stopgap"}
            assert ours == {"stopgap", "stopgap.pytest_plugin"}
            assert not {"pydantic", "sqlalchemy", "ansible_runner"} & sys.modules.keys()
        """
    )
    site.runpytest_subprocess("test_other.py").assert_outcomes(passed=1)


def test_loading_the_plugin_takes_less_than_5_ms():
    measure = (
        "import pytest, time; t = time.process_time(); import stopgap.pytest_plugin; print(time.process_time() - t)"
    )
    took = [
        float(subprocess.run([sys.executable, "-c", measure], capture_output=True, check=True).stdout) for _ in range(3)
    ]
    assert min(took) < 0.005
