"""Telling a laptop from a small virtual machine."""

import pytest

from stopgap.lab import LabError
from stopgap.lab.limits import ENOUGH, raise_limits, restore_limits
from stopgap.lab.machine import Machine, find_podman, inspect_machine

PURE = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = (
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
)


@pytest.mark.parametrize(
    ("mounts", "capabilities", "machine"),
    [
        (PURE, "000001ffffffffff", Machine(hybrid_cgroups=False, limits_fixed=False)),
        (HYBRID, "000001ffffffffff", Machine(hybrid_cgroups=True, limits_fixed=False)),
        (HYBRID, "000001fffeffffff", Machine(hybrid_cgroups=True, limits_fixed=True)),
    ],
)
def test_the_kernel_says_what_it_is(mounts, capabilities, machine):
    assert inspect_machine(mounts, f"Name:\tx\nCapEff:\t{capabilities}\n") == machine


def test_podman_is_never_a_labs_wrapper(tmp_path):
    for folder, text in (("wrapper", "#!/bin/sh\n# podman as the lab runs it.\n"), ("real", "#!/bin/sh\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "podman").write_text(text)
        (tmp_path / folder / "podman").chmod(0o755)
    assert find_podman(f"{tmp_path}/none:{tmp_path}/wrapper:{tmp_path}/real") == f"{tmp_path}/real/podman"
    with pytest.raises(LabError, match="lab setup"):
        find_podman(f"{tmp_path}/wrapper")


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    monkeypatch.setattr("stopgap.lab.paths.RUNTIME", tmp_path)
    return tmp_path


def test_a_raised_limit_is_put_back(runtime):
    setting = runtime / "max_user_instances"
    setting.write_text("128\n")
    raise_limits(setting, runtime)
    raise_limits(setting, runtime)
    assert int(setting.read_text()) == ENOUGH
    restore_limits(setting, runtime)
    assert setting.read_text() == "128\n"


def test_a_limit_high_enough_is_left_alone(runtime):
    setting = runtime / "max_user_instances"
    setting.write_text("999999\n")
    raise_limits(setting, runtime)
    restore_limits(setting, runtime)
    assert setting.read_text() == "999999\n"
