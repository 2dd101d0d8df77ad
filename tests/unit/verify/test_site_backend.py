"""`pytest --hosts=stopgap://…`: a site's own tests over our connections, on this machine's own shell."""

import sys

import pytest
import yaml
from tests.entry_points import environment

pytest_plugins = ["pytester"]
HERE = {"ansible_connection": "local", "ansible_become": False, "ansible_python_interpreter": sys.executable}
DEAD = {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_control_path": "none"}
AUTO = {"ansible_connection": "local", "ansible_become": False}
NO_PYTHON = {**HERE, "ansible_python_interpreter": "/opt/none/python3"}
HOSTS = {"web1": HERE, "web2": HERE, "db1": HERE, "dead": DEAD, "auto": AUTO, "nopython": NO_PYTHON}


@pytest.fixture
def site(pytester, monkeypatch, tmp_path):
    for key, value in environment(tmp_path, STOPGAP_STATE_DIR=str(tmp_path / "state")).items():
        monkeypatch.setenv(key, value)
    (tmp_path / "ansible.cfg").touch()
    monkeypatch.setenv("ANSIBLE_CONFIG", str(tmp_path / "ansible.cfg"))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (pytester.path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": HOSTS}}))

    def run(test, *words):
        file = pytester.makepyfile(test_site=test)
        return pytester.runpytest_subprocess(file, "-p", "no:cacheprovider", "--ansible-inventory=hosts.yml", *words)

    return run


WHAT_HOLDS = r"""
    import os, pathlib

    def test_words(host):
        assert host.run("exit 3").rc == 3
        assert host.run("echo %s", "it's; $(id) `id` %s \\ é").stdout == "it's; $(id) `id` %s \\ é\n"
        assert host.check_output("printf '%%s' %s", "a'b") == "a'b"
        assert host.run_expect([7], "echo out; echo err >&2; exit 7").stderr == "err\n"

    def test_bytes(host):
        assert host.run(r"printf '\377\000\r\n'").stdout_bytes == b"\xff\x00\r\n"
        assert host.run(r"printf 'a\377'").stdout == "a\N{REPLACEMENT CHARACTER}"
        assert host.run(r"printf 'a\351\n' >&2").stderr_bytes == b"a\xe9\n"

    def test_modules(host, tmp_path):
        (tmp_path / "it's").write_text("first\nsecond\n")
        file = host.file(str(tmp_path / "it's"))
        assert file.is_file and file.contains("^second$") and file.content == b"first\nsecond\n"
        assert not host.file("/no/such").exists
        assert host.user("root").uid == 0
        assert not host.package("no-such-package").is_installed
        assert host.system_info.type == "linux"

    def test_it_is_one_connection(host):
        agents = {host.check_output("echo $PPID") for _ in range(3)}
        assert len(agents) == 1
        assert host.backend.get_connection_type() == "stopgap"

    def test_lost_connections_are_made_again(host):
        for _ in range(3):
            agent = host.check_output("echo $PPID")
            host.run(f"test -e {os.getpid()}.{agent} || (touch {os.getpid()}.{agent}; kill -9 $PPID; sleep 9)")
            assert host.check_output("echo $PPID") != agent
"""


def test_testinfras_modules_run_unchanged(site, pytester):
    done = site(WHAT_HOLDS, "--hosts=stopgap://web*,stopgap://db1", "-v")
    done.assert_outcomes(passed=15)
    done.stdout.fnmatch_lines(["*test_site.py::test_words[[]stopgap://db1] PASSED*", "*[[]stopgap://web2] PASSED*"])


def test_in_workers_of_xdist_ansible_is_asked_once(site, pytester, tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ansible").write_text(
        f"#!/bin/sh\necho asked >> {tmp_path}/asked\nPATH=$(echo $PATH | sed 's|^[^:]*:||') exec ansible \"$@\"\n"
    )
    (tmp_path / "bin/ansible").chmod(0o755)
    inventory = "--hosts=stopgap://web*"
    monkeypatch.setenv("STOPGAP_TEST_BIN", str(tmp_path / "bin"))
    pytester.makeconftest(
        """
        import os, subprocess
        from stopgap.verify import inventory
        class Watched(subprocess.Popen):
            def __init__(self, words, *, env, **more):
                path = os.environ["STOPGAP_TEST_BIN"] + ":" + env["PATH"]
                super().__init__(words, env=env | {"PATH": path}, **more)
        inventory.subprocess = type("Theirs", (), {**vars(subprocess), "Popen": Watched})
        """
    )
    done = site(WHAT_HOLDS, inventory, "-n", "2")
    done.assert_outcomes(passed=10)
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_a_command_has_its_time_and_a_dead_host_is_an_error_with_its_reason(site):
    test = """
        def test_slow(host):
            host.run("sleep 60")

        def test_after(host):
            assert host.run("true").rc == 0
    """
    done = site(test, "--hosts=stopgap://web1?timeout=0.5,stopgap://dead", "-rA")
    done.assert_outcomes(passed=1, failed=1, errors=2)
    done.stdout.fnmatch_lines(["*dead: unreachable: *refused*", "*CommandTimeout: no end after 0.5 s: sleep 60*"])


def test_which_python_runs_the_agent(site):
    """Facts are not gathered: the one that is named, else /usr/bin/python3; where there is none, what to do."""
    test = """
        import os, sys

        def test_python(host):
            runs = host.check_output("readlink -f /proc/$PPID/exe")
            named = "/usr/bin/python3" if host.backend.get_hostname() == "auto" else sys.executable
            assert runs == os.path.realpath(named)
    """
    done = site(test, "--hosts=stopgap://web1:auto:nopython", "-rA")
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(["*nopython: unreachable: */opt/none/python3*: set ansible_python_interpreter*"])


def test_with_a_remedy_the_checks_and_the_tests_share_the_spec_and_unknown_is_told(site, pytester):
    pytester.path.joinpath("SITE-1.yml").write_text(
        "{apiVersion: stopgap/v1, id: SITE-1, revision: 1, title: t, published: 2026-01-01,\n"
        "risk: {technical_impact: partial},\n"
        'affected: {packages: [{name: no-such-package, fixed_in: {debian-12: "1"}}]}, mitigations: [],\n'
        "fix: {packages: [no-such-package], then: [], reboot: never},\n"
        "checks: [{command: {run: echo yes, stdout_has: 'yes'}}]}"
    )
    test = """
        def test_mine(host, remedy):
            assert host.run("true").rc == 0
            assert remedy["id"] == "SITE-1"

        def test_slow(host):
            host.run("sleep 60")
    """
    words = ("--remedy=SITE-1", "--remedy-path=.", "--hosts=stopgap://web1?timeout=0.5,stopgap://dead")
    done = site(test, *words)
    assert "2 passed, 4 unknown" in done.stdout.lines[-1]
    assert "no end after 0.5 s" in done.stdout.str()


def test_a_pattern_without_hosts_is_a_usage_error(site):
    done = site("def test_any(host): pass", "--hosts=stopgap://nobody")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert "no host for ansible://nobody" in done.stderr.str()


def test_a_file_may_name_its_hosts_itself_and_one_host_by_name(site):
    test = """
        import testinfra
        testinfra_hosts = ["stopgap://web1"]

        def test_mine(host):
            assert host.backend.get_hostname() == "web1"
            other = testinfra.get_host("stopgap://db1?ansible_inventory=hosts.yml")
            assert other.check_output("echo %s", "there") == "there"
            with other.sudo("nobody"):
                assert "sudo" in other.backend.get_command("id")
    """
    site(test).assert_outcomes(passed=1)
