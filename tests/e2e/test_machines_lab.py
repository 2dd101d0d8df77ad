"""Hosts that were rebuilt, cloned or renamed, as they really are: what `sync` and `status` tell, and what is owed."""

import uuid

import pytest
import yaml

from stopgap.lab import HostSpec
from tests.books import Books
from tests.labs import lab_of

pytestmark = pytest.mark.lab

REMEDY = {
    "apiVersion": "stopgap/v1",
    "id": "SITE-2026-0100",
    "revision": 1,
    "title": "A package that no archive has fixed",
    "published": "2026-01-01",
    "risk": {"technical_impact": "partial"},
    "affected": {"packages": [{"name": "bash", "fixed_in": {"debian-12": "99"}}]},
    "mitigations": [
        {
            "id": "notice",
            "title": "A file that says so",
            "side_effect": "none",
            "disruption": "low",
            "persists": "always",
            "ttl": "7d",
            "actions": [{"file": {"path": "/etc/site-notice", "content": "mitigated\n"}}],
            "checks": [{"file": {"path": "/etc/site-notice", "exists": True}}],
        }
    ],
    "fix": {"packages": ["bash"], "reboot": "never"},
    "checks": [{"package": {"name": "bash", "at_least": "fixed"}}],
}
ID = REMEDY["id"]


@pytest.fixture(scope="module")
def lab():
    with lab_of("machines", HostSpec("web1", "bookworm"), HostSpec("web2", "bookworm")) as found:
        yield found


@pytest.fixture
def books(lab, tmp_path):
    """An empty ledger, then web1 mitigated and web2 assessed."""
    found = Books(lab, tmp_path / "state")
    folder = tmp_path / "remedies"
    folder.mkdir()
    (folder / f"{ID}.yml").write_text(yaml.safe_dump(REMEDY, sort_keys=False))
    found.own = (ID, "--remedy-path", str(folder))
    assert found.stopgap("mitigate", *found.own, "--limit", "web1", "--owner", "ann").returncode == 0
    found.stopgap("assess", *found.own, "--limit", "web2")
    assert found.states() == {("web1", ID): "mitigated", ("web2", ID): "exposed"}
    assert notices(found) == []
    return found


def machine_id(lab, host):
    return lab.exec(host, ["cat", "/etc/machine-id"]).stdout.strip()


def notices(books):
    return [(one["kind"], one["host"]) for one in books.read("status")["notices"]]


def case(books, host):
    (found,) = [one for one in books.read("status")["cases"] if one["host"] == host]
    return found


def test_renamed_cloned_rebuilt(lab, books, tmp_path):
    """One story, since each play costs seconds: nothing is merged, everything is told, and each notice ends."""
    assert machine_id(lab, "web1") != machine_id(lab, "web2"), "lab hosts are machines of their own"
    rename(lab, books, tmp_path / "renamed.yml")
    clone(lab, books)
    rebuild(lab, books)


def rename(lab, books, inventory):
    """web1 is shop1 in another inventory; then somebody says that web1 is gone, and it is not."""
    told = yaml.safe_load(lab.inventory.read_text())
    told["all"] |= {"hosts": {"shop1": told["all"]["hosts"]["web1"]}, "children": {}}
    inventory.write_text(yaml.safe_dump(told))
    said = books.command("stopgap", "sync", "-i", str(inventory))
    assert "renamed: shop1 answers with the machine-id of web1" in said.stderr, said.stdout
    assert f"shop1: found mitigation notice of {ID}, in force since" in said.stdout
    assert "The 1 mitigation and the 1 open case the ledger holds for web1 stay listed under web1" in said.stderr
    assert books.owed() == {("web1", ID), ("shop1", ID)}
    done = books.command("stopgap", "ledger", "retire", "web1", "--reason", "renamed to shop1")
    assert done.returncode == 0, done.stderr
    assert (books.owed(), notices(books)) == ({("shop1", ID)}, [])
    said = books.stopgap("sync")
    assert "cloned: shop1 and web1 answer with the same machine-id" in said.stderr, said.stdout
    assert books.owed() == {("web1", ID), ("shop1", ID)}, "it answers under its old name: that is owed again"
    books.command("stopgap", "ledger", "retire", "shop1", "--reason", "a second name of web1")
    assert (books.owed(), notices(books)) == ({("web1", ID)}, [])


def clone(lab, books):
    """web2 becomes a copy of web1, journal and all; then it gets an id of its own."""
    copy = lab.exec("web1", ["sh", "-c", "tar -C / -c etc/machine-id etc/site-notice var/lib/stopgap | base64"])
    lab.exec("web2", ["sh", "-c", "base64 -d | tar -C / -x"], input=copy.stdout)
    said = books.stopgap("sync")
    assert "rebuilt: web2 answers as another machine since" in said.stderr, said.stdout
    assert f"web2: found mitigation notice of {ID}, in force since" in said.stdout
    assert "web1: found" not in said.stdout
    assert "that machine is known as" in said.stderr
    assert ("cloned", "web1") in notices(books) or ("renamed", "web2") in notices(books), "who answered first?"
    assert books.owed() == {("web1", ID), ("web2", ID)}, "each holds what its own disk holds"
    assert case(books, "web2")["mitigations"][0]["origin"] == "found"
    lab.write_file("web2", "/etc/machine-id", f"{uuid.uuid4().hex}\n", 0o444)


def rebuild(lab, books):
    """web1 is reinstalled under its name. The sync is also the first since web2 got its own id."""
    before = machine_id(lab, "web1")
    lab.rebuild("web1")
    assert machine_id(lab, "web1") != before
    said = books.stopgap("sync")
    assert "rebuilt: web1 answers as another machine since" in said.stderr, said.stdout
    assert [kind for kind, _host in notices(books)] == ["rebuilt", "rebuilt"]
    assert case(books, "web1")["state"] == "unknown"
    assert "it was rebuilt; assess it again; last known:" in case(books, "web1")["reason"]
    assert books.owed() == {("web2", ID)}, "the disk of web1 that held it is gone"
    books.stopgap("assess", *books.own)
    assert case(books, "web1")["state"] == "exposed"
    assert case(books, "web1")["flags"] == ["mitigation_lost"]
    assert notices(books) == []
