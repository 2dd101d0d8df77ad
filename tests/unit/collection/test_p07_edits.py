"""P7 for edits: overlapping ones of one file, in any order, with foreign edits elsewhere, leave the file as it was."""

import itertools
import os
import random
from pathlib import Path

import pytest
from tests.unit.collection.target import killed_at, remedy

from ansible_collections.stopgap.remediation.plugins.module_utils import merging

OLD = 1_600_000_000_123_456_789
ELSEWHERE, SAME_PLACE = "   browseable", "#==="
TEXT = """# a file
[global]
   workgroup = LAB
   # guest ok = yes
   guest ok = yes
   map to guest = bad user
;  min protocol = NT1

#=== shares
[homes]
   guest ok = yes
   browseable = no
[print$]
   path = /x"""  # no newline at the end


@pytest.fixture
def conf(target):
    path = Path(target.path("smb.conf"))
    path.write_text(TEXT)
    path.chmod(0o640)
    os.chown(path, 1, 2)
    os.utime(path, ns=(OLD, OLD))
    return path


def edits(target):
    """Any two of them meet: the same line, each other's line, a line beside, the same value."""
    path = target.path("smb.conf")

    def line(**params):
        return {"type": "line", "params": {"path": path, **params}}

    def ini(**params):
        return {"type": "ini_option", "params": {"path": path, **params}}

    return [
        ini(section="global", option="guest ok", value="no"),
        ini(section="global", option="Guest OK", value="never"),
        line(match="guest ok", line="   guest ok = no"),
        line(match="map to", absent=True),
        line(match="^ *guest", absent=True),
        ini(section="global", option="min protocol", value="SMB2"),
        ini(section="new", option="min protocol", value="SMB2"),
        line(line="# ours", after="workgroup"),
        line(match="path = /x", line="   path = /y"),
        line(line="   last = yes"),
        target.mode("smb.conf", "0600"),
    ]


def remedies(target):
    found = [remedy(f"CVE-{number}", action) for number, action in enumerate(edits(target))]
    return [*found, remedy("CVE-two", *edits(target)[3:6]), remedy("CVE-same", edits(target)[0])]


@pytest.mark.parametrize("pair", list(itertools.permutations(range(13), 2)), ids=str)
def test_p07_two_edits_taken_back_in_either_order(target, conf, pair):
    before, both = target.tree(), [remedies(target)[number] for number in pair]
    for order in (both, both[::-1]):
        for one in both:
            assert target.present(one)[0]["state"] == "applied", conf.read_text()
        assert not any(target.present(one)[0]["changed"] for one in both)
        for one in order:
            told = target.absent(one)[0]
            assert told["state"] == "lifted", (told["reason"], conf.read_text())
        assert target.tree() == before


@pytest.mark.parametrize("seed", range(25))
def test_p07_random_sequences_of_edits_with_crashes(target, conf, seed):
    chance, before, known = random.Random(seed), target.tree(), remedies(target)  # noqa: S311
    for _step in range(12):
        one, verb = chance.choice(known), chance.choice(["present", "present", "absent"])
        if chance.random() < 0.3:
            killed_at(chance.randrange(1, 40), lambda verb=verb, one=one: target.run(verb, one))
        else:
            told = target.run(verb, one)[0][0]
            assert told["state"] in ("applied", "lifted", "none"), told["reason"]
    for entry in chance.sample(target.in_force(), len(target.in_force())):
        told = target.absent(remedy(entry["remedy"]))[0]
        assert told["state"] in ("lifted", "none"), told["reason"]
    assert target.tree() == before


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("place", [ELSEWHERE, SAME_PLACE])
def test_p07_random_sequences_of_edits_with_foreign_edits(target, conf, place, seed):
    """In the very place where ours go, lifting may stop with the difference named."""
    allowed = {"applied", "lifted", "none"} | ({"refused"} if place == SAME_PLACE else set())
    chance, known, added = random.Random(seed), remedies(target), []  # noqa: S311
    for step in range(10):
        one, verb = chance.choice(known), chance.choice(["present", "present", "absent"])
        told = target.run(verb, one)[0][0]
        assert told["state"] in allowed, told["reason"]
        if chance.random() < 0.3:
            added.append(f"foreign {step} = yes\n")
            conf.write_text(conf.read_text().replace(place, added[-1] + place))
    for entry in chance.sample(target.in_force(), len(target.in_force())):
        told = target.absent(remedy(entry["remedy"]))[0]
        assert told["state"] in allowed, told["reason"]
        assert told["state"] != "refused" or "somebody changed it since" in told["reason"]
    if target.in_force():
        return
    assert conf.read_text() == TEXT.replace(place, "".join(added) + place)
    assert (os.stat(conf).st_mtime_ns == OLD) == (not added)


def test_p07_a_look_at_a_long_file_compares_no_more_than_what_was_changed(target, monkeypatch):
    """Of ten thousand lines that are braces mostly, a look took ten seconds once somebody had changed one."""
    compared, matcher = [], merging.difflib.SequenceMatcher

    def counting(junk, old, new, **options):
        compared.append(len(old) + len(new))
        return matcher(junk, old, new, **options)

    monkeypatch.setattr(merging.difflib, "SequenceMatcher", counting)
    path = Path(target.path("sites.conf"))
    path.write_text("http2 on;\n" + "server {\n  listen 80;\n}\n" * 200)
    wanted = remedy("CVE-1", {"type": "line", "params": {"path": str(path), "match": "http2 on", "line": "http2 off;"}})
    target.present(wanted)
    path.write_text(path.read_text() + "# theirs\n")
    assert target.present(wanted)[0]["reason"] == "in force already"
    assert compared
    assert max(compared) < 10


def test_p07_a_line_below_one_that_was_lost_is_still_ours_to_take_away(target, conf):
    """Found by the property: the option was changed by somebody, and putting it right took the line for theirs."""
    both = remedy("CVE-1", edits(target)[9], edits(target)[0])
    target.present(both)
    conf.write_text(conf.read_text().replace("   guest ok = no\n", "   guest ok = maybe\n", 1))
    target.present(remedy("CVE-2", edits(target)[3]))
    conf.write_text(conf.read_text() + "\n# theirs")
    target.present(both)
    assert [target.absent(remedy(name))[0]["state"] for name in ("CVE-2", "CVE-1")] == ["lifted", "lifted"]
    assert (
        conf.read_text()
        == TEXT.replace("guest ok = yes", "guest ok = maybe", 2).replace("# guest ok = maybe", "# guest ok = yes")
        + "\n# theirs"
    )
