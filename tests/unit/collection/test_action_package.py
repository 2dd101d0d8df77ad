"""What is done to a package, and what is refused; a real apt is asked in tests/e2e/test_taken_away_lab.py."""

from pathlib import Path

import pytest
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import packages
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import package
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError
from ansible_collections.stopgap.remediation.plugins.module_utils.packages import debs, dpkg
from ansible_collections.stopgap.remediation.plugins.module_utils.packages.tools import Result


class Apt:
    """A host with one package and its one unit; does to them what apt and the package's scripts would."""

    compare = staticmethod(dpkg.compare)

    def __init__(self, cache):
        self.cache, self.done, self.chosen = cache, [], False
        self.facts = [{"name": "foo", "arch": "amd64", "version": "2.0-1", "held": False, "broken": None}]
        self.auto, self.unit = False, {"active": "inactive", "masked": "no", "enabled": "disabled"}

    def installed(self, names):
        return {name: [dict(fact) for fact in self.facts if fact["name"] == name] for name in names}

    def prove_removable(self, fact):
        self.done.append("looked")

    def prove_settable(self, fact, version):
        self.done.append("looked")

    def prove_obtainable(self, fact):
        if not self.cache:
            raise debs.not_obtainable(fact, "E: gone")

    def fetch(self, fact, folder):
        self.prove_obtainable(fact)
        path = Path(folder) / "x.deb"
        path.write_text(fact["version"])
        return str(path)

    def is_auto(self, fact):
        return self.auto

    def choices(self, fact):
        return {"editor": "/bin/foo"} if self.chosen else {}

    def choose(self, name, path):
        assert (name, path) == ("editor", "/bin/foo")
        self.chosen = True

    def mark_auto(self, fact, auto):
        self.auto = auto

    def units(self, fact):
        return ["foo.service"]

    def remove(self, fact):
        self.done.append("removed")
        self.facts, self.auto, self.chosen = [], False, False

    def set_version(self, fact, version):
        self.done.append(f"set {version}")
        self._install(version)

    def install_file(self, fact, path):
        self.done.append("put back")
        self._install(Path(path).read_text())

    def _install(self, version):
        """As the scripts of many packages do: enabled and started."""
        self.facts = [{"name": "foo", "arch": "amd64", "version": version, "held": False, "broken": None}]
        self.unit = {"active": "active", "masked": "no", "enabled": "enabled"}

    def hold(self, fact):
        self._of(fact)["held"] = True

    def unhold(self, fact):
        self._of(fact)["held"] = False

    def _of(self, fact):
        return next(one for one in self.facts if one["arch"] == fact["arch"])


@pytest.fixture
def apt(monkeypatch):
    found = Apt(cache=True)

    class Unit:
        def __init__(self, params):
            assert params == {"name": "foo.service"}

        def read(self):
            return dict(found.unit)

        def revert(self, prior, written):
            found.unit = dict(prior)

    family = packages.Family(**dict.fromkeys(packages.Family._fields))
    monkeypatch.setattr(packages, "family", lambda distro=None: family._replace(facts=found, keeping=found))
    monkeypatch.setattr(package, "Service", Unit)
    return found


def foo(**params):
    return remedy("CVE-1", {"type": "package", "params": {"name": "foo", **params}})


