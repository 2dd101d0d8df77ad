"""P5: recheck repeats every verdict. What is undone behind our back is the loudest alarm there is."""

import pytest
from tests.books import Books
from tests.labs import lab_of

from stopgap.demo.story import prepare
from stopgap.lab import HostSpec

pytestmark = pytest.mark.lab
REMEDY, HOST = "CVE-2023-44487", "web1"
PACKAGES = ("nginx", "nginx-common")
LIMITS = "/etc/nginx/conf.d/stopgap-CVE-2023-44487.conf"


@pytest.fixture
def books(tmp_path):
    """A host of its own: its packages go up and down again."""
    with lab_of("p05", HostSpec(HOST, "bookworm", ("nginx",))) as lab:
        prepare(lab, {})
        yield Books(lab, tmp_path / "state")


def versions(lab):
    told = lab.exec(HOST, ["dpkg-query", "--show", "--showformat=${Package}=${Version}\n", *PACKAGES])
    return told.stdout.split()


def case(books):
    (found,) = books.read("status", "--host", HOST, "--remedy", REMEDY)["cases"]
    return found


def recheck(books, *words):
    return books.stopgap("recheck", REMEDY, *words)


def test_p05_a_mitigation_undone_and_a_fix_gone_are_found_by_recheck(books):
    found_with = versions(books.lab)
    done = books.stopgap("mitigate", REMEDY)
    assert done.returncode == 0, done.stdout
    assert case(books)["state"] == "mitigated"
    first = case(books)["protected_until"]

    # Only fresh proof gives a mitigation more time.
    done = recheck(books, "--extend", "14d", "--reason", "frozen until the fair")
    assert done.returncode == 0, done.stdout
    (owed,) = books.read("debt")["debt"]
    assert owed["expires_at"] == case(books)["protected_until"] > first
    assert (owed["extended"]["why"], bool(owed["extended"]["by"])) == ("frozen until the fair", True)

    # Undone behind our back: no more time is given, and it is told as loudly as anything.
    books.lab.exec(HOST, ["rm", LIMITS])
    books.lab.exec(HOST, ["nginx", "-s", "reload"])
    done = recheck(books, "--extend", "14d", "--reason", "once more")
    assert done.returncode == 2, done.stdout
    lost = case(books)
    assert (lost["state"], lost["flags"]) == ("exposed", ["mitigation_lost"])
    assert lost["reason"].startswith("mitigation lost, fix absent: ")
    assert "LOST" in books.command("stopgap", "debt").stdout
    assert "mitigation lost, fix absent" in books.command("stopgap", "status").stdout
    assert books.read("debt")["debt"][0]["expires_at"] == owed["expires_at"]

    done = books.stopgap("mitigate", REMEDY)
    assert (done.returncode, case(books)["state"], case(books)["flags"]) == (0, "mitigated", []), done.stdout

    # Fixed, and taken back behind our back.
    books.lab.security(HOST)
    done = books.stopgap("fix", REMEDY)
    assert done.returncode == 0, done.stdout
    assert case(books)["state"] == "fixed"
    books.lab.exec(HOST, ["apt-get", "--quiet", "--yes", "--allow-downgrades", "install", *found_with])
    done = recheck(books)
    assert done.returncode == 2, done.stdout
    gone = case(books)
    assert (gone["state"], "regressed" in gone["flags"]) == ("exposed", True)
    assert gone["episodes"][0]["effective_at"] < gone["exposed_at"]
    assert "REGRESSED" in books.command("stopgap", "status").stdout
