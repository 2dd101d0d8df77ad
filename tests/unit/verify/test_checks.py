"""Each check type against this very machine, read-only; what a machine cannot be made to say comes from a script."""

import json
import platform
import shutil
import socket
import stat
import sys
import zipfile
from typing import ClassVar

import pytest
from tests.unit.verify.asking import ask, word

from stopgap.verify.backend import AgentHost, open_host
from stopgap.verify.checks import CHECKS
from stopgap.verify.checks import socket as socket_check

NO_DPKG = shutil.which("dpkg-query") is None


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
            (("loaded", "active", "generated\ndisabled"), {"enabled": False}, "pass"),
            (("loaded", "active", "generated\nenabled"), {"enabled": False}, "fail"),
            (("loaded", "active", "generated\ngenerated"), {"enabled": True}, "pass"),
            (("loaded", "active", "generated\n"), {"enabled": True}, "unknown"),
        ],
    )
    def test_states(self, fake_tool, state, params, verdict):
        """What systemd generated of an init script has links of its own, which `is-enabled` knows."""
        load, active, (unit_file, *links) = state[0], state[1], state[2].split("\n")
        shown = f"cat <<'END'\n{UNIT.format(load, active, unit_file)}END"
        asked = f"if [ $1 = is-enabled ]; then echo {''.join(links)}; exit {int(links == ['disabled'])}; fi"
        host = fake_tool(systemctl=f"{asked}\n{shown}", realpath="echo systemd")
        assert word(host, "service", {"name": "x", **params}) == verdict

    def test_p04_a_systemd_that_does_not_answer_is_unknown_and_not_a_stopped_service(self, fake_tool):
        host = fake_tool(systemctl="echo 'Failed to connect to bus' >&2; exit 1", realpath="echo systemd")
        verdict, reason = ask(host, "service", {"name": "x", "running": False})
        assert verdict == "unknown"
        assert reason.endswith("-- x: exit 1: Failed to connect to bus")


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
            ("[::ffff:127.0.0.1]:8005", "127.0.0.1", 8005, True),  # as Tomcat has it
            ("[::ffff:0.0.0.0]:8005", "10.0.0.7", 8005, True),
            ("[::1]:22", "0:0:0:0:0:0:0:1", 22, True),
            ("[2001:db8::a]:22", "2001:DB8::A", 22, True),
            ("127.0.0.1:6310", None, 631, False),
            ("/run/x.sock", "/run/x.sock", None, True),
            ("/run/x.sock2", "/run/x.sock", None, False),
        ],
    )
    def test_which_sockets_are_meant(self, local, host, port, found):
        assert socket_check.matches(local, host, port) is found

    @pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed here")
    @pytest.mark.parametrize(
        ("bound", "alone", "wanted", "listening"),
        [
            ("::ffff:127.0.0.1", False, "127.0.0.1", True),
            ("::", True, "127.0.0.1", False),  # nginx's listen [::]:80
            ("::", False, "127.0.0.1", True),
            ("::", True, "::1", True),
        ],
    )
    def test_what_ipv6_takes_of_ipv4(self, host, bound, alone, wanted, listening):
        with socket.socket(socket.AF_INET6) as server:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(alone))
            server.bind((bound, 0))
            server.listen()
            address = f"tcp://{wanted}:{server.getsockname()[1]}"
            assert word(host, "socket", {"address": address, "listening": listening}) == "pass"

    def test_unix_sockets(self, fake_tool):
        line = "u_str LISTEN 0 4096 /run/x.sock 1234 * 0"
        host = fake_tool(ss=f"echo header; echo '{line}'")
        assert word(host, "socket", {"address": "unix:///run/x.sock", "listening": True}) == "pass"

    @pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed here")
    @pytest.mark.parametrize("name", ["x.sock", "with blank.sock", "link/x.sock", "link.sock", "./x.sock"])
    def test_p04_a_unix_socket_is_found_by_any_name_of_its_file(self, host, tmp_path, name):
        (tmp_path / "link").symlink_to(tmp_path)
        (tmp_path / "link.sock").symlink_to("x.sock")
        with socket.socket(socket.AF_UNIX) as server:
            bound = tmp_path / ("with blank.sock" if "blank" in name else "x.sock")
            server.bind(str(bound))
            server.listen()
            assert word(host, "socket", {"address": f"unix://{tmp_path}/{name}", "listening": False}) == "fail"
            assert word(host, "socket", {"address": f"unix://{tmp_path}/other.sock", "listening": False}) == "pass"
        bound.rename(tmp_path / "old.sock")  # nobody listens any more
        assert word(host, "socket", {"address": f"unix://{tmp_path}/{name}", "listening": False}) == "pass"

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

    @pytest.mark.parametrize("name", ["net.ipv4.ip_forward=0", "net.ipv4.ip_forward = 0", "--system", "-p"])
    def test_p04_what_sysctl_would_set_is_not_asked(self, fake_tool, name):
        host = fake_tool(sysctl="echo 0")
        assert word(host, "sysctl", {"name": name, "value": "0"}) == "unknown"

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

    def line(self, version, status="installed", name="libx:amd64", source="x", binary="9:binary"):
        return "\t".join((status, source, version, binary, name))

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

    @pytest.mark.parametrize(("version", "verdict"), [("5.10.92-1", "fail"), ("5.10.92-2", "pass")])
    def test_a_signed_kernel_goes_by_its_own_version(self, distro, version, verdict):
        """Its source's, 5.10.92+1, is above 5.10.92-2."""
        host = distro(libx=[self.line("5.10.92+1", source="linux-signed-amd64", binary=version)])
        remedy = {"affected": {"packages": [{"name": "libx", "fixed_in": {"debian-12": ["5.10.92-2"]}}]}}
        assert word(host, "package", {"name": "libx", "at_least": "fixed"}, remedy) == verdict

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
        [("0.9", "fail"), ("1.0-5", "pass"), ("1.1", "pass"), ("2.0-1", "fail"), ("2.0-5", "pass"), ("3", "pass")],
    )
    def test_each_stream_goes_by_its_own_fix(self, distro, version, verdict):
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

    @pytest.mark.parametrize(("gone", "verdict"), [("[]", "pass"), ('[{"name": "x", "pid": 7}]', "unknown")])
    def test_processes_of_a_package_whose_alternative_is_here(self, distro, tmp_path, gone, verdict):
        """x-tools or libx: a host that has the one never had the other, unless something runs that is on no disk."""
        python = tmp_path / "python"
        python.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{gone}'\n")
        python.chmod(0o755)
        assert self.processes(distro(libx=[self.line("1:2.0-3")]), str(python), "x-tools") == verdict

    def test_p04_processes_of_a_package_that_is_gone_cannot_be_told(self, distro, tmp_path):
        """Though nothing runs that is on no disk: what has replaced it is not known."""
        python = tmp_path / "python"
        python.write_text("#!/bin/sh\ncat >/dev/null\necho '[]'\n")
        python.chmod(0o755)
        assert self.processes(distro(), str(python)) == "unknown"
        assert self.processes(distro("13"), sys.executable) == "pass"  # the remedy names none for this release


