"""Each check type against this very machine, read-only; what a machine cannot be made to say comes from a script."""

import platform
import shutil
import socket
import stat
import sys

import pytest

from stopgap.verify.backend import AgentHost, open_host
from stopgap.verify.checks import CHECKS
from stopgap.verify.checks import socket as socket_check
from stopgap.verify.context import Context
from stopgap.verify.runner import run_check

NO_DPKG = shutil.which("dpkg-query") is None


def ask(host, kind, params, remedy=None):
    result = run_check(host, {"type": kind, "params": params}, Context(remedy or {"affected": {"packages": []}}, "fix"))
    return result["verdict"], result["reason"]


def word(host, kind, params, remedy=None):
    return ask(host, kind, params, remedy)[0]


@pytest.fixture
def fake_tool(host, tmp_path, monkeypatch):
    """Puts a script in front of a tool, on a host of its own."""
    opened = []

    def put(**scripts):
        for name, script in scripts.items():
            (tmp_path / name.replace("_", "-")).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name.replace("_", "-")).chmod(0o755)
        spec = host.backend._spec
        argv = ["/usr/bin/env", f"PATH={tmp_path}:/usr/bin:/bin:/usr/sbin:/sbin", *spec["argv"]]
        opened.append(open_host("fake", {**spec, "argv": argv}, 10))
        return opened[-1]

    yield put
    for one in opened:
        one.backend.close()


class TestCommand:
    @pytest.mark.parametrize(
        ("params", "verdict"),
        [
            ({"run": ["true"]}, "pass"),
            ({"run": ["false"]}, "unknown"),
            ({"run": ["false"], "rc": [0, 1]}, "pass"),
            ({"run": ["no-such-command"]}, "unknown"),
            ({"run": ["echo", "a; $(b) 'c'"], "stdout_has": "a; $(b) 'c'"}, "pass"),
            ({"run": ["echo", "a"], "stdout_has": "b"}, "fail"),
            ({"run": ["echo", "a"], "stdout_lacks": "a"}, "fail"),
            ({"run": ["printf", "%s", "a\nb\n"], "stdout_matches": "^b$"}, "pass"),
            ({"run": ["printf", "%s", "a\nb\n"], "stdout_lacks_match": "^b$"}, "fail"),
            ({"run": ["echo", "a"], "stdout_matches": "("}, "unknown"),
            ({"run": ["cat"], "stdin": "hello", "stdout_has": "hello"}, "pass"),
            ({"run": ["sleep", "20"], "timeout": 0.2}, "unknown"),
        ],
    )
    def test_what_the_command_says_and_nothing_else(self, host, params, verdict):
        assert word(host, "command", params) == verdict

    def test_output_that_is_no_utf8_is_searched_all_the_same(self, host):
        assert word(host, "command", {"run": ["printf", r"\377 yes"], "stdout_has": "yes"}) == "pass"


class TestFile:
    @pytest.fixture
    def path(self, tmp_path):
        path = tmp_path / "a b'c"
        path.write_text("# BrowseRemoteProtocols none\nBrowseRemoteProtocols dnssd cups\n")
        path.chmod(0o640)
        return str(path)

    @pytest.mark.parametrize(
        ("params", "verdict"),
        [
            ({}, "pass"),
            ({"exists": True}, "pass"),
            ({"exists": False}, "fail"),
            ({"mode": "0640"}, "pass"),
            ({"mode": "640"}, "pass"),
            ({"mode": "0600"}, "fail"),
            ({"matches": "^BrowseRemoteProtocols .*cups"}, "pass"),
            ({"matches": "^BrowseRemoteProtocols none"}, "fail"),
            ({"lacks_match": r"^BrowseRemoteProtocols.*\bcups\b"}, "fail"),
            ({"lacks_match": "^BrowseRemoteProtocols none"}, "pass"),
        ],
    )
    def test_a_file_that_is_there(self, host, path, params, verdict):
        assert word(host, "file", {"path": path, **params}) == verdict

    @pytest.mark.parametrize(
        ("params", "verdict"),
        [
            ({}, "unknown"),
            ({"exists": True}, "fail"),
            ({"exists": False}, "pass"),
            ({"mode": "0600"}, "fail"),
            ({"matches": "a"}, "fail"),
            ({"lacks_match": "a"}, "unknown"),
            ({"exists": True, "lacks_match": "a"}, "fail"),
        ],
    )
    def test_a_file_that_is_not_there(self, host, tmp_path, params, verdict):
        assert word(host, "file", {"path": str(tmp_path / "no/such/file"), **params}) == verdict

    def test_p04_a_file_that_may_not_be_looked_at_is_unknown(self, fake_tool):
        host = fake_tool(stat="echo \"stat: cannot statx '/root/x': Permission denied\" >&2; exit 1")
        assert ask(host, "file", {"path": "/root/x", "exists": False}) == (
            "unknown",
            "stat: cannot statx '/root/x': Permission denied",
        )


