"""Two people, a ledger each, one host: what one did the other finds, and an exchange of exports makes the books one."""

import pytest
import yaml

from stopgap.lab import HostSpec
from tests.books import Books
from tests.e2e import standins
from tests.labs import lab_of

pytestmark = pytest.mark.lab

ID = "SITE-2026-0200"
REMEDY = {
    "apiVersion": "stopgap/v1",
    "id": ID,
    "revision": 1,
    "title": "A shop that is fixed in its second version",
    "published": "2026-01-01",
    "risk": {"technical_impact": "partial"},
    "affected": {"packages": [{"name": "shop", "fixed_in": {"debian-12": "2.0"}}]},
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
    "fix": {"packages": ["shop"], "reboot": "never"},
    "checks": [{"package": {"name": "shop", "at_least": "fixed"}}],
}


@pytest.fixture(scope="module")
def lab():
    with lab_of("laptops", HostSpec("web1", "bookworm")) as found:
        standins.install(found, "web1", *standins.publish(found, "web1", standins.package("shop", "1.0")))
        yield found


@pytest.fixture
def remedy(tmp_path):
    folder = tmp_path / "remedies"
    folder.mkdir()
    (folder / f"{ID}.yml").write_text(yaml.safe_dump(REMEDY, sort_keys=False))
    return ID, "--remedy-path", str(folder)


def done(command):
    assert command.returncode == 0, command.stdout + command.stderr
    return command.stdout


def cases(books):
    return books.read("status")["cases"]


def give(giver, taker, file):
    done(giver.command("stopgap", "ledger", "export", str(file)))
    done(taker.command("stopgap", "ledger", "import", str(file)))


def exchange(ann, bob, folder):
    """Both ways; from then on both say the same, and each chain of either is whole."""
    give(ann, bob, folder / "ann.jsonl")
    give(bob, ann, folder / "bob.jsonl")
    assert cases(ann) == cases(bob)
    for books in (ann, bob):
        assert books.read("ledger", "verify")["whole"] is True


def test_what_one_does_the_other_finds_and_both_agree(lab, remedy, tmp_path):
    ann, bob = Books(lab, tmp_path / "ann"), Books(lab, tmp_path / "bob")
    done(ann.stopgap("mitigate", *remedy, "--owner", "ann"))

    assert f"web1: found mitigation notice of {ID}, in force since" in done(bob.stopgap("sync"))
    assert ann.owed() == bob.owed() == {("web1", ID)}
    (owed,) = bob.read("debt")["debt"]
    assert (owed["origin"], owed["owner"]) == ("found", "ann")
    assert ann.states() == {("web1", ID): "mitigated"} != bob.states(), "nobody has proven anything to bob"

    exchange(ann, bob, tmp_path)
    assert bob.states() == {("web1", ID): "mitigated"}
    assert "1 host: nothing new" in done(bob.stopgap("sync"))

    print(done(bob.stopgap("mitigate", *remedy, "--owner", "bob")))
    assert "web1: 1 new event" in done(ann.stopgap("sync"))
    assert [owed["owner"] for books in (ann, bob) for owed in books.read("debt")["debt"]] == ["bob", "bob"]
    exchange(ann, bob, tmp_path)

    standins.publish(lab, "web1", standins.package("shop", "2.0"))
    done(ann.stopgap("fix", *remedy))
    assert ann.states() == {("web1", ID): "fixed"}
    told = done(bob.stopgap("sync"))
    assert "web1: 2 new events" in told, "it was lifted"
    assert "found" not in told
    assert ann.owed() == bob.owed() == set()
    exchange(ann, bob, tmp_path)
    assert bob.states() == {("web1", ID): "fixed"}
    assert ann.read("ledger", "check")["differences"] == bob.read("ledger", "check")["differences"] == []
