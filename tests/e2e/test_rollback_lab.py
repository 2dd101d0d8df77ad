"""A fix that turns out bad, on a real host: taken back with its mitigation in force, or told beforehand that it cannot.

The packages are stand-ins: no vendor's bad fix is kept in an archive.
"""

import pytest

from stopgap.lab import HostSpec
from tests.books import Books
from tests.e2e import standins
from tests.e2e.standins import package
from tests.labs import lab_of

pytestmark = pytest.mark.lab

REMEDY = """\
apiVersion: stopgap/v1
id: {id}
revision: 1
title: A stand-in
published: 2099-01-01
references: ["https://example.org/{name}"]
affected:
  packages: [{{name: {name}, fixed_in: {{debian-12: "2.0"}}}}]
mitigations: {mitigations}
fix:
  packages: [{name}]
  then: [{{restart: {name}}}]
checks:
  - package: {{name: {name}, at_least: fixed}}
  - service: {{name: {name}, running: true}}
"""
MITIGATION = """
  - id: switched-off
    title: The feature is switched off
    side_effect: The feature is off
    disruption: low
    persists: always
    status: valid
    actions: [{file: {path: /etc/daemon.d/off.conf, content: "off\\n"}}]
    checks: [{file: {path: /etc/daemon.d/off.conf, matches: "^off$"}}]"""
GOOD, BAD = "#!/bin/sh\nexec sleep 1000000\n", "#!/bin/sh\necho broken >&2\nexit 1\n"
POSTINST = "#!/bin/sh\nset -e\nsystemctl daemon-reload\n"


@pytest.fixture(scope="module")
def lab():
    with lab_of("back", HostSpec("one", "bookworm", ())) as made:
        yield made


class Story:
    """One remedy for one stand-in daemon, with books of its own."""

    def __init__(self, lab, folder, number, name, mitigations="[]"):
        self.lab, self.id, self.name = lab, f"CVE-2099-{number}", name
        self.site, self.books = folder / "remedies", Books(lab, folder / "state")
        self.site.mkdir()
        text = REMEDY.format(id=self.id, name=name, mitigations=mitigations)
        (self.site / f"{self.id}.yml").write_text(text)

    def version(self, number, program, script=POSTINST, **options):
        unit = f"[Service]\nExecStart=/usr/sbin/{self.name}\n[Install]\nWantedBy=multi-user.target\n"
        files = {f"/usr/sbin/{self.name}": (program, "0755"), f"/lib/systemd/system/{self.name}.service": unit}
        return package(self.name, number, files, {"postinst": script}, **options)

    def start(self, *versions):
        """The first of them is installed and runs."""
        made = standins.publish(self.lab, "one", *versions)
        standins.install(self.lab, "one", made[0])
        self.lab.exec("one", ["systemctl", "restart", self.name])

    def verb(self, verb, code, *words):
        done = self.books.stopgap(verb, self.id, "--remedy-path", str(self.site), *words)
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join(done.stdout.split())

    def case(self):
        return self.books.read("status")["cases"][0]

    def installed(self):
        form = "${Version} ${db:Status-Status}"
        return self.lab.exec("one", ["dpkg-query", "-W", "-f", form, self.name]).stdout

    def runs(self):
        return self.lab.exec("one", ["systemctl", "is-active", self.name], check=False).stdout.strip() == "active"


def test_a_fix_whose_service_fails_is_taken_back_with_the_mitigation_in_force(lab, tmp_path):
    story = Story(lab, tmp_path, "0101", "backd", MITIGATION)
    story.start(story.version("1.0", GOOD), story.version("2.0", BAD))
    story.verb("mitigate", 0)
    lab.exec("one", ["rm", "/etc/daemon.d/off.conf"])  # and lost by the time the fix comes

    told = story.verb("fix", 2)
    assert "to roll it back: stopgap fix CVE-2099-0101 -l THIS_HOST --rollback auto" in told
    assert (story.installed(), story.runs()) == ("2.0 installed", False)
    # the same words again change nothing, the ones it told take the fix back: within a day, as nothing was in between
    told = story.verb("fix", 2, "--rollback", "auto")
    assert "rolled back to backd 1.0" in told
    assert (story.installed(), story.runs()) == ("1.0 installed", True)
    assert lab.exec("one", ["cat", "/etc/daemon.d/off.conf"]).stdout == "off\n"
    case = story.case()
    assert (case["state"], case["flags"]) == ("mitigated", [])
    assert case["waiting_for"].startswith("rolled back to backd 1.0")

    standins.publish(lab, "one", story.version("3.0", GOOD))
    story.verb("fix", 0, "--rollback", "auto")
    assert (story.case()["state"], story.installed(), story.runs()) == ("fixed", "3.0 installed", True)
    assert story.books.owed() == set()


@pytest.mark.parametrize(("number", "name", "later"), [("0102", "halfd", False), ("0104", "laterd", True)])
def test_a_fix_that_breaks_on_the_way_is_taken_back_from_dpkgs_hands(lab, tmp_path, number, name, later):
    story = Story(lab, tmp_path, number, name)
    story.start(story.version("1.0", GOOD), story.version("2.0", GOOD, POSTINST + "exit 1\n"))
    if later:  # as it says, in another run
        assert f"to roll it back: stopgap fix {story.id} -l THIS_HOST --rollback auto" in story.verb("fix", 3)
    told = story.verb("fix", 2, "--rollback", "auto")
    assert f"rolled back to {name} 1.0" in told
    assert (story.installed(), story.runs()) == ("1.0 installed", True)
    assert story.case()["state"] == "exposed"  # it has no mitigation, and says so
    assert "no valid mitigation" in told


def test_a_fix_that_cannot_be_taken_back_says_so_before_and_goes_on(lab, tmp_path):
    story = Story(lab, tmp_path, "0103", "lostd")
    story.start(story.version("1.0", GOOD, offered=False), story.version("2.0", BAD))
    lab.exec("one", ["rm", "-f", f"{standins.POOL}/lostd_1.0_amd64.deb"])
    warning = f"{story.id}: this fix cannot be rolled back: neither a repository nor the cache has lostd 1.0"
    assert warning in story.verb("fix", 0, "--check")
    assert story.installed() == "1.0 installed"

    told = story.verb("fix", 2, "--rollback", "auto")
    assert 0 < told.index(warning) < told.index("Install the fix")
    assert "it cannot be rolled back" in told
    assert (story.installed(), story.runs()) == ("2.0 installed", False)