KERNELS = {
    "affected": {
        "packages": [
            {"name": "linux-image-amd64", "fixed_in": {"debian-12": ["6.1.176-1"], "debian-11": "not_affected"}},
            {"name": "linux-image-rt-amd64", "fixed_in": {"debian-12": ["6.1.180-1"], "debian-11": "not_affected"}},
            {"name": "linux-libc-dev", "fixed_in": {"debian-12": ["9.9"]}},
        ]
    }
}


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="versions are compared by dpkg, which is not here")
class TestKernel:
    @pytest.fixture
    def kernel(self, fake_tool, tmp_path, monkeypatch):
        """A host whose kernel is of this package version, with these kernel packages installed."""

        def make(version, *installed, release="12"):
            line = "printf 'installed\\tlinux\\t6.1\\t6.1\\t%s:amd64\\n' \"$name\";;"
            cases = " ".join(f"{name}) {line}" for name in installed)
            query = f"for name; do :; done; case $name in {cases} *) echo none >&2; exit 1;; esac"
            os_release = f'printf "ID=debian\\nVERSION_ID={release}\\n"'
            host = fake_tool(dpkg_query=query, cat=f'[ "$1" = /etc/os-release ] && {os_release} || exec /bin/cat "$@"')
            python = tmp_path / "fakepython"
            python.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{version}'\n")
            python.chmod(0o755)
            host.backend._spec["python"] = str(python)
            return host

        return make

    @pytest.mark.parametrize(
        ("version", "verdict"), [("6.1.176-1", "pass"), ("6.1.180-1", "pass"), ("6.1.99-1", "fail"), ("", "unknown")]
    )
    def test_the_running_one_counts(self, kernel, version, verdict):
        remedy = {"affected": {"packages": KERNELS["affected"]["packages"][:1]}}
        assert word(kernel(version), "kernel", {"at_least": "fixed"}, remedy) == verdict
        assert word(kernel(version), "kernel", {"at_least": "6.1.100"}, remedy) == verdict

    def test_on_rpm_the_package_of_its_file_says_it(self, kernel, fake_tool, tmp_path):
        fields = "kernel-core x86_64 (none) 5.14.0 427.13.1.el9_4 kernel-5.14.0-427.13.1.el9_4.src.rpm kernel-core"
        tells = f'[ "$1 $4" = "-qf --" ] && echo "{fields}" | tr " " "\\t"'
        cat = '[ "$1" = /etc/os-release ] && printf "ID=rhel\\nVERSION_ID=9.4\\n" || exec /bin/cat "$@"'
        kernel("")
        host = fake_tool(rpm=tells, cat=cat)
        host.backend._spec["python"] = str(tmp_path / "fakepython")
        for version, verdict in (("5.14.0-427.13.1.el9_4", "pass"), ("5.14.0-427.16.1.el9_4", "fail")):
            remedy = {"affected": {"packages": [{"name": "kernel-core", "fixed_in": {"el-9": [version]}}]}}
            assert word(host, "kernel", {"at_least": "fixed"}, remedy) == verdict

    @pytest.mark.parametrize(
        ("installed", "verdict"),
        [
            (["linux-image-amd64"], "pass"),
            (["linux-image-rt-amd64"], "fail"),
            (["linux-image-amd64", "linux-image-rt-amd64"], "unknown"),
            ([], "unknown"),
        ],
        ids=str,
    )
    def test_where_kernels_differ_the_installed_one_counts(self, kernel, installed, verdict):
        assert word(kernel("6.1.176-1", *installed), "kernel", {"at_least": "fixed"}, KERNELS) == verdict

    def test_releases(self, kernel):
        assert word(kernel("5.10", release="11"), "kernel", {"at_least": "fixed"}, KERNELS) == "pass"
        assert word(kernel("6.12", release="13"), "kernel", {"at_least": "fixed"}, KERNELS) == "unknown"

    def test_a_remedy_without_a_kernel_is_unknown(self, kernel):
        assert word(kernel("6.1.176-1"), "kernel", {"at_least": "fixed"}, REMEDY) == "unknown"

    def test_what_this_machine_runs_is_asked_of_its_own_code(self, host):
        verdict, reason = ask(host, "kernel", {"at_least": "0.1"}, KERNELS)
        assert (verdict, "running kernel" in reason) == ("pass", True) or "does not tell" in reason