UNIT = "LoadState={}\nActiveState={}\nUnitFileState={}\n"


class TestService:
    @pytest.mark.parametrize(
        ("state", "params", "verdict"),
        [
            (("loaded", "active", "enabled"), {"running": True, "enabled": True, "masked": False}, "pass"),
            (("loaded", "active", "enabled"), {"running": False}, "fail"),
            (("loaded", "inactive", "disabled"), {"running": False, "enabled": False}, "pass"),
            (("loaded", "failed", "disabled"), {"running": False}, "pass"),
            (("loaded", "activating", "enabled"), {"running": True}, "fail"),
            (("loaded", "activating", "enabled"), {"running": False}, "fail"),
            (("masked", "inactive", "masked"), {"masked": True, "enabled": False, "running": False}, "pass"),
            (("masked", "active", "masked"), {"masked": True, "running": False}, "fail"),
            (("masked", "inactive", "masked-runtime"), {"masked": True}, "fail"),
            (("masked", "inactive", "masked-runtime"), {"masked": False}, "fail"),
            (("loaded", "active", "static"), {"enabled": True}, "pass"),
            (("not-found", "inactive", ""), {"running": False, "enabled": False, "masked": False}, "pass"),
            (("not-found", "inactive", ""), {"running": True}, "fail"),
            (("loaded", "active", ""), {"enabled": False}, "unknown"),
            (("loaded", "active", "bad"), {"enabled": False}, "fail"),
        ],
    )
    def test_states(self, fake_tool, state, params, verdict):
        host = fake_tool(systemctl=f"cat <<'END'\n{UNIT.format(*state)}END", realpath="echo systemd")
        assert word(host, "service", {"name": "x", **params}) == verdict

    def test_p04_a_systemd_that_does_not_answer_is_unknown_and_not_a_stopped_service(self, fake_tool):
        host = fake_tool(systemctl="echo 'Failed to connect to bus' >&2; exit 1", realpath="echo systemd")
        verdict, reason = ask(host, "service", {"name": "x", "running": False})
        assert (verdict, reason) == ("unknown", "systemctl show x: exit 1: Failed to connect to bus")


class TestSocket:
    @pytest.fixture
    def port(self):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            yield server.getsockname()[1]

    @pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed here")
    def test_a_real_socket(self, host, port):
        for address, listening in [
            (f"tcp://{port}", True),
            (f"tcp://127.0.0.1:{port}", True),
            (f"tcp://127.0.0.2:{port}", False),
            (f"udp://{port}", False),
        ]:
            assert word(host, "socket", {"address": address, "listening": listening}) == "pass"
            assert word(host, "socket", {"address": address, "listening": not listening}) == "fail"

    @pytest.mark.parametrize(
        ("local", "host", "port", "found"),
        [
            ("0.0.0.0:631", None, 631, True),  # cups-browsed: IPv4 alone
            ("0.0.0.0:631", "10.0.0.7", 631, True),
            ("0.0.0.0:631", "::1", 631, False),
            ("*:22", "::1", 22, True),
            ("[::]:22", "10.0.0.7", 22, True),
            ("[::1]:22", "::1", 22, True),
            ("[fe80::1]%eth0:22", "fe80::1", 22, True),
            ("127.0.0.53%lo:53", "127.0.0.53", 53, True),
            ("127.0.0.1:6310", None, 631, False),
            ("/run/x.sock", "/run/x.sock", None, True),
            ("/run/x.sock2", "/run/x.sock", None, False),
        ],
    )
    def test_which_sockets_are_meant(self, local, host, port, found):
        assert socket_check.matches(local, host, port) is found

    def test_unix_sockets(self, fake_tool):
        line = "u_str LISTEN 0 4096 /run/x.sock 1234 * 0"
        host = fake_tool(ss=f"echo header; echo '{line}'")
        assert word(host, "socket", {"address": "unix:///run/x.sock", "listening": True}) == "pass"

    def test_p04_a_failing_ss_is_unknown_and_not_a_closed_port(self, fake_tool):
        host = fake_tool(ss="echo boom >&2; exit 1")
        assert word(host, "socket", {"address": "udp://631", "listening": False}) == "unknown"

    def test_an_address_that_is_none_is_unknown(self, host):
        assert word(host, "socket", {"address": "sctp://1", "listening": False}) == "unknown"