@pytest.mark.parametrize(
    ("params", "version", "held"),
    [({"removed": True}, None, False), ({"version": "1.0-1"}, "1.0-1", True), ({"held": True}, "2.0-1", True)],
    ids=["removed", "version", "held"],
)
@pytest.mark.parametrize("auto", [False, True])
@pytest.mark.parametrize("was_held", [False, True])
@pytest.mark.parametrize("chosen", [False, True])
def test_package_there_and_back(apt, target, params, version, held, auto, was_held, chosen):
    apt.auto, apt.facts[0]["held"], apt.chosen = auto, was_held, chosen
    before = (apt.installed(["foo"]), apt.auto, dict(apt.unit), chosen)
    assert target.present(foo(**params), check=True)[0]["state"] in ("would_apply", "applied")
    assert (apt.installed(["foo"]), apt.auto, apt.unit, apt.chosen) == before
    assert target.present(foo(**params))[0]["state"] == "applied"
    state = package.Package({"name": "foo", **params}).read()
    assert (state["version"], state["held"]) == (version, held)
    assert apt.unit == before[2]
    assert not target.present(foo(**params))[0]["changed"]
    assert target.absent(foo(**params))[0]["state"] == "lifted"
    assert (apt.installed(["foo"]), apt.auto, apt.unit, apt.chosen) == before


@pytest.mark.parametrize("check", [True, False])
def test_package_whose_file_cannot_be_had_is_not_touched(apt, target, check):
    apt.cache = None
    for params in ({"removed": True}, {"version": "1.0-1"}):
        told = target.present(foo(**params), check=check)[0]
        assert (told["state"], told["changed"]) == ("failed", False)
        assert "foo 2.0-1 could not be put back" in told["reason"]
    assert apt.done == ["looked", "looked"]


def test_package_with_the_fix_stays_when_the_older_version_is_lifted(apt, target):
    target.present(foo(version="1.0-1"))
    apt.set_version(None, "2.0-1+deb12u1")
    told = target.absent(foo(version="1.0-1"))[0]
    assert (told["state"], told["reason"]) == ("lifted", "lifted; foo is at 2.0-1+deb12u1 by now, and stays there")
    assert apt.facts[0]["version"] == "2.0-1+deb12u1"


def test_package_that_somebody_installed_again_is_told(apt, target):
    target.present(foo(removed=True))
    apt.set_version(None, "2.0-2")
    told = target.absent(foo(removed=True))[0]
    assert (told["state"], "version is 2.0-2, not None" in told["reason"]) == ("refused", True)


def test_package_put_back_by_hand_is_nothing_to_do(apt, target):
    target.present(foo(removed=True))
    apt.set_version(None, "2.0-1")
    assert target.absent(foo(removed=True))[0]["state"] == "lifted"
    assert "put back" not in apt.done


def test_package_that_is_not_there(apt, target):
    apt.facts = []
    assert target.present(foo(removed=True))[0]["reason"] == "in force"
    for params in ({"held": True}, {"version": "1"}):
        assert "foo is not installed" in target.present(foo(**params), mitigation="m")[0]["reason"]
    assert apt.done == []


def test_package_that_is_broken_or_there_twice_is_refused(apt, target):
    apt.facts = [dict(apt.facts[0], arch=arch) for arch in ("amd64", "i386")]
    assert "installed more than once (amd64 2.0-1, i386 2.0-1)" in target.present(foo(removed=True))[0]["reason"]
    apt.facts = [dict(apt.facts[0], broken="half-configured")]
    assert "foo is half-configured: repair it first" in target.present(foo(held=True))[0]["reason"]


def test_a_hold_of_one_architecture_is_not_ours_to_take(apt, target):
    apt.facts = [dict(apt.facts[0], arch=arch, held=arch == "i386") for arch in ("amd64", "i386")]
    before = apt.installed(["foo"])
    assert target.present(foo(held=True))[0]["changed"]
    assert [one["held"] for one in apt.facts] == [True, True]
    assert target.absent(foo(held=True))[0]["state"] == "lifted"
    assert apt.installed(["foo"]) == before


def test_a_family_that_cannot_yet_says_so(apt, target, monkeypatch):
    family = packages.family()._replace(keeping=None)
    monkeypatch.setattr(packages, "family", lambda distro=None: family)
    assert "choose another mitigation" in target.present(foo(held=True))[0]["reason"]


def test_nothing_asked_for_is_refused():
    with pytest.raises(ActionError, match="neither held nor removed nor version"):
        package.Package({"name": "foo"})