class TestKernelModule:
    @pytest.fixture
    def facts(self, host, tmp_path):
        """What the collection's modprobe.py says; that is tested by itself."""

        def make(**facts):
            said = {"loaded": False, "built_in": False, "used_by": [], "installs": [], "on_disk": True}
            said |= {"has_lists": True, **facts}
            python = tmp_path / "fakepython"
            python.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{json.dumps(said)}'\n")
            python.chmod(0o755)
            host.backend._spec = {**host.backend._spec, "python": str(python)}
            return host

        return make

    @pytest.mark.parametrize(
        ("facts_", "params", "verdict"),
        [
            ({"installs": ["/bin/false"]}, {"loadable": False, "loaded": False}, "pass"),
            ({"installs": ["/usr/bin/true"]}, {"loadable": False}, "pass"),
            ({"installs": ["/sbin/modprobe -i x"]}, {"loadable": False}, "unknown"),
            ({"installs": ["/bin/false", "/sbin/modprobe -i x"]}, {"loadable": False}, "unknown"),
            ({}, {"loadable": False}, "fail"),  # a blacklist, or a comment, keeps nothing out
            ({}, {"loadable": True}, "pass"),
            ({"on_disk": False}, {"loadable": False}, "pass"),
            ({"loaded": True, "installs": ["/bin/false"]}, {"loadable": False, "loaded": False}, "fail"),
            ({"loaded": True, "installs": ["/bin/false"]}, {"loadable": False}, "pass"),
            ({"built_in": True}, {"loaded": False}, "fail"),
            ({"built_in": True, "installs": ["/bin/false"]}, {"loadable": False}, "fail"),
            ({"built_in": True}, {"loaded": True}, "pass"),
            ({"has_lists": False}, {"loaded": False}, "unknown"),  # p04: it may be built in
            ({"has_lists": False, "installs": ["/bin/false"]}, {"loadable": False, "loaded": False}, "unknown"),
            ({"has_lists": False, "on_disk": False}, {"loadable": False}, "unknown"),
            ({"has_lists": False}, {"loaded": True}, "unknown"),
            ({"has_lists": False, "loaded": True}, {"loaded": False}, "fail"),
            ({"has_lists": False, "built_in": True}, {"loaded": False}, "fail"),  # /sys/module has some of those
        ],
        ids=str,
    )
    def test_states(self, facts, facts_, params, verdict):
        assert word(facts(**facts_), "kernel_module", {"name": "x", **params}) == verdict

    def test_p04_without_modprobe_it_is_unknown(self, fake_tool):
        host = fake_tool(modprobe="echo boom >&2; exit 1")
        assert word(host, "kernel_module", {"name": "x", "loadable": False}) == "unknown"