class TestSysctl:
    def test_blanks_count_as_one_and_numbers_as_text(self, fake_tool):
        host = fake_tool(sysctl="printf '4096\\t87380\\t6291456\\n'")
        assert word(host, "sysctl", {"name": "net.ipv4.tcp_rmem", "value": "4096 87380 6291456"}) == "pass"
        assert word(host, "sysctl", {"name": "net.ipv4.tcp_rmem", "value": "4096 87380"}) == "fail"
        host = fake_tool(sysctl="echo 1")
        assert word(host, "sysctl", {"name": "kernel.x", "value": "1"}) == "pass"

    def test_a_name_the_kernel_does_not_know_is_unknown(self, fake_tool):
        host = fake_tool(sysctl="echo 'sysctl: cannot stat /proc/sys/no/such' >&2; exit 255")
        assert ask(host, "sysctl", {"name": "no.such", "value": "0"})[0] == "unknown"


REMEDY = {
    "affected": {
        "packages": [
            {"name": "libx", "fixed_in": {"debian-12": ["1:2.0-3+deb12u1"], "debian-11": "not_affected"}},
            {"name": "x-tools", "fixed_in": {"debian-12": ["1:2.0-3+deb12u1"]}},
            {"name": "stream", "fixed_in": {"debian-12": ["1.0-5", "2.0-5"]}},
        ]
    }
}


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="versions are compared by dpkg, which is not here")
class TestPackage:
    @pytest.fixture
    def distro(self, fake_tool):
        """A Debian with these packages; dpkg --compare-versions is the real one."""

        def make(release="12", **packages):
            cases = "".join(
                f"{name.replace('_', '-')}) printf '%b\\n' {' '.join(repr(line) for line in lines)};;"
                for name, lines in packages.items()
            )
            query = f'for name; do :; done; case $name in {cases} *) echo "no packages found" >&2; exit 1;; esac'
            os_release = f'printf "ID=debian\\nVERSION_ID=\\"{release}\\"\\n"'
            cat = f'[ "$1" = /etc/os-release ] && {os_release} || exec /bin/cat "$@"'
            return fake_tool(dpkg_query=query, cat=cat)

        return make

    def line(self, version, status="installed", name="libx:amd64"):
        return f"{status}\t{version}\t{name}"

    @pytest.mark.parametrize(
        ("version", "verdict"),
        [
            ("1:2.0-3+deb12u1", "pass"),
            ("1:2.0-3+deb12u10", "pass"),
            ("1:2.0-3", "fail"),
            ("1:2.0-3+deb12u1~bpo1", "fail"),  # ~ sorts before
            ("9.0-1", "fail"),  # an epoch weighs more than any number
            ("2:0.1-1", "pass"),
            ("not a version", "unknown"),
        ],
    )
    def test_versions_compare_as_dpkg_compares_them(self, distro, version, verdict):
        host = distro(libx=[self.line(version)])
        assert word(host, "package", {"name": "libx", "at_least": "fixed"}, REMEDY) == verdict

    @pytest.mark.parametrize(("status", "verdict"), [("half-configured", "unknown"), ("config-files", "pass")])
    def test_a_broken_package_is_unknown_and_its_leftovers_are_nothing(self, distro, status, verdict):
        host = distro(libx=[self.line("1:2.0-3", status)])
        assert word(host, "package", {"name": "libx", "at_least": "fixed"}, REMEDY) == verdict

    def test_every_architecture_counts(self, distro):
        old, new = self.line("1:2.0-3", name="libx:i386"), self.line("1:2.0-3+deb12u1")
        assert word(distro(libx=[new, old]), "package", {"name": "libx", "at_least": "fixed"}, REMEDY) == "fail"

    def test_a_release_the_remedy_does_not_name_is_unknown(self, distro):
        host = distro("13", libx=[self.line("9:9")])
        verdict, reason = ask(host, "package", {"name": "libx", "at_least": "fixed"}, REMEDY)
        assert verdict == "unknown"
        assert "debian-13" in reason

    def test_a_release_that_is_not_affected_passes(self, distro):
        host = distro("11", libx=[self.line("0.1")])
        assert word(host, "package", {"name": "libx", "at_least": "fixed"}, REMEDY) == "pass"

    def test_an_absent_package_passes_unless_another_affected_one_is_vulnerable(self, distro):
        params = {"name": "x-tools", "at_least": "fixed"}
        assert word(distro(), "package", params, REMEDY) == "pass"
        assert word(distro(libx=[self.line("1:2.0-3+deb12u1")]), "package", params, REMEDY) == "pass"
        assert word(distro(libx=[self.line("1:2.0-3")]), "package", params, REMEDY) == "fail"

    @pytest.mark.parametrize(
        ("version", "verdict"),
        [("0.9", "fail"), ("1.0-5", "pass"), ("1.1", "unknown"), ("2.0-5", "pass"), ("3", "pass")],
    )
    def test_between_the_fixes_of_two_streams_there_is_no_telling(self, distro, version, verdict):
        host = distro(stream=[self.line(version, name="stream:amd64")])
        assert word(host, "package", {"name": "stream", "at_least": "fixed"}, REMEDY) == verdict

    def test_a_plain_version_needs_the_package(self, distro):
        host = distro(libx=[self.line("2.0-1")])
        assert word(host, "package", {"name": "libx", "at_least": "1.9"}, REMEDY) == "pass"
        assert word(host, "package", {"name": "libx", "at_least": "2.1"}, REMEDY) == "fail"
        assert word(host, "package", {"name": "other", "at_least": "2.1"}, REMEDY) == "fail"

    def test_a_package_the_remedy_does_not_know_is_unknown(self, distro):
        assert word(distro(), "package", {"name": "other", "at_least": "fixed"}, REMEDY) == "unknown"

    def test_p04_a_failing_dpkg_query_is_unknown(self, fake_tool):
        host = fake_tool(dpkg_query="echo locked >&2; exit 2", cat="printf 'ID=debian\\nVERSION_ID=12\\n'")
        assert word(host, "package", {"name": "libx", "at_least": "fixed"}, REMEDY) == "unknown"

    def processes(self, host, python, package="libx"):
        host.backend._spec["python"] = python
        return word(host, "processes", {"not_on_old_code": package}, REMEDY)

    def test_processes_are_judged_by_what_the_collections_own_code_says(self, distro, tmp_path):
        host = distro(libx=[self.line("1:2.0-3")])
        python = tmp_path / "fakepython"
        one = '"pid": 7, "name": "nginx", "unit": null, "files": [], "package": "libx"'
        for answer, verdict in [
            ("echo '[]'", "pass"),
            (f"echo '[{{{one}, \"sure\": true}}]'", "fail"),
            (f"echo '[{{{one}, \"sure\": false}}]'", "unknown"),
            ("echo '{}'", "unknown"),
            ("echo not json", "unknown"),
            ("echo no list of files >&2; exit 1", "unknown"),
        ]:
            python.write_text(f"#!/bin/sh\ncat >/dev/null\n{answer}\n")
            python.chmod(0o755)
            assert self.processes(host, str(python)) == verdict

    def test_processes_of_a_package_that_is_gone_cannot_be_told(self, distro):
        assert self.processes(distro(), sys.executable) == "unknown"
        assert self.processes(distro("13"), sys.executable) == "pass"  # the remedy names none for this release


def test_an_unknown_type_is_unknown(host):
    assert ask(host, "no_such_type", {}) == ("unknown", "this release has no check of type no_such_type")


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_p04_parameters_nobody_understands_are_unknown_and_never_a_crash(host, kind):
    for params in ({}, None, [], {"name": 1, "path": 1, "run": 1, "address": 1, "not_on_old_code": 1}):
        assert word(host, kind, params) == "unknown"


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_p04_a_host_that_cannot_be_asked_is_unknown(kind):
    params = {"name": "x", "path": "/x", "run": ["true"], "address": "udp://1", "not_on_old_code": "x", "at_least": "1"}
    host = open_host("gone", {"error": "no way there"}, 1)
    assert ask(host, kind, params) == ("unknown", "unreachable: no way there")


def test_testinfras_own_modules_run_on_the_backend(host, tmp_path):
    assert isinstance(host, AgentHost)
    assert host.system_info.type == platform.system().lower()
    (tmp_path / "x").write_bytes(b"caf\xe9")
    assert host.file(str(tmp_path / "x")).content == b"caf\xe9"
    assert host.file(str(tmp_path / "x")).mode == stat.S_IMODE((tmp_path / "x").stat().st_mode)
    assert host.user().name
    assert host.process.filter(pid=1)
