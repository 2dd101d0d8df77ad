import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.actions import sysctl
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

KEY = "net.ipv4.conf.all.accept_redirects"


@pytest.fixture
def kernel(target, monkeypatch):
    """A /proc/sys of plain files, and folders that sysctl --system would read."""
    proc = target.root.parent / "proc"
    monkeypatch.setattr(sysctl, "PROC", str(proc))
    monkeypatch.setattr(sysctl, "FOLDERS", (target.path("etc"), target.path("lib")))
    monkeypatch.setattr(sysctl, "LAST", target.path("sysctl.conf"))
    live = proc / KEY.replace(".", "/")
    live.parent.mkdir(parents=True)
    live.write_text("1\n")
    return live


def setting(**params):
    return remedy("CVE-1", {"type": "sysctl", "params": {"name": KEY, "value": "0", **params}})


def test_sysctl_sets_both_and_restores_both(target, kernel):
    before = target.tree()
    assert target.present(setting())[0]["reason"] == "in force"
    assert kernel.read_text() == "0\n"
    assert (target.root / "etc" / f"90-stopgap-{KEY}.conf").read_text() == f"{KEY} = 0\n"
    assert not target.present(setting())[0]["changed"]
    target.absent(setting())
    assert kernel.read_text() == "1\n"
    assert target.tree() == before


def test_sysctl_tells_which_file_would_undo_it_at_boot(target, kernel):
    (target.root / "etc").mkdir()
    (target.root / "etc/10-early.conf").write_text(f"{KEY} = 1\n")
    (target.root / "etc/99-late.conf").write_text(f"# {KEY} = 5\n-{KEY.replace('.', '/')}=1\n")
    told = target.present(setting())[0]["reason"]
    assert told == f"in force; {target.path('etc/99-late.conf')} sets {KEY} again at boot"


def test_sysctl_that_the_last_file_sets_alike_is_not_undone_at_boot(target, kernel):
    (target.root / "etc").mkdir()
    (target.root / "etc/95-other.conf").write_text(f"{KEY} = 1\n")
    (target.root / "etc/99-late.conf").write_text(f"{KEY}=0\n")
    assert target.present(setting())[0]["reason"] == "in force"


@pytest.mark.parametrize("check", [True, False])
def test_sysctl_takes_nobody_elses_setting_out_of_a_file(target, kernel, check):
    (target.root / "etc").mkdir()
    (target.root / "etc/99-site.conf").write_text(f"# {KEY} = 5\n{KEY}=1\nnet.ipv4.ip_forward = 1\n")
    before = target.tree()
    told = target.present(setting(file=target.path("etc/99-site.conf")), check=check)[0]
    assert (told["state"], target.tree(), kernel.read_text()) == ("failed", before, "1\n")
    assert "99-site.conf sets net.ipv4.ip_forward too" in told["reason"]
    (target.root / "etc/99-site.conf").write_text(f"# {KEY} = 5\n{KEY}=1\n")
    assert target.present(setting(file=target.path("etc/99-site.conf")), check=check)[0]["state"] != "failed"


def test_sysctl_changed_by_hand_since_refuses(target, kernel):
    target.present(setting())
    kernel.write_text("2\n")
    assert "value is 2, not 0" in target.absent(setting())[0]["reason"]
    assert kernel.read_text() == "2\n"
    assert target.absent(setting(), force=True)[0]["state"] == "lifted"
    assert kernel.read_text() == "1\n"


def test_sysctl_reset_by_hand_is_lost_and_put_in_force_again(target, kernel):
    target.present(setting())
    kernel.write_text("2\n")
    assert target.present(setting())[0]["changed"]
    assert kernel.read_text() == "0\n"
    target.absent(setting())
    assert kernel.read_text() == "2\n"
    assert target.tree() == {}


def test_sysctl_that_is_gone_needs_nothing(target, kernel):
    """The fix is another kernel, say, which does not have it."""
    target.present(setting())
    kernel.unlink()
    told = target.absent(setting())[0]
    assert (told["state"], target.tree()) == ("lifted", {}), told["reason"]
    assert told["reason"] == f"lifted; this kernel has no sysctl {KEY} any more, so only its file was put back"
    assert not kernel.exists()


def test_sysctl_that_is_gone_is_lost(target, kernel):
    target.present(setting())
    kernel.unlink()
    assert "this kernel has no sysctl" in target.present(setting())[0]["reason"]


def test_sysctl_for_all_interfaces_leaves_each_of_them_as_it_was(target, kernel, monkeypatch):
    """The kernel sets each interface along, and lets a host that forwards no more take redirects again."""
    conf = kernel.parents[1]
    values = {"all": (1, 0), "default": (1, 0), "eth0": (1, 1), "eth1": (0, 0)}
    for name, settings in values.items():
        (conf / name).mkdir(exist_ok=True)
        for key, value in zip(("forwarding", "accept_redirects"), settings, strict=True):
            (conf / name / key).write_text(f"{value}\n")

    def seen():
        return {
            name: tuple(int((conf / name / key).read_text()) for key in ("forwarding", "accept_redirects"))
            for name in values
        }

    write = sysctl.write_value

    def write_as_the_kernel(key, value):
        write(key, value)
        if key == "net/ipv4/conf/all/forwarding":
            for path in conf.glob("*/forwarding"):
                path.write_text(value + "\n")
            (conf / "all/accept_redirects").write_text("0\n" if value == "1" else "1\n")

    monkeypatch.setattr(sysctl, "write_value", write_as_the_kernel)
    off = remedy("CVE-1", {"type": "sysctl", "params": {"name": "net.ipv4.conf.all.forwarding", "value": "0"}})
    target.present(off)
    assert seen() == {"all": (0, 0), "default": (0, 0), "eth0": (0, 1), "eth1": (0, 0)}
    target.absent(off)
    assert seen() == values


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
        ("net/ipv4/conf/eth0.1/rp_filter", "net/ipv4/conf/eth0.1/rp_filter"),
    ],
)
def test_sysctl_names(name, path):
    assert sysctl.as_path(name) == path


def test_sysctl_lines_of_any_kind_are_read(tmp_path):
    """What somebody wrote into a file that is read at boot must not undo a mitigation."""
    path = tmp_path / "99.conf"
    path.write_text("/net/ipv4/tcp_sack = 1\n/../x = 2\n = 3\nkernel.x\n-net.ipv4.ip_forward = 4\n")
    assert sysctl.sets(str(path), "net/ipv4/tcp_sack") == "1"
    assert sysctl.sets(str(path), "net/ipv4/ip_forward") == "4"
    assert sysctl.sets(str(path), "net/ipv4/other") is None


@pytest.mark.parametrize("name", ["/etc/passwd", "net/../../etc/passwd"])
def test_sysctl_names_stay_below_proc_sys(name):
    with pytest.raises(ActionError):
        sysctl.as_path(name)


def test_sysctl_in_two_files_is_refused_since_only_one_of_them_could_be_taken_back(target, kernel):
    before = target.tree()
    target.present(setting())
    other = remedy(
        "CVE-2", {"type": "sysctl", "params": {"name": KEY, "value": "0", "file": target.path("etc/99.conf")}}
    )
    told = target.present(other)[0]
    assert told["state"] == "failed"
    assert f"is kept in {target.path('etc')}/90-stopgap-{KEY}.conf" in told["reason"]
    target.absent(setting())
    assert target.tree() == before
