"""Distributions and kernels in the words of remedies."""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import system


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm', "debian-12"),
        ('NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"', "ubuntu-22.04"),
        ('ID="rhel"\nVERSION_ID="9.4"', "el-9"),
        ('ID="almalinux"\nID_LIKE="rhel centos fedora"\nVERSION_ID="8.10"', "el-8"),
        ('ID="rocky"\nVERSION_ID="9.5"', "el-9"),
        ('ID="centos"\nVERSION_ID="9"', "el-9"),
        ('ID="ol"\nVERSION_ID="9.3"', "el-9"),
        ('ID="fedora"\nVERSION_ID=39', "fedora-39"),
        ('ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"', "amzn-2023"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.5"', "opensuse-leap-15"),
        ('ID="sles"\nVERSION_ID="15.5"', "sles-15"),
        ('ID="sles_sap"\nVERSION_ID="15.4"', "sles-15"),
        ("ID=debian\nVERSION_CODENAME=forky", "debian-forky"),
        ('ID=linuxmint\nID_LIKE=ubuntu\nVERSION_ID="21.2"', "linuxmint-21.2"),  # like Ubuntu is not Ubuntu
        ("ID=arch", None),
        ("# nothing", None),
        ("", None),
    ],
)
def test_distro_key(text, key):
    assert system.distro_key(system.parse_os_release(text)) == key


@pytest.mark.parametrize(
    ("uname", "signature", "version"),
    [
        ("#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-11-01)", "", "6.1.176-1"),
        ("#1 SMP Debian 5.10.223-1 (2024-08-10)", "", "5.10.223-1"),
        ("#101-Ubuntu SMP Tue Nov 14 13:30:08 UTC 2023", "Ubuntu 5.15.0-91.101-generic 5.15.131\n", "5.15.0-91.101"),
        ("#16~22.04.1-Ubuntu SMP", "Ubuntu 5.15.0-1052.57~20.04.1-aws 5.15.1\n", "5.15.0-1052.57~20.04.1"),
        ("#1 SMP PREEMPT_DYNAMIC @0", "", None),
    ],
)
def test_running_kernel_by_its_package_version(uname, signature, version):
    assert system.kernel_version(uname, signature) == version


def test_this_machine():
    told = system.describe()
    assert set(told) == {"distro", "kernel", "arch", "host_id"}
    assert system.describe('ID=debian\nVERSION_ID="12"')["distro"] == "debian-12"


@pytest.mark.parametrize("said", ["", "\n", "uninitialized\n", None])
def test_a_machine_that_has_no_id_shares_none_with_others(said, tmp_path, monkeypatch):
    monkeypatch.setattr(system, "MACHINE_ID", str(tmp_path / "machine-id"))
    if said is not None:
        (tmp_path / "machine-id").write_text(said)
    assert system.host_id() == ""


def test_a_machine_s_id_is_told_as_a_hash(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "MACHINE_ID", str(tmp_path / "machine-id"))
    (tmp_path / "machine-id").write_text("0a1b2c3d4e5f60718293a4b5c6d7e8f9\n")
    first = system.host_id()
    assert len(first) == 32
    assert "0a1b2c3d" not in first
    (tmp_path / "machine-id").write_text("1a1b2c3d4e5f60718293a4b5c6d7e8f9\n")
    assert system.host_id() != first


def test_a_kernel_is_the_hosts_own_where_its_files_are(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "KERNEL_FILES", (str(tmp_path / "vmlinuz-%s"),))
    assert system.own_kernel() == ""
    release = system.describe()["kernel"]
    (tmp_path / f"vmlinuz-{release}").touch()
    assert system.own_kernel() == release
