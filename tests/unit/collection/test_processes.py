"""Old code, on a made-up /proc from case files, and on this machine's own where that is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap.remediation.plugins.module_utils import processes

CASES = sorted((Path(__file__).parents[2] / "cases/old_code").glob("*.yml"))
MAP = "7f000-7f001 r-xp 00000000 {device} {inode} {pad}{path}\n"


def make_process(
    proc, pid, maps=(), comm="nginx", root="/", cgroup="0::/init.scope", cmdline="nginx", device="ff:ff", inode=7
):
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    lines = [MAP.format(device=device, inode=inode, pad=" " * 20, path=path) for path in maps]
    (folder / "maps").write_text("".join(lines) + "7f000-7f001 rw-p 00000000 00:00 0\n")
    (folder / "comm").write_text(comm + "\n")
    (folder / "cmdline").write_text(cmdline.replace(" ", "\0", 1) + "\0")
    (folder / "cgroup").write_text(cgroup + "\n")
    (folder / "root").symlink_to(root)
    return folder


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_old_code(path, tmp_path):
    case = yaml.safe_load(path.read_text())
    process = dict(case["process"])
    make_process(tmp_path, 1, comm="systemd", cgroup=process.pop("init_cgroup", "0::/init.scope"))
    make_process(tmp_path, 42, **process)
    found = processes.old_code(["pkg"], files=lambda package: case["files"], proc=str(tmp_path))
    expect = case["expect"]
    assert found == ([{"pid": 42, "name": "nginx", "package": "pkg", **expect}] if expect else [])


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