class TestArchiveMember:
    MEMBER = "org/x/Lookup.class"

    @pytest.fixture
    def put(self, tmp_path):
        def call(name, *members):
            with zipfile.ZipFile(tmp_path / name, "w") as found:
                for member, content in members:
                    found.writestr(member, content)
            return (tmp_path / name).read_bytes()

        return call

    def ask(self, host, tmp_path, **params):
        return ask(
            host, "archive_member", {"paths": [str(tmp_path)], "member": self.MEMBER, "archives": None, **params}
        )

    def test_on_every_level(self, host, tmp_path, put):
        jar = put("a.zip", (self.MEMBER, "x"))
        put("clean.jar", ("other", "x"))
        assert self.ask(host, tmp_path)[0] == "pass"
        assert self.ask(host, tmp_path, found=True)[0] == "fail"
        put("b.war", ("lib/a.jar", jar))
        assert self.ask(host, tmp_path) == ("fail", f"1 with {self.MEMBER}: {tmp_path}/b.war")
        assert self.ask(host, tmp_path, found=True)[0] == "pass"
        assert self.ask(host, tmp_path, archives=["*.jar"])[0] == "pass"

    def test_p04_an_archive_that_cannot_be_read_is_unknown_unless_another_surely_has_it(self, host, tmp_path, put):
        (tmp_path / "half.jar").write_bytes(b"PK half")
        verdict, reason = self.ask(host, tmp_path)
        assert (verdict, "half.jar" in reason) == ("unknown", True)
        put("sure.jar", (self.MEMBER, "x"))
        assert self.ask(host, tmp_path)[0] == "fail"

    def test_a_link_out_of_the_paths_is_told(self, host, tmp_path, put):
        (tmp_path / "app").mkdir()
        put("real.jar", (self.MEMBER, "x"))
        (tmp_path / "app/link.jar").symlink_to("../real.jar")
        verdict, reason = self.ask(host, tmp_path / "app")
        assert (verdict, f"link.jar (to {tmp_path}/real.jar)" in reason) == ("fail", True)

    def test_nothing_there_has_nothing(self, host, tmp_path):
        assert self.ask(host, tmp_path / "no")[0] == "pass"


