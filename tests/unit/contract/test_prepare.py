"""How a host is made vulnerable: what is asked of it, and the texts that are changed on it."""

import importlib.util
import re
from pathlib import Path

import pytest

import stopgap.contract
from stopgap.contract.archive import Archive
from stopgap.contract.ground import Ground, Packaged
from stopgap.contract.needs import Needs
from stopgap.contract.prepare import package_plan
from stopgap.contract.programs import package_of_program, package_of_unit
from stopgap.contract.sidecar import Surroundings

CONTROL = """Package: acme
Source: acme-src (2.0-1)
Version: 2.0-1+b2
Architecture: amd64
Pre-Depends: acme-common (= 2.0-1), libc6 (>= 2.36)
Depends: libacme1 (= ${x}), adduser
Description: acme
 Depends: in a description stays (= 1)
"""


def on_host(name):
    spec = importlib.util.spec_from_file_location(
        name, Path(stopgap.contract.__file__).parent / "on_host" / f"{name}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def packages():
    return on_host("packages")


@pytest.fixture(scope="module")
def surroundings():
    return on_host("surroundings")


def test_a_package_under_another_number_is_that_source_version_and_takes_any_sibling(packages):
    text = packages.renumbered(CONTROL, "1:1.9-3~stopgap0")
    assert "\nVersion: 1:1.9-3~stopgap0\n" in text
    assert "\nSource: acme-src\n" in text
    assert "\nPre-Depends: acme-common, libc6 (>= 2.36)\n" in text
    assert "\nDepends: libacme1, adduser\n" in text
    assert "stays (= 1)" in text


def test_only_what_the_vulnerable_version_breaks_is_loosened(packages, tmp_path, monkeypatch):
    status = tmp_path / "status"
    status.write_text(
        "Package: a\nDepends: acme (= 2.0-1), acme-common (= 2.0-1)\n\n"
        "Package: b\nDepends: acme (>= 1.0), libacme:amd64 (= 3)\n\nPackage: c\nDescription: acme (= 9)\n"
    )
    monkeypatch.setattr(packages, "STATUS", str(status))
    packages.relax_dependents("acme", "1.9-1")
    text = status.read_text()
    assert "Depends: acme, acme-common (= 2.0-1)\n" in text
    assert "Depends: acme (>= 1.0), libacme:amd64 (= 3)\n" in text
    assert "Description: acme (= 9)" in text


def test_a_package_that_another_kept_out_is_not_made_vulnerable(packages, monkeypatch):
    """exim4-daemon-light and -heavy exclude each other; a remedy names both."""
    monkeypatch.setattr(packages, "version_of", {"light": "1-1"}.get)
    named = [{"name": "light", "kind": "repacked"}, {"name": "heavy", "kind": "repacked"}]
    own = {"name": "acme", "kind": "synthetic"}
    assert list(packages.to_replace([*named, own])) == [named[0], own]


def test_packages_that_exclude_each_other_are_installed_as_far_as_that_goes(packages, monkeypatch):
    def run(*command):
        if {"light", "heavy"} <= set(command) or ("light" in command and "--no-remove" in command):
            raise packages.Problem("apt-get -q: E: no")

    monkeypatch.setattr(packages, "run", run)
    notes = []
    packages.apt_install_most(["heavy", "light", "other"], notes)
    assert notes == ["light beside heavy: apt-get -q: E: no"]


def test_the_cause_that_dpkg_gives_is_told_with_the_package(packages):
    said = (
        "Selecting…\ndpkg: error processing archive b.deb (--install):\n a conflicts with b\nErrors were encountered\n"
    )
    assert packages.reason(said) == "dpkg: error processing archive b.deb (--install): a conflicts with b"
    assert packages.reason("one\ntwo\n") == "one; two"


def test_a_line_is_added_only_where_the_pattern_finds_none(surroundings):
    wanted = {"pattern": r"^open\s*=", "text": "open = 1"}
    assert surroundings.with_text("a\n", wanted) == "a\nopen = 1\n"
    assert surroundings.with_text("open=0\n", wanted) == "open=0\n"


@pytest.mark.parametrize("link", [False, True])
def test_what_is_the_machines_own_is_not_written(surroundings, tmp_path, link, monkeypatch):
    """A lab host shares the kernel: /proc/sys and /sys are the machine's."""
    monkeypatch.setattr(surroundings, "problems", [])
    monkeypatch.setattr(surroundings, "write", lambda path, _text: pytest.fail(f"wrote {path}"))
    path = tmp_path / "version" if link else Path("/proc/version")
    if link:
        path.symlink_to("/proc/version")
    surroundings.ready_file({"path": str(path), "text": "no such version"})
    assert surroundings.problems == [f"{path} is the machine's own and stays as it is"]
    surroundings.ready_file({"path": str(path), "text": "Linux version"})
    assert len(surroundings.problems) == 1, "that is as it should be already"


def test_a_folder_that_is_searched_has_a_file_with_the_text(surroundings, tmp_path):
    surroundings.ready_file({"path": f"{tmp_path}/conf.d/", "text": "open = 1"})
    assert [file.read_text() for file in (tmp_path / "conf.d").iterdir()] == ["open = 1\n"]


@pytest.mark.parametrize(("said", "written"), [("x11forwarding yes", False), ("x11forwarding no", True)])
def test_a_setting_that_is_in_force_already_is_not_written(surroundings, tmp_path, said, written):
    file = tmp_path / "x.conf"
    surroundings.ready_file({"path": str(file), "text": "x11forwarding yes", "unless": ["echo", said]})
    assert file.exists() == written


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[a]\nb = 1\n"),
        ("[a]\nc = 2\n[d]\n", "[a]\nb = 1\nc = 2\n[d]\n"),
        ("[a]\n b=0\n", "[a]\n b=0\n"),
    ],
)
def test_an_option_that_shall_go_is_put_into_its_section(surroundings, before, after):
    assert surroundings.with_option(before, ["a", "b"]) == after


