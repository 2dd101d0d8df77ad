"""What is done to a unit, by cases; tests/e2e/test_actions_lab.py asks a real systemd."""

import os
from pathlib import Path

import pytest
import yaml
from tests.unit.collection.target import remedy

from ansible_collections.stopgap.remediation.plugins.module_utils.action import differing
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import service
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/service/decided.yml").read_text())


class Systemd:
    """Knows one unit, and does to it what systemctl would."""

    def __init__(self, active, unit_file):
        self.active, self.files, self.verbs, self.there = active, [unit_file], [], True

    def __call__(self, argv):
        verb = " ".join(argv[1:-1])
        if verb == "show --property=LoadState":
            return f"LoadState={'masked' if 'masked' in self.files[-1] else 'loaded' if self.there else 'not-found'}\n"
        if verb.startswith("show"):
            return f"ActiveState={self.active}\nUnitFileState={self.files[-1]}\n"
        self.verbs.append(verb)
        self.effect(*verb.split())
        return ""

    def effect(self, verb, runtime=""):
        if not self.there and verb not in ("mask", "unmask"):
            raise ActionError(f"systemctl {verb}: no such unit")
        if verb == "start" and "masked" in self.files[-1]:
            raise ActionError("systemctl start: Unit x.service is masked.")
        suffix = "-runtime" if runtime else ""
        if verb in ("start", "stop"):
            self.active = "active" if verb == "start" else "inactive"
        elif verb == "unmask":
            self.files = self.files[:-1] or [""]
        elif verb == "mask":
            self.files.append("masked" + suffix)
        else:
            self.files[-1] = verb + "d" + suffix

    def purge(self):
        self.active, self.files, self.there = "inactive", ["", *self.files[1:]], False


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_service_cases(case, monkeypatch):
    systemd = Systemd(*case["unit"])
    monkeypatch.setattr(service, "must", systemd)
    action = service.Service({"name": "x", **case["params"]})
    prior = action.read()
    wanted = action.desired(prior)
    action.apply(prior)
    assert systemd.verbs == case["apply"]
    assert not differing(action.read(), wanted)
    systemd.verbs = []
    action.revert(prior, wanted)
    assert systemd.verbs == case["revert"]
    assert not differing(action.read(), {key: prior[key] for key in wanted})


@pytest.mark.parametrize(
    ("params", "force"),
    [
        ({"running": False, "masked": True}, False),
        ({"running": False, "masked": True, "enabled": False}, False),
        ({"running": False}, False),
        ({"running": False, "enabled": False}, True),
    ],
)
def test_a_unit_that_is_gone_with_its_package_can_be_lifted(target, monkeypatch, params, force):
    systemd = Systemd("active", "enabled")
    monkeypatch.setattr(service, "must", systemd)
    target.present(remedy("CVE-1", {"type": "service", "params": {"name": "x", **params}}))
    systemd.purge()
    told = target.absent(remedy("CVE-1"), force=force)[0]
    assert (told["state"], systemd.files) == ("lifted", [""]), told["reason"]
    assert "x.service is gone" in told["reason"]


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("linked", [True, False])
def test_service_whose_file_lies_where_the_mask_would_is_refused_before_anything_is_done(
    target, monkeypatch, linked, check
):
    file = Path(target.path("x.service"))
    file.symlink_to("/opt/x.service") if linked else file.write_text("[Service]\nExecStart=/bin/true\n")
    systemd = Systemd("active", "enabled")
    monkeypatch.setattr(service, "must", systemd)
    monkeypatch.setattr(service, "CONFIG_FOLDERS", (target.path(""), target.path("run")))
    masked = {"type": "service", "params": {"name": "x", "running": False, "masked": True}}
    result = target.present(remedy("CVE-1", target.file("y.conf"), masked), check=check)[0]
    assert (result["state"], result["changed"], systemd.verbs) == ("failed", False, [])
    assert f"where {file} is" in result["reason"]
    assert result["reason"].endswith("nothing was changed")