class TestFirewall:
    PARAMS: ClassVar = {"protocol": "tcp", "port": "631", "source": None, "except_from": []}

    def listed(self, *rules):
        chain = {"type": "filter", "hook": "input", "prio": -10, "policy": "accept"}
        items = [{"table": {}}, {"chain": chain}, *({"rule": {"expr": rule}} for rule in rules)]
        return json.dumps({"nftables": items})

    def rules(self):
        flags = {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, ["fin", "syn", "rst", "ack"]]}
        port = {"payload": {"protocol": "tcp", "field": "dport"}}
        states = ["established", "related"]
        return [
            [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"accept": None}],
            [{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": states}}, {"accept": None}],
            [
                {"match": {"op": "==", "left": port, "right": 631}},
                {"match": {"op": "==", "left": flags, "right": "syn"}},
                {"drop": None},
            ],
        ]

    def test_the_rules_in_the_kernel_count(self, fake_tool):
        host = fake_tool(nft=f"echo '{self.listed(*self.rules())}'")
        assert ask(host, "firewall", self.PARAMS) == ("pass", "new connections are dropped")
        host = fake_tool(nft=f"echo '{self.listed(*self.rules()[:2])}'")
        assert word(host, "firewall", self.PARAMS) == "fail"
        let_in = [[{"accept": None}], *self.rules()]
        host = fake_tool(nft=f"echo '{self.listed(*let_in)}'")
        assert ask(host, "firewall", self.PARAMS) == (
            "fail", "the rules of our table are not what they should be: accept",
        )  # fmt: skip

    def test_no_table_is_open_and_p04_a_failing_nft_is_unknown(self, fake_tool):
        host = fake_tool(nft="echo 'Error: No such file or directory' >&2; exit 1")
        assert word(host, "firewall", self.PARAMS) == "fail"
        host = fake_tool(nft="echo 'Operation not permitted (you must be root)' >&2; exit 1")
        assert word(host, "firewall", self.PARAMS) == "unknown"


RPM_REMEDY = {
    "affected": {
        "packages": [
            {"name": "libx", "fixed_in": {"el-9": ["1:2.0-3.el9_5"]}},
            {"name": "stream", "fixed_in": {"el-9": ["1.0-5.module_el9+1", "2.0-5.module_el9+2"]}},
            {"name": "kernel-core", "fixed_in": {"el-9": ["5.14.0-503.el9"]}},
        ]
    }
}


class TestPackageOfRpm:
    """rpm's answers are recorded; a real rpm answers in tests/e2e/test_rpm_lab.py."""

    @pytest.fixture
    def el9(self, fake_tool):
        def make(*lines, rc=0, stderr=""):
            told = "".join(f"printf '%b\n' '{line}';" for line in lines) or "echo package is not installed;"
            release = 'printf "ID=rocky\nVERSION_ID=9.5\n"'
            cat = f'[ "$1" = /etc/os-release ] && {release} || exec /bin/cat "$@"'
            return fake_tool(rpm=f"{told} printf '%s' {stderr!r} >&2; exit {rc}", cat=cat)

        return make

    def line(self, version, name="libx", arch="x86_64", provides=""):
        epoch, _colon, rest = version.rpartition(":")
        return "\\t".join([name, arch, epoch or "(none)", *rest.split("-"), f"{name}-1-1.src.rpm", provides])

    @pytest.mark.parametrize(
        ("version", "verdict"),
        [
            ("1:2.0-3.el9_5", "pass"),
            ("1:2.0-10.el9_5", "pass"),
            ("1:2.0-3.el9", "fail"),
            ("1:2.0~rc1-9.el9", "fail"),
            ("1:2.0^git1-1.el9", "pass"),
            ("9.0-1.el9", "fail"),  # an epoch weighs more than any number
        ],
    )
    def test_versions_compare_as_rpm_compares_them(self, el9, version, verdict):
        assert word(el9(self.line(version)), "package", {"name": "libx", "at_least": "fixed"}, RPM_REMEDY) == verdict

    def test_every_architecture_counts_and_of_kernels_the_newest(self, el9):
        host = el9(self.line("1:2.0-3.el9_5"), self.line("1:2.0-2.el9_5", arch="i686"))
        verdict, reason = ask(host, "package", {"name": "libx", "at_least": "fixed"}, RPM_REMEDY)
        assert (verdict, reason) == ("fail", "libx.i686 1:2.0-2.el9_5 is older than 1:2.0-3.el9_5")
        kernel = {"name": "kernel-core", "provides": "kernel-core installonlypkg(kernel)"}
        host = el9(self.line("5.14.0-427.el9", **kernel), self.line("5.14.0-503.el9", **kernel))
        assert word(host, "package", {"name": "kernel-core", "at_least": "fixed"}, RPM_REMEDY) == "pass"

    def test_a_package_left_twice_by_a_cut_transaction_is_unknown(self, el9):
        host = el9(self.line("1:2.0-3.el9_5"), self.line("1:2.0-2.el9_5"))
        assert word(host, "package", {"name": "libx", "at_least": "fixed"}, RPM_REMEDY) == "unknown"

    def test_each_stream_goes_by_its_own_fix(self, el9):
        for version, verdict in (("1.0-6.module_el9+3", "pass"), ("2.0-4.module_el9+3", "fail")):
            host = el9(self.line(version, name="stream"))
            assert word(host, "package", {"name": "stream", "at_least": "fixed"}, RPM_REMEDY) == verdict

    def test_an_absent_package_is_absent_and_an_unreadable_database_unknown(self, el9):
        asked = {"name": "libx", "at_least": "fixed"}
        assert word(el9(rc=1), "package", asked, RPM_REMEDY) == "pass"
        assert word(el9(rc=1, stderr="error: cannot open Packages database"), "package", asked, RPM_REMEDY) == "unknown"

    def test_the_families_of_remedies_are_the_verifiers(self):
        from stopgap.remedy.values import RPM_DISTROS
        from stopgap.verify import packages

        assert set(packages.RPM_DISTROS) == RPM_DISTROS


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


@pytest.fixture
def attested(tmp_path, monkeypatch):
    """Writes what module attestation leaves on a host."""
    monkeypatch.setattr("stopgap.verify.checks.attestation.FOLDER", str(tmp_path))

    def write(**word):
        said = {"revision": 1, "by": "ann", "reason": "CHG-1", "at": "2026-11-21T10:00:00.000000Z", **word}
        (tmp_path / "CVE-1.json").write_text(json.dumps({"rekey": said}))

    return write


ATTESTABLE = {"id": "CVE-1", "revision": 1, "affected": {"packages": []}}


def test_a_persons_word_passes_with_who_when_and_why(host, attested):
    attested()
    told = ask(host, "attestation", {"obligation": "rekey"}, ATTESTABLE)
    assert told == ("pass", "attested by ann on 2026-11-21: CHG-1")


def test_no_word_or_one_for_something_else_is_unknown(host, attested):
    assert ask(host, "attestation", {"obligation": "rekey"}, ATTESTABLE) == ("unknown", "nobody has attested it")
    attested(revision=7)
    assert "revision 7, attest it again" in ask(host, "attestation", {"obligation": "rekey"}, ATTESTABLE)[1]
    assert word(host, "attestation", {"obligation": "other"}, ATTESTABLE) == "unknown"


class TestMount:
    TABLE = (
        "Welcome, all of this is logged\n"  # by a login, where another backend reads the table
        "22 1 0:5 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "23 22 0:6 / /srv/my\\040data rw,noexec,nosuid - tmpfs tmpfs rw,size=1k\n"
        "24 22 0:7 / /tmp rw - tmpfs tmpfs rw\n"
        "25 22 0:8 / /tmp ro,nodev - tmpfs tmpfs rw\n"
        "26 22 0:9 / /home/app rw,noexec - tmpfs tmpfs rw\n"
        "27 26 0:10 / /home/app/in rw,noexec - tmpfs tmpfs rw\n"
        "28 22 0:11 / /home rw - nfs srv:/home rw\n"
        "29 28 0:12 / /home/db rw,noexec - tmpfs tmpfs rw\n"
        "1 1 0:1 / /odd rw,noexec - rootfs rootfs rw\n"
    )

    @pytest.mark.parametrize(
        ("params", "verdict", "said"),
        [
            ({"path": "/srv/my data", "options": ["noexec", "nosuid", "dev"]}, "pass", "noexec"),
            ({"path": "/srv/my data", "options": ["noexec", "nodev"], "lacks": ["suid"]}, "fail", "lacks nodev"),
            ({"path": "/srv/my data", "lacks": ["nosuid"]}, "fail", "has nosuid"),
            ({"path": "/srv/my data", "options": ["exec"]}, "fail", "lacks exec"),
            ({"path": "/", "lacks": ["noexec"], "options": ["rw"]}, "pass", "relatime"),
            ({"path": "/tmp/", "options": ["ro", "nodev"]}, "pass", "nodev"),
            ({"path": "/tmp", "options": ["rw"]}, "fail", "lacks rw"),
            ({"path": "/home/app", "options": ["noexec"]}, "fail", "not a mount point"),  # p04: /home came over it
            ({"path": "/home/app/in", "options": ["noexec"]}, "fail", "not a mount point"),
            ({"path": "/home/db", "options": ["noexec"]}, "pass", "noexec"),
            ({"path": "/odd", "options": ["noexec"]}, "pass", "noexec"),
            ({"path": "/none", "lacks": ["noexec"]}, "fail", "not a mount point"),
        ],
        ids=str,
    )
    def test_what_the_kernel_says(self, fake_tool, params, verdict, said):
        found = ask(fake_tool(cat=f"printf %s '{self.TABLE}'"), "mount", params)
        assert found[0] == verdict
        assert said in found[1]

    def test_a_table_that_cannot_be_read_is_unknown(self, fake_tool):
        assert word(fake_tool(cat="exit 1"), "mount", {"path": "/", "options": ["rw"]}) == "unknown"

    def test_this_machine(self, host):
        assert word(host, "mount", {"path": "/proc", "lacks": ["ro"]}) == "pass"


class TestUser:
    @pytest.mark.parametrize(
        ("params", "verdict", "said"),
        [
            ({"in_groups": ["root"], "not_in_groups": ["no-such"]}, "pass", "as expected"),
            ({"in_groups": ["no-such"]}, "fail", "is not in no-such"),
            ({"not_in_groups": ["root"]}, "fail", "is in root"),
            ({"shell": "/no/such"}, "fail", "has the shell /"),
        ],
        ids=str,
    )
    def test_what_the_host_says(self, host, params, verdict, said):
        found = ask(host, "user", {"name": "root", **params})
        assert found[0] == verdict
        assert said in found[1]

    @pytest.mark.parametrize(
        ("params", "verdict"),
        [
            ({"in_groups": ["domain users"], "not_in_groups": ["users"]}, "pass"),
            ({"in_groups": ["users"]}, "fail"),
            ({"not_in_groups": ["domain users"]}, "fail"),
        ],
        ids=str,
    )
    def test_a_group_with_a_blank_in_its_name_is_one_group(self, fake_tool, params, verdict):
        """Those of Active Directory have them."""
        found = r"case $1 in *z*) printf 'eve\0domain users\0' ;; *) echo eve domain users ;; esac"
        host = fake_tool(getent="echo eve:x:1:1::/:/bin/sh", id=found)
        assert word(host, "user", {"name": "eve", **params}) == verdict

    def test_nobody_of_that_name_fails(self, host):
        assert ask(host, "user", {"name": "no-such", "shell": "/bin/sh"}) == ("fail", "there is no user no-such")

    def test_a_name_service_that_does_not_answer_is_unknown(self, fake_tool):
        assert word(fake_tool(getent="exit 3"), "user", {"name": "root", "shell": "/bin/sh"}) == "unknown"
