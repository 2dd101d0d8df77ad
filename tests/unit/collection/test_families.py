"""Whose package manager a host has: os-release first, then what lies there."""

import pytest

from ansible_collections.stopgap.remediation.plugins.module_utils import packages

FACTS = ("installed", "compare", "unfinished", "siblings", "running_kernel")
INSTALLER = ("update", "candidates", "pinned", "spec", "install", "simulate", "MEND", "RELEASE")
CONFFILES = ("of", "report", "still_edited", "OLD")


@pytest.mark.parametrize("name", sorted(packages.FAMILIES))
def test_a_family_answers_everything_that_is_asked_of_one(name):
    family = packages.FAMILIES[name]
    for part, words in ((family.facts, FACTS), (family.installer, INSTALLER), (family.conffiles, CONFFILES)):
        assert [word for word in words if not hasattr(part, word)] == []
    assert family.distros
    assert family.marks


def only(monkeypatch, *paths):
    monkeypatch.setattr(packages.os.path, "exists", lambda path: path in paths)


@pytest.mark.parametrize(("distro", "name"), [("debian-12", "apt"), ("ubuntu-22.04", "apt")])
def test_the_distribution_decides_whatever_else_is_installed(monkeypatch, distro, name):
    only(monkeypatch, "/usr/bin/dnf", "/usr/bin/zypper", "/var/lib/dpkg/status")
    assert packages.family(distro) is packages.FAMILIES[name]


@pytest.mark.parametrize(("mark", "name"), [("/var/lib/dpkg/status", "apt")])
@pytest.mark.parametrize("distro", [None, "unheard-of-1"])
def test_a_distribution_nobody_knows_goes_by_what_lies_there(monkeypatch, distro, mark, name):
    only(monkeypatch, mark)
    assert packages.family(distro) is packages.FAMILIES[name]


def test_none_of_them_is_an_error_that_says_where_it_looked(monkeypatch):
    only(monkeypatch)
    with pytest.raises(packages.NoFamily, match="looked for /var/lib/dpkg/status"):
        packages.family("unheard-of-1")