def test_service_that_does_not_start_keeps_the_mask_that_somebody_gave_it(monkeypatch):
    systemd = Systemd("active", "masked")
    monkeypatch.setattr(service, "must", systemd)
    action = service.Service({"name": "x", "running": False})
    prior = action.read()
    action.apply(prior)
    systemd.there = False
    monkeypatch.setattr(service.Service, "_is_gone", lambda self: False)
    with pytest.raises(ActionError, match="systemctl start"):
        action.revert(prior, action.desired(prior))
    assert systemd.files[-1] == "masked"


def test_service_aliases_count_as_their_unit(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "UNIT_FOLDERS", (str(tmp_path),))
    (tmp_path / "ssh.service").touch()
    (tmp_path / "sshd.service").symlink_to("ssh.service")
    (tmp_path / "off.service").symlink_to("/dev/null")
    found = [service.Service({"name": name}).resource for name in ("ssh", "sshd", "sshd.service", "off", "x.socket")]
    assert found == ["service:ssh.service"] * 3 + ["service:off.service", "service:x.socket"]


def test_service_whose_file_lies_elsewhere_under_another_name_is_no_alias(tmp_path, monkeypatch):
    """As `systemctl link` makes it; systemd knows the unit by the name of the link."""
    units = tmp_path / "units"
    units.mkdir()
    (tmp_path / "app-2.1.service").touch()
    (units / "app.service").symlink_to(tmp_path / "app-2.1.service")
    monkeypatch.setattr(service, "UNIT_FOLDERS", (str(units),))
    assert service.Service({"name": "app"}).resource == "service:app.service"


class Linked(Systemd):
    """Disabling takes every link to the unit away, also those that people made; then one that was a link is gone."""

    def __init__(self, folder, after):
        super().__init__("active", "enabled")
        self.folder, self.after = folder, after

    def links(self):
        return {
            str(path.relative_to(self.folder)): os.readlink(path)
            for path in self.folder.rglob("*")
            if path.is_symlink()
        }

    def effect(self, verb, runtime=""):
        if verb == "disable":
            for link in self.links():
                (self.folder / link).unlink()
            self.files, self.there = [self.after], self.after != ""
        elif verb == "enable" and self.after == "disabled":
            (self.folder / "multi-user.target.wants/app.service").symlink_to("/lib/systemd/system/app.service")
            self.files = ["enabled"]
        elif verb == "daemon-reload" and self.links():
            self.files, self.there = ["enabled"], True
        elif verb in ("start", "stop"):
            super().effect(verb)

    def __call__(self, argv, **options):
        return super().__call__([*argv, ""] if argv[1:] == ["daemon-reload"] else argv)


@pytest.mark.parametrize(
    ("after", "state"),
    [("disabled", "applied"), ("", "failed"), ("static", "failed")],
    ids=["by a link more than its file speaks of", "its file lies elsewhere", "without a word of what starts it"],
)
def test_service_that_is_disabled_has_all_its_links_again(target, monkeypatch, after, state):
    folder, elsewhere = target.root / "units", target.root / "app-2.service"
    (folder / "multi-user.target.wants").mkdir(parents=True)
    elsewhere.touch()
    (folder / "app.service").symlink_to(elsewhere)
    for wanted in ("multi-user.target.wants", "nginx.service.wants"):
        (folder / wanted).mkdir(exist_ok=True)
        (folder / wanted / "app.service").symlink_to(folder / "app.service")
    monkeypatch.setattr(service, "CONFIG_FOLDERS", (str(folder),))
    systemd = Linked(folder, after)
    before = systemd.links()
    monkeypatch.setattr(service, "must", systemd)
    off = remedy("CVE-1", {"type": "service", "params": {"name": "app", "running": False, "enabled": False}})
    assert target.present(off)[0]["state"] == state
    if state == "applied":
        assert (systemd.links(), systemd.active) == ({}, "inactive")
        assert target.absent(off)[0]["state"] == "lifted"
    assert systemd.links().keys() == before.keys()
    assert (systemd.files, systemd.active) == (["enabled"], "active")


