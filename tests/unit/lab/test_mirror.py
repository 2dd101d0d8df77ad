"""Finding the archive in apt's own sources."""

import pytest

from stopgap.lab import LabError, mirror

DEBIAN = 'ID=debian\nVERSION_CODENAME="bookworm"\n'
DEB822 = """\
Types: deb
# a remark inside a stanza
URIs: http://one.example/debian/
Suites: bookworm bookworm-updates
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm

Types: deb
URIs: http://off.example/debian-security
Suites: bookworm-security
Enabled: no

Types: deb
URIs:
 http://two.example/debian-security
Suites: bookworm-security
"""
ONE_LINE = """\
# deb http://remark.example/debian bookworm main
deb cdrom:[disk]/ bookworm main
deb-src http://source.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://three.example/debian bookworm main
deb http://four.example/security bookworm-security main
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with Debian's os-release and empty apt sources."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "os-release").write_text(DEBIAN)
    monkeypatch.delenv("STOPGAP_LAB_MIRROR", raising=False)
    monkeypatch.delenv("STOPGAP_LAB_SECURITY_MIRROR", raising=False)
    sources, codename = mirror.apt_sources, mirror.debian_codename
    monkeypatch.setattr(mirror, "apt_sources", lambda: sources(tmp_path))
    monkeypatch.setattr(mirror, "debian_codename", lambda: codename(tmp_path / "os-release"))
    return tmp_path


def test_stanza_sources_are_read(machine):
    (machine / "sources.list.d" / "debian.sources").write_text(DEB822)
    assert mirror.find_mirror() == "http://one.example/debian"
    assert mirror.find_security_mirror() == "http://two.example/debian-security"


@pytest.mark.parametrize("place", ["sources.list", "sources.list.d/debian.list"])
def test_one_line_sources_are_read(machine, place):
    (machine / place).write_text(ONE_LINE)
    assert mirror.find_mirror() == "http://three.example/debian"
    assert mirror.find_security_mirror() == "http://four.example/security"


def test_environment_goes_before_apt(machine, monkeypatch):
    (machine / "sources.list").write_text(ONE_LINE)
    monkeypatch.setenv("STOPGAP_LAB_MIRROR", "http://mine.example/debian/")
    monkeypatch.setenv("STOPGAP_LAB_SECURITY_MIRROR", "http://mine.example/security/")
    assert mirror.find_mirror() == "http://mine.example/debian"
    assert mirror.find_security_mirror() == "http://mine.example/security"


def test_no_mirror_names_the_way_out(machine):
    with pytest.raises(LabError, match="set STOPGAP_LAB_MIRROR"):
        mirror.find_mirror()
    with pytest.raises(LabError, match="set STOPGAP_LAB_SECURITY_MIRROR"):
        mirror.find_security_mirror()


def test_another_distribution_is_not_taken_for_debian(machine):
    (machine / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (machine / "sources.list").write_text("deb http://five.example/ubuntu noble main\n")
    with pytest.raises(LabError, match="STOPGAP_LAB_MIRROR"):
        mirror.find_mirror()


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('Acquire::http::Proxy "http://proxy.example:3128";', True),
        ('Acquire::https::Proxy "http://proxy.example:3128";', True),
        ('Acquire::http::Proxy::local.example "DIRECT";', True),
        ('Acquire::Check-Valid-Until "false";', True),
        ('Acquire::http::Proxy "";', False),
        ('Acquire::Languages "none";', False),
        ('DPkg::Post-Invoke:: "rm x";', False),
    ],
)
def test_hosts_inherit_only_what_reaches_the_archive(line, kept):
    assert bool(mirror.INHERITED.match(line)) is kept
