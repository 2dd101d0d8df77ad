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


def test_sysctl_that_is_gone_needs_nothing_but_force(target, kernel):
    target.present(setting())
    kernel.unlink()
    assert target.absent(setting())[0]["state"] == "refused"
    assert target.absent(setting(), force=True)[0]["state"] == "lifted"
    assert not kernel.exists()


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