class Together(Systemd):
    """A unit whose file has Also=: enabling and disabling are both units' then."""

    def __init__(self, folder):
        super().__init__("active", "enabled")
        self.paths = [folder / f"multi-user.target.wants/app.{kind}" for kind in ("service", "path")]

    def effect(self, verb, runtime=""):
        super().effect(verb)
        for path in self.paths if verb in ("enable", "disable") else []:
            path.unlink(missing_ok=True)
            if verb == "enable":
                path.symlink_to(f"/lib/systemd/system/{path.name}")

    def __call__(self, argv, **options):
        return "" if argv[1:] == ["daemon-reload"] else super().__call__(argv)


@pytest.mark.parametrize("path_too", [True, False])
def test_service_that_is_enabled_again_enables_no_other_that_was_not(target, monkeypatch, path_too):
    folder = target.root / "units"
    (folder / "multi-user.target.wants").mkdir(parents=True)
    systemd = Together(folder)
    systemd.effect("enable")
    if not path_too:
        systemd.paths[1].unlink()
    monkeypatch.setattr(service, "CONFIG_FOLDERS", (str(folder),))
    monkeypatch.setattr(service, "must", systemd)
    off = remedy("CVE-1", {"type": "service", "params": {"name": "app", "enabled": False}})
    assert target.present(off)[0]["state"] == "applied"
    assert target.absent(off)[0]["state"] == "lifted"
    assert [path.is_symlink() for path in systemd.paths] == [True, path_too]


class Family:
    """A socket that starts a service, as systemd shows them; `started` are those that are active."""

    def __init__(self, *started):
        self.active, self.verbs = set(started), []
        self.related = {("x.socket", "Triggers"): "x.service", ("x.service", "TriggeredBy"): "x.socket x.path"}

    def __call__(self, argv):
        verb, *rest = argv[1:]
        if verb == "show":
            asked, unit = rest[0].partition("=")[2].split(","), rest[1]
            found = {"ActiveState": "active" if unit in self.active else "inactive", "UnitFileState": "enabled"}
            return "".join(f"{name}={found.get(name, self.related.get((unit, name), ''))}\n" for name in asked)
        self.verbs.append(" ".join(argv[1:]))
        assert (verb, rest[0]) != ("start", "x.socket") or "x.service" not in self.active, "systemd refuses"
        self.active = self.active | set(rest) if verb == "start" else self.active - set(rest)
        return ""


@pytest.mark.parametrize(
    ("started", "params", "told"),
    [
        (("x.socket",), {"running": False}, "x.service is triggered by x.socket, which is active"),
        ((), {"running": False}, ""),
        (("x.socket",), {"running": True}, ""),
        (("x.socket",), {"enabled": False}, ""),
    ],
)
def test_service_that_something_starts_again_is_told(monkeypatch, started, params, told):
    monkeypatch.setattr(service, "must", Family(*started))
    assert service.Service({"name": "x", **params}).warning().partition(":")[0] == told


@pytest.mark.parametrize(
    ("started", "verbs"),
    [((), ["start x.socket"]), (("x.service",), ["stop x.service", "start x.socket x.service"])],
)
def test_a_socket_comes_back_though_its_service_runs(monkeypatch, started, verbs):
    family = Family(*started)
    monkeypatch.setattr(service, "must", family)
    before = {"active": "active", "masked": "no", "enabled": "enabled"}
    service.Service({"name": "x.socket", "running": False}).revert(before, {"active": "inactive"})
    assert family.verbs == verbs
    assert family.active == {"x.socket", *started}


def test_service_taken_by_an_alias_stays_that_unit_though_disabling_it_removes_the_alias(tmp_path, monkeypatch):
    monkeypatch.setattr(service, "UNIT_FOLDERS", (str(tmp_path),))
    action = service.Service({"name": "sshd", "enabled": False})
    taken = {"state": "applied", "resource": "service:ssh.service"}
    action.meet(taken, [taken], None)
    assert (action.unit, action.resource) == ("ssh.service", "service:ssh.service")
