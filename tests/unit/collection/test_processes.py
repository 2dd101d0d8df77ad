"""Old code, on a made-up /proc from case files, and on this machine's own where that is needed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap.remediation.plugins.module_utils import processes

CASES = sorted((Path(__file__).parents[2] / "cases/old_code").glob("*.yml"))
MAP = "7f000-7f001 r-xp 00000000 {device} {inode} {pad}{path}\n"


def make_process(
    proc, pid, maps=("/usr/bin/any",), comm="nginx", root="/", cgroup="0::/init.scope", cmdline="nginx", device="ff:ff",
    inode=7, opened=(), cwd="/",
):  # fmt: skip
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    lines = [MAP.format(device=device, inode=inode, pad=" " * 20, path=path) for path in maps]
    (folder / "maps").write_text("".join(lines) + "7f000-7f001 rw-p 00000000 00:00 0\n")
    (folder / "comm").write_text(comm + "\n")
    words = [cmdline.replace(" ", "\0", 1)] if isinstance(cmdline, str) else cmdline
    (folder / "cmdline").write_text("\0".join(words) + "\0")
    (folder / "stat").write_text(f"{pid} (a name) with) S {' '.join(['0'] * 18)} 0 0\n")  # began when the machine did
    (folder / "cgroup").write_text(cgroup + "\n")
    (folder / "root").symlink_to(root)
    (folder / "cwd").symlink_to(cwd)
    (folder / "fd").mkdir()
    for number, path in enumerate(opened):
        (folder / f"fd/{number}").symlink_to(path)
    return folder


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_old_code(path, tmp_path):
    case = yaml.safe_load(path.read_text())
    process = dict(case["process"])
    make_process(tmp_path, 1, comm="systemd", cgroup=process.pop("init_cgroup", "0::/init.scope"))
    make_process(tmp_path, 42, **process)
    installed = {"before": 0, "after": time.time()}[case.get("installed", "after")]  # than the process began
    found = processes.old_code(
        ["pkg"], files=lambda package: case["files"], proc=str(tmp_path), installed_at=lambda package: installed
    )
    expect = case["expect"]
    assert found == ([{"pid": 42, "name": "nginx", "package": "pkg", "sure": True, **expect}] if expect else [])


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "libx.so"
    path.write_text("new")
    return path


@pytest.mark.parametrize(
    ("same_device", "same_inode", "old"),
    [
        (True, True, False),
        (True, False, True),
        (False, False, False),  # overlayfs and btrfs: the kernel and stat speak of different devices
    ],
)
def test_another_file_at_the_mapped_path(tmp_path, library, same_device, same_inode, old):
    status = library.stat()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}" if same_device else "ff:ff"
    proc = tmp_path / "proc"
    make_process(proc, 1)
    make_process(proc, 42, [str(library)], device=device, inode=status.st_ino if same_inode else status.st_ino + 1)
    found = processes.old_code(["x"], files=lambda package: [str(library)], proc=str(proc))
    assert [process["pid"] for process in found] == ([42] if old else [])


def test_an_open_file_is_told_by_its_inode_where_another_lies_at_its_path(tmp_path):
    jar, old = tmp_path / "x.jar", tmp_path / "was"
    jar.write_text("old")
    jar.rename(old)
    proc = tmp_path / "proc"
    make_process(proc, 1)
    folder = make_process(proc, 42)
    (folder / "fd/3").symlink_to(jar)  # a link of /proc leads to the file itself, whatever lies at its path

    def ask():
        return [one["pid"] for one in processes.old_code(["x"], files=lambda package: [str(jar)], proc=str(proc))]

    stat = os.stat
    for held, expected in ((old, [42]), (jar, [])):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "stat", lambda path, *a, held=held, **k: stat(held if "/fd/" in str(path) else path))
            jar.write_text("new")
            assert ask() == expected


def test_a_process_on_two_packages_is_told_for_each(tmp_path):
    make_process(tmp_path, 1)
    make_process(tmp_path, 42, ["/usr/lib/a.so (deleted)", "/usr/lib/b.so (deleted)"])
    found = processes.old_code(["a", "b"], files=lambda package: [f"/usr/lib/{package}.so"], proc=str(tmp_path))
    assert [(process["package"], process["files"]) for process in found] == [
        ("a", ["/usr/lib/a.so"]),
        ("b", ["/usr/lib/b.so"]),
    ]


def test_a_process_that_ends_meanwhile_is_no_trouble(tmp_path):
    make_process(tmp_path, 1)
    (tmp_path / "43").mkdir()
    assert processes.old_code(["x"], files=lambda package: ["/x"], proc=str(tmp_path)) == []


def test_a_hidden_or_absent_proc_is_unreadable(tmp_path):
    make_process(tmp_path, 42)
    for proc in (tmp_path, tmp_path / "none"):
        with pytest.raises(processes.Unreadable):
            processes.old_code(["x"], files=lambda package: ["/x"], proc=str(proc))


def test_maps_that_may_not_be_read_are_unreadable(tmp_path, monkeypatch):
    make_process(tmp_path, 1)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(processes, "read", refuse)
    with pytest.raises(processes.Unreadable, match="process 1: Permission denied"):
        processes.old_code(["x"], files=lambda package: ["/x"], proc=str(tmp_path))


# --- a package's files


@pytest.fixture
def admin(tmp_path):
    (tmp_path / "info").mkdir()
    return tmp_path


def test_files_of_several_architectures_and_what_links_lead_to(admin, tmp_path):
    (tmp_path / "redis-check-rdb").write_text("")
    (tmp_path / "redis-server").symlink_to("redis-check-rdb")
    (admin / "info/redis:amd64.list").write_text(f"{tmp_path}/redis-server\n")
    (admin / "info/redis:i386.list").write_text("/usr/lib/i386-linux-gnu/x\n")
    (admin / "info/redis-tools.list").write_text("/usr/bin/other\n")
    found = processes.package_files("redis", str(admin))
    assert found == {f"{tmp_path}/redis-server", f"{tmp_path}/redis-check-rdb", "/usr/lib/i386-linux-gnu/x"}


def test_a_diverted_file_lies_elsewhere(admin):
    (admin / "info/a.list").write_text("/usr/bin/tool\n")
    (admin / "diversions").write_text("/usr/bin/tool\n/usr/bin/tool.distrib\nb\n")
    assert processes.package_files("a", str(admin)) == {"/usr/bin/tool.distrib"}


def test_the_time_of_installation_is_that_of_the_newest_list(admin):
    for name, moment in (("a:amd64", 2000), ("a:i386", 1000)):
        path = admin / f"info/{name}.list"
        path.write_text("")
        os.utime(path, (moment, moment))
    assert processes.install_time("a", str(admin)) == 2000


def test_what_dpkg_does_not_list_is_asked_of_rpm(admin, tmp_path, monkeypatch):
    rpm = tmp_path / "rpm"
    rpm.write_text(
        '#!/bin/sh\ncase "$*" in\n"-q -l a") echo /usr/bin/a;;\n*INSTALLTIME*) printf "5\\n7\\n";;\n*) exit 1;;\nesac\n'
    )
    rpm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert processes.package_files("a", str(admin)) == {"/usr/bin/a"}
    assert processes.install_time("a", str(admin)) == 7
    with pytest.raises(processes.Unreadable, match="no list of the files of b"):
        processes.package_files("b", str(admin))


def test_a_package_without_a_list_is_unreadable_and_not_empty(admin):
    with pytest.raises(processes.Unreadable, match="is it installed"):
        processes.package_files("nobody", str(admin))


# --- as the verifier runs it


def run_alone(*packages):
    source = Path(processes.__file__).read_text()
    return subprocess.run([sys.executable, "-I", "-c", source, *packages], capture_output=True, text=True)


def test_the_source_runs_alone_and_prints_json():
    done = run_alone()
    if done.returncode:  # processes with more rights than we have
        assert "cannot read the maps of process" in done.stderr
    else:
        assert json.loads(done.stdout) == []


def test_alone_it_says_in_one_line_what_is_missing():
    done = run_alone("no-such-package-here")
    assert done.returncode == 1
    assert done.stderr == "no list of the files of no-such-package-here: is it installed?\n"


def test_a_unit_that_is_shipped_masked_makes_nobody_run_old_code(tmp_path):
    """sudo ships sudo.service as a link to /dev/null, and every daemon in a namespace of its own holds another one."""
    proc = tmp_path / "proc"
    make_process(proc, 1)
    make_process(proc, 2, comm="redis-server", opened=["/dev/null (deleted)"])
    found = processes.old_code(["sudo"], lambda package: ["/usr/bin/sudo", "/dev/null"], str(proc), lambda package: 0)
    assert found == []


def test_a_program_that_nothing_replaced_is_gone(tmp_path):
    """A daemon of a removed package runs on; a replaced one has its successor at its path; memory is no program."""
    root = tmp_path / "root"
    (root / "usr/sbin").mkdir(parents=True)
    (root / "usr/sbin/replaced").touch()
    proc = tmp_path / "proc"
    make_process(proc, 1, root=str(root))
    make_process(proc, 2, maps=("/usr/sbin/removed (deleted)",), comm="removed", root=str(root))
    make_process(proc, 3, maps=("/usr/sbin/replaced (deleted)",), root=str(root))
    make_process(proc, 4, maps=("/dev/zero (deleted)", "/memfd:x (deleted)"), root=str(root))
    assert processes.gone_code(str(proc)) == [{"pid": 2, "name": "removed", "path": "/usr/sbin/removed"}]
