"""Which host a remedy is tried on, from what the archive has."""

import pytest

from stopgap.contract.archive import Archive, read_packages
from stopgap.contract.errors import GroundError
from stopgap.contract.ground import choose
from stopgap.contract.versions import just_below

EMPTY = {suite: Archive(suite, {}, {}) for suite in ("bookworm", "trixie", "bullseye")}


def archives(**versions):
    """bookworm={"acme": ("main's version", "security's")}"""
    found = dict(EMPTY)
    for suite, packages in versions.items():
        main = {name: (pair[0], pair[0]) for name, pair in packages.items()}
        security = {name: (pair[1], pair[1]) for name, pair in packages.items() if pair[1]}
        found[suite] = Archive(suite, main, security)
    return found.__getitem__


def remedy(introduced=None, name="acme", **fixed):
    fixed_in = {key.replace("_", "-"): value for key, value in fixed.items()}
    return {"affected": {"packages": [{"name": name, "introduced": introduced, "fixed_in": fixed_in}], "when": []}}


def test_real_packages_are_taken_where_main_is_vulnerable_and_security_fixed():
    archive_of = archives(bookworm={"acme": ("2.0-1", None)}, trixie={"acme": ("2.1-1", "2.1-1+deb13u1")})
    ground = choose(remedy(debian_12=["2.0-1"], debian_13=["2.1-1+deb13u1"]), archive_of)
    assert (ground.suite, ground.kind) == ("trixie", "real")
    assert [(one.vulnerable, one.fixed) for one in ground.packages] == [("2.1-1", "2.1-1+deb13u1")]


def test_a_fix_that_main_has_already_leaves_only_the_vulnerable_package_to_be_made():
    ground = choose(remedy(debian_12=["2.0-1+deb12u3"]), archives(bookworm={"acme": ("2.0-1+deb12u7", None)}))
    (package,) = ground.packages
    assert (package.kind, package.vulnerable, package.archived) == ("repacked", "2.0-1+deb12u3~stopgap0", True)


def test_a_fix_that_the_archive_lacks_is_made_too():
    ground = choose(remedy(debian_12=["9.9-1"]), archives(bookworm={"acme": ("2.0-1", None)}))
    assert [(one.fixed, one.archived) for one in ground.packages] == [("9.9-1", False)]


def test_a_package_that_the_archive_lacks_is_a_small_stand_in():
    ground = choose(remedy(debian_12=["2.0-1"]), EMPTY.__getitem__)
    assert (ground.suite, ground.kind, ground.packages[0].fixed) == ("bookworm", "synthetic", "2.0-1")


def test_main_below_the_bug_is_no_vulnerable_package():
    archive_of = archives(bookworm={"acme": ("1.0-1", "2.0-2")})
    assert choose(remedy("2.0-1", debian_12=["2.0-2"]), archive_of).kind == "repacked"


def test_a_release_the_lab_lacks_is_posed_with_both_versions_made():
    ground = choose(remedy(ubuntu_22_04=["2.0-1ubuntu1"]), archives(bookworm={"acme": ("3.0-1", None)}))
    assert ground.distro == "ubuntu-22-04"
    assert ground.poses
    assert not ground.packages[0].archived


def test_a_kernel_is_never_a_real_package():
    archive_of = archives(bookworm={"linux-image-amd64": ("6.1.1-1", None)})
    assert choose(remedy(name="linux-image-amd64", debian_12=["6.1.1-1"]), archive_of).kind == "synthetic"


def test_a_release_nobody_can_stand_in_for_says_so():
    with pytest.raises(GroundError, match="fixed_in: slackware-15"):
        choose(remedy(slackware_15=["1-1"]), EMPTY.__getitem__)


@pytest.mark.parametrize(
    ("fixed", "introduced", "vulnerable"),
    [
        (["1:9.2p1-2+deb12u3"], "1:8.5p1", "1:9.2p1-2+deb12u3~stopgap0"),
        (["2.0-1", "3.0-1"], None, "2.0-1~stopgap0"),
        (["5.6.1+really5.4.5-1"], "5.6.0-0.1", "5.6.1-0stopgap1"),
        (["2.0-1"], "2.0-1~rc1", "2.0-1~stopgap0"),
    ],
)
def test_the_vulnerable_version_is_below_every_fix_and_not_below_the_bug(fixed, introduced, vulnerable):
    assert just_below(fixed, introduced) == vulnerable


def test_source_versions_are_read_from_where_the_archive_writes_them():
    text = (
        "Package: zlib1g\nSource: zlib (1:1.3-1)\nVersion: 1:1.3-1+b1\n\n"
        "Package: acme\nVersion: 2-1\n\n"
        "Package: linux-image-x\nSource: linux-signed-amd64 (6.1.7+1)\nVersion: 6.1.7-1\n"
    )
    found = read_packages(text)
    assert found == {"zlib1g": ("1:1.3-1+b1", "1:1.3-1"), "acme": ("2-1", "2-1"), "linux-image-x": ("6.1.7-1",) * 2}
