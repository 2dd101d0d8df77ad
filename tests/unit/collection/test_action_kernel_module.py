"""Kernel modules on recorded facts of Debian 12 and EL 9: no real one is ever touched here."""

import os
from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import modprobe
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import kernel_module
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

LOADED = """\
nf_tables 380928 41 nft_compat,nft_counter, Live 0xffffffffc0a5b000
nft_counter 16384 14 - Live 0xffffffffc0a52000
nft_compat 20480 0 - Live 0xffffffffc0a4c000
usb_storage 94208 1 uas, Live 0xffffffffc0930000
uas 32768 0 - Live 0xffffffffc0928000
cramfs 53248 0 - Live 0xffffffffc0c00000
"""
BUILT_IN = "kernel/fs/ext4/ext4.ko\nkernel/net/unix/unix.ko\nkernel/drivers/char/hw_random/rng-core.ko\n"
ON_DISK = (
    "kernel/fs/cramfs/cramfs.ko.xz: kernel/drivers/mtd/mtd.ko.xz\nkernel/net/sctp/sctp.ko: \n"
    "kernel/drivers/usb/storage/usb-storage.ko.xz:\n"
)


class Kernel:
    """What rmmod and modprobe do to the list of loaded modules."""

    def __init__(self, path):
        self.path, self.argvs = path, []

    def __call__(self, argv):
        self.argvs.append(argv)
        verb, name = argv
        if verb == "modprobe" and not modprobe.on_disk(name):
            raise ActionError(f"modprobe: FATAL: Module {name} not found")
        lines = self.path.read_text().splitlines(keepends=True)
        if verb == "rmmod":
            lines = [line for line in lines if not line.startswith(name + " ")]
        else:
            lines.append(f"{name} 16384 0 - Live 0x0\n")
        self.path.write_text("".join(lines))
        return ""


@pytest.fixture
def kernel(tmp_path, monkeypatch, target):
    loaded, library = tmp_path / "modules", tmp_path / "lib" / os.uname().release
    library.mkdir(parents=True)
    loaded.write_text(LOADED)
    (library / "modules.builtin").write_text(BUILT_IN)
    (library / "modules.dep").write_text(ON_DISK)
    (tmp_path / "sys/vt").mkdir(parents=True)
    (tmp_path / "sys/cramfs").mkdir()
    (tmp_path / "sys/cramfs/initstate").write_text("live\n")
    for name, value in (("LOADED", loaded), ("LIBRARY", library.parent), ("LIVE", tmp_path / "sys")):
        monkeypatch.setattr(modprobe, name, str(value))
    monkeypatch.setattr(modprobe, "configuration", lambda: "install cramfs /bin/false\n")
    monkeypatch.setattr(kernel_module, "FOLDER", target.path("modprobe.d"))
    found = Kernel(loaded)
    monkeypatch.setattr(kernel_module, "must", found)
    return found


def kept_out(name, **params):
    return remedy("CVE-1", {"type": "kernel_module", "params": {"name": name, **params}})


def test_kernel_module_unloaded_and_loaded_again(kernel, target):
    before = target.tree()
    assert target.present(kept_out("cramfs"), check=True)[0]["state"] == "would_apply"
    done = target.present(kept_out("cramfs"))[0]
    assert (done["state"], done["reason"], kernel.argvs) == ("applied", "in force", [["rmmod", "cramfs"]])
    text = Path(target.path("modprobe.d/stopgap-cramfs.conf")).read_text()
    assert text == "blacklist cramfs\ninstall cramfs /bin/false\n"
    assert not target.present(kept_out("cramfs"))[0]["changed"]
    assert target.absent(kept_out("cramfs"))[0]["state"] == "lifted"
    assert kernel.argvs[1:] == [["modprobe", "cramfs"]]
    assert target.tree() == before


def test_kernel_module_that_is_not_loaded_is_not_loaded_by_lifting(kernel, target):
    assert target.present(kept_out("sctp"))[0]["state"] == "applied"
    target.absent(kept_out("sctp"))
    assert kernel.argvs == []


def test_kernel_module_that_the_kernel_booted_since_does_not_have_is_lifted(kernel, target):
    """The fix brought a kernel that has it built in, or has it no more: nothing loads it there."""
    before = target.tree()
    target.present(kept_out("cramfs"))
    (Path(modprobe.LIBRARY) / os.uname().release / "modules.dep").write_text("")
    kernel.argvs.clear()
    told = target.absent(kept_out("cramfs"))[0]
    assert (told["state"], kernel.argvs) == ("lifted", []), told["reason"]
    assert "this kernel has no module cramfs" in told["reason"]
    assert target.tree() == before


def test_hyphens_are_underscores(kernel, target):
    resources = {kernel_module.KernelModule({"name": name}).resource for name in ("nf-tables", "nf_tables")}
    assert resources == {"kernel_module:nf_tables"}