FOO = {"name": "foo", "arch": "amd64", "version": "1:2.0-1"}
PLAN = "Remv foo [1:2.0-1]\nRemv foo-plugin [1.0]\nInst libfoo:i386 (1.0 Debian)\nConf libfoo:i386\n"


@pytest.mark.parametrize(
    ("plan", "others"),
    [(PLAN, ["foo-plugin", "libfoo:i386"]), ("Remv foo [1:2.0-1]\n", []), ("Remv foo:amd64 [1:2.0-1]\n", []), ("", [])],
)
def test_what_apt_would_change_besides(plan, others, monkeypatch):
    assert debs.others_in(plan, FOO) == others
    monkeypatch.setattr(debs, "run", lambda *args, **kwargs: Result(0, plan))
    for prove in (debs.prove_removable, lambda fact: debs.prove_settable(fact, "1")):
        if others:
            with pytest.raises(ActionError, match=r"would (remove|change) others too: foo-plugin, libfoo:i386;"):
                prove(FOO)
        else:
            prove(FOO)


def test_the_units_of_a_package(monkeypatch):
    listed = (
        "/lib/systemd/system/foo.service\n/usr/lib/systemd/system/foo.socket\n/lib/systemd/system/foo@.service\n"
        "/lib/systemd/system/foo.service.d/x.conf\n/etc/init.d/foo-old\n/usr/lib/systemd/user/mine.service\n"
    )
    answers = {"dpkg-query": listed, "systemctl": "foo@a.service loaded active running Foo a\n"}
    monkeypatch.setattr(debs, "read", lambda argv: answers[argv[0]])
    assert debs.units(FOO) == ["foo-old.service", "foo.service", "foo.socket", "foo@a.service"]


def test_the_alternatives_that_a_person_has_set_to_a_package(monkeypatch):
    selections = (
        "editor                         manual   /usr/bin/foo\n"
        "pager                          auto     /usr/bin/foo\n"
        "vi                             manual   /usr/bin/my other\n"
    )
    answers = {"dpkg-query": "/usr/bin/foo\n/usr/share/doc/foo\n", "update-alternatives": selections}
    monkeypatch.setattr(debs, "read", lambda argv: answers[argv[0]])
    assert debs.choices(FOO) == {"editor": "/usr/bin/foo"}


def test_a_cached_file_counts_by_what_it_says_of_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(debs, "CACHE", str(tmp_path))
    path = tmp_path / "foo_1%3a2.0-1_amd64.deb"
    path.touch()
    said = {"Package": "foo", "Version": "1:2.0-1", "Architecture": "amd64"}
    output = "".join(f"{key}: {value}\n" for key, value in said.items())
    monkeypatch.setattr(debs.command, "execute", lambda argv: debs.command.Output(0, output, ""))
    assert debs.cached_file(FOO) == str(path)
    assert debs.cached_file(dict(FOO, version="1:2.0-2")) is None
    output = output.replace("amd64", "arm64")
    assert debs.cached_file(FOO) is None


@pytest.mark.parametrize(
    ("unfinished", "configured"), [([], True), (["foo is half-configured"], True), (["bar is unpacked"], False)]
)
def test_what_our_own_killed_run_left_is_finished_and_nobody_elses(monkeypatch, unfinished, configured):
    interrupted = "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
    answers, ran = [Result(100, interrupted), Result(0, "")], []
    monkeypatch.setattr(debs, "run_apt", lambda argv: answers.pop(0))
    monkeypatch.setattr(debs, "run", lambda argv, *args, **kwargs: ran.append(argv))
    monkeypatch.setattr(debs.dpkg, "unfinished", lambda: unfinished)
    if configured:
        debs.remove(FOO)
        assert ran[0][-2:] == ["--configure", "-a"]
    else:
        with pytest.raises(debs.InstallError, match="interrupted"):
            debs.remove(FOO)
        assert ran == []