def test_a_service_that_does_not_start_with_what_was_written_for_it_has_a_stand_in_and_that_is_told(
    surroundings, tmp_path, monkeypatch
):
    down = set()

    def run(*command):
        if command[1] == "try-restart":
            down.add(command[2])
        return int(command[-1] in down and command[1] in ("start", "is-active")), ""

    monkeypatch.setattr(surroundings, "run", run)
    monkeypatch.setattr(surroundings, "must", lambda *command: True)
    monkeypatch.setattr(surroundings, "UNITS", str(tmp_path))
    monkeypatch.setattr(surroundings, "changed", {"/etc/acme.conf"})
    monkeypatch.setattr(surroundings, "problems", [])
    surroundings.ready_units({"acme": {"running": True, "enabled": True}}, [], [])
    assert (tmp_path / "acme.service.d/stopgap-standin.conf").exists()
    (told,) = surroundings.problems
    assert "acme.service does not start here (/etc/acme.conf was written for the remedy)" in told


def test_the_plan_builds_what_the_archive_lacks_and_no_more():
    ground = Ground(
        "bookworm",
        "debian-12",
        (
            Packaged("acme", "repacked", "1~stopgap0", "1", archived=True),
            Packaged("beta", "synthetic", "2~stopgap0", "2"),
        ),
    )
    needs = Needs(programs={"nginx", "no-such"}, packages={"telnetd": None, "jq": "1.5-1"}, units={"smbd": {}})
    known = dict.fromkeys(("acme", "nginx", "telnetd", "jq", "samba"), ("3", "3"))
    plan = package_plan(ground, Archive("bookworm", known, {}), needs, Surroundings(packages=["curl"]))
    assert plan["install"] == ["acme", "curl", "jq", "telnetd"]
    assert plan["programs"] == {"nginx": "nginx", "no-such": None}
    assert plan["units"] == {"smbd": "samba"}
    assert [one["name"] for one in plan["vulnerable"]] == ["acme", "beta"]
    assert [one["name"] for one in plan["fixed"]] == ["beta"]
    assert plan["others"] == [{"name": "jq", "kind": "repacked", "version": "1.5-1"}]


def test_an_rpm_host_has_its_programs_from_debian_and_its_packages_from_nowhere_there():
    ground = Ground("bookworm", "el-9", (Packaged("acme", "synthetic", "1-1.el9~stopgap0", "1-1.el9"),))
    plan = package_plan(
        ground, Archive("bookworm", {"nginx": ("1", "1")}, {}), Needs(programs={"nginx"}), Surroundings()
    )
    assert plan["programs"] == {"nginx": "nginx"}
    assert plan["install"] == plan["vulnerable"] == plan["fixed"] == []


def test_programs_and_units_are_found_by_the_table_or_by_their_own_name():
    known = {"openssh-server", "nginx", "samba", "bind9"}
    assert package_of_program("/usr/sbin/sshd", known) == "openssh-server"
    assert package_of_program("nginx", known) == "nginx"
    assert package_of_program("testparm", known) is None
    assert package_of_unit("smbd.service", known) == "samba"
    assert package_of_unit("named", known) == "bind9"


def test_no_script_for_hosts_needs_more_than_the_standard_library():
    folder = Path(stopgap.contract.__file__).parent / "on_host"
    for file in folder.glob("*.py"):
        assert not re.search(r"^(from|import) stopgap", file.read_text(), re.MULTILINE)