@pytest.mark.parametrize(("name", "users"), [("usb-storage", "uas"), ("nf_tables", "nft_compat, nft_counter")])
def test_kernel_module_in_use_changes_nothing(kernel, target, name, users):
    for check in (True, False):
        told = target.present(kept_out(name), check=check)[0]
        assert (told["state"], told["changed"]) == ("failed", False)
        assert f"in use by {users}" in told["reason"]
    assert (kernel.argvs, target.tree()) == ([], {})


def test_kernel_module_that_the_kernel_does_not_let_go_of_is_put_back(kernel, target, monkeypatch):
    def busy(argv):
        raise ActionError("rmmod cramfs: exit code 1: Module cramfs is in use")

    monkeypatch.setattr(kernel_module, "must", busy)
    told = target.present(kept_out("cramfs"))[0]
    assert (told["state"], "everything was put back" in told["reason"]) == ("failed", True)
    assert target.tree() == {}


@pytest.mark.parametrize("name", ["ext4", "rng_core", "rng-core", "vt"])
def test_kernel_module_that_is_built_in_needs_a_boot_parameter(kernel, target, name):
    told = target.present(kept_out(name))[0]
    assert (told["state"], "initcall_blacklist" in told["reason"]) == ("failed", True)
    assert target.tree() == {}


def test_only_what_is_asked_for(kernel, target):
    done = target.present(kept_out("cramfs", blacklist=True, install_false=False, unload=False))[0]
    assert "cramfs is loaded, and stays so until the next boot" in done["reason"]
    assert Path(target.path("modprobe.d/stopgap-cramfs.conf")).read_text() == "blacklist cramfs\n"
    assert kernel.argvs == []


def test_only_unloaded(kernel, target):
    only = kept_out("cramfs", blacklist=False, install_false=False, unload=True)
    assert target.present(only)[0]["state"] == "applied"
    assert target.tree() == {}
    assert target.absent(only)[0]["state"] == "lifted"
    assert kernel.argvs == [["rmmod", "cramfs"], ["modprobe", "cramfs"]]


def test_another_command_for_the_module_is_told(kernel, target, monkeypatch):
    monkeypatch.setattr(
        modprobe, "configuration", lambda: "install sctp /bin/false\ninstall sctp /sbin/modprobe -i sctp\n"
    )
    assert "says: install sctp /sbin/modprobe -i sctp" in target.present(kept_out("sctp"))[0]["reason"]


def test_another_command_that_modprobe_finds_first_is_a_failure(kernel, target, monkeypatch):
    """It goes by the first, in the order of the files' names over all of its folders."""
    monkeypatch.setattr(
        modprobe, "configuration", lambda: "install sctp /sbin/modprobe -i sctp\ninstall sctp /bin/false\n"
    )
    told = target.present(kept_out("sctp"))[0]
    assert (told["state"], target.tree()) == ("failed", {})
    assert "another file comes first: install sctp /sbin/modprobe -i sctp" in told["reason"]


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("cramfs", {"loaded": True, "built_in": False, "used_by": [], "installs": ["/bin/false"], "on_disk": True}),
        ("usb-storage", {"loaded": True, "built_in": False, "used_by": ["uas"], "installs": [], "on_disk": True}),
        ("ext4", {"loaded": False, "built_in": True, "used_by": [], "installs": [], "on_disk": False}),
        ("sctp", {"loaded": False, "built_in": False, "used_by": [], "installs": [], "on_disk": True}),
        ("nothing", {"loaded": False, "built_in": False, "used_by": [], "installs": [], "on_disk": False}),
    ],
)
def test_facts(kernel, name, facts):
    assert modprobe.facts(name) == {**facts, "has_lists": True}


def test_without_the_lists_of_the_running_kernel_nobody_knows_what_is_built_in(kernel, monkeypatch):
    monkeypatch.setattr(modprobe, "LIBRARY", "/nonexistent")
    assert not modprobe.facts("ext4")["has_lists"]


def test_what_modprobe_prints_of_its_configuration():
    shown = "blacklist pcspkr\ninstall usb_storage /bin/true\nalias char_major_1_* cramfs\noptions cramfs x=1\n"
    assert modprobe.installs(shown, "usb_storage") == ["/bin/true"]
    assert modprobe.installs(shown, "cramfs") == []
    assert modprobe.installs("# install cramfs /bin/false\n#install cramfs /bin/false\n", "cramfs") == []


@pytest.mark.parametrize("name", ["../x", "a b", "a;b"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ActionError, match="not the name of a module"):
        kernel_module.KernelModule({"name": name})


def test_kernel_module_that_another_holds_with_other_lines_is_refused(kernel, target):
    """One file a module: who asks for less must not take away what the first one has in it."""

    def wanted(name, **params):
        return remedy(name, {"type": "kernel_module", "params": {"name": "sctp", **params}})

    assert target.present(wanted("CVE-1"))[0]["state"] == "applied"
    told = target.present(wanted("CVE-2", install_false=False))[0]
    assert told["state"] == "failed"
    assert "another mitigation holds" in told["reason"]
    assert target.present(wanted("CVE-3"))[0]["state"] == "applied"
