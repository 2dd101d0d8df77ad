"""What is in archives within archives, and archives written anew without it."""

import io
import os
import struct
import subprocess
import zipfile

import pytest
from tests.unit.collection.zips import DEFLATED, MEMBER, STORED, archive, inside, names, streamed, told

from ansible_collections.stopgap.remediation.plugins.module_utils import archives

PATTERNS = ["*.jar", "*.war", "*.ear"]
JAR = archive(("a.txt", b"a" * 5000, DEFLATED), (MEMBER, b"class", DEFLATED), ("z/b.txt", b"b", STORED), comment=b"jar")
CLEAN = archive(("a.txt", b"a", DEFLATED))
WAR = archive(
    ("WEB-INF/lib/log4j.jar", JAR, STORED),
    ("WEB-INF/lib/packed.jar", JAR, DEFLATED),
    ("WEB-INF/lib/clean.jar", CLEAN, DEFLATED),
    ("index.html", b"hello" * 99, DEFLATED),
    ("WEB-INF/classes/" + MEMBER, b"class", STORED),
    comment=b"war",
    before=b"#!/bin/sh\nexec java -jar $0\n",
)
EAR = archive(("shop.war", WAR, DEFLATED), ("META-INF/application.xml", b"<a/>", STORED))


def stripped(data, member=MEMBER):
    target = io.BytesIO()
    signed = archives.strip(io.BytesIO(data), target, member, PATTERNS)
    return target.getvalue(), signed


def found_in(data):
    return archives.occurrences(io.BytesIO(data), MEMBER, PATTERNS)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (CLEAN, []),
        (JAR, [MEMBER]),
        (WAR, ["WEB-INF/lib/log4j.jar!/" + MEMBER, "WEB-INF/lib/packed.jar!/" + MEMBER, "WEB-INF/classes/" + MEMBER]),
        (archive((MEMBER + ".txt", b"", STORED), ("x" + MEMBER, b"", STORED)), []),
    ],
    ids=["clean", "jar", "war", "names-alike"],
)
def test_where_a_member_is(data, found):
    assert found_in(data) == found


@pytest.mark.parametrize("data", [JAR, WAR, EAR], ids=["jar", "war", "ear"])
def test_stripped_of_it_on_every_level(data):
    result, _signed = stripped(data)
    assert found_in(data)
    assert found_in(result) == []
    assert told(result)  # every checksum holds


def test_all_else_is_as_it_was_byte_for_byte():
    result, _signed = stripped(WAR)
    changed = ("WEB-INF/lib/log4j.jar", "WEB-INF/lib/packed.jar")
    kept = [item for item in told(WAR) if item[0] != "WEB-INF/classes/" + MEMBER and item[0] not in changed]
    assert [item for item in told(result) if item[0] not in changed] == kept
    assert names(result) == [name for name in names(WAR) if not name.endswith(".class")]
    assert result.startswith(b"#!/bin/sh\nexec java -jar $0\nPK")
    with zipfile.ZipFile(io.BytesIO(result)) as war, zipfile.ZipFile(io.BytesIO(WAR)) as old:
        assert war.comment == b"war"
        for name in changed:
            new, was = war.getinfo(name), old.getinfo(name)
            assert (new.compress_type, new.date_time, new.external_attr, new.comment) == (
                was.compress_type, was.date_time, was.external_attr, was.comment,
            )  # fmt: skip
    inner = inside(result, "WEB-INF/lib/log4j.jar")
    assert told(inner) == [item for item in told(JAR) if item[0] != MEMBER]
    assert inner.endswith(b"jar")


def test_an_archive_that_was_streamed():
    jar = streamed((MEMBER, b"class", DEFLATED), ("other", b"o" * 999, DEFLATED))
    war = streamed(("lib/x.jar", jar, STORED), ("a", b"a", DEFLATED))
    result, _signed = stripped(war)
    assert [(name, data) for name, data, *_rest in told(result)][1] == ("a", told(war)[1][1])
    assert names(inside(result, "lib/x.jar")) == ["other"]
    again, _signed = stripped(result)
    assert again == result


def test_an_archive_whose_places_are_counted_from_the_start_of_the_file():
    """As `zip -A` leaves a self-starting archive."""
    plain, before = archive(("a", b"a", STORED), (MEMBER, b"x", STORED), ("b", b"b", STORED)), b"#!/bin/sh\n"
    with zipfile.ZipFile(io.BytesIO(before), "a") as _nothing:
        pass
    data = io.BytesIO(before)
    data.seek(0, os.SEEK_END)
    with zipfile.ZipFile(data, "a") as appended, zipfile.ZipFile(io.BytesIO(plain)) as source:
        for info in source.infolist():
            appended.writestr(info, source.read(info))
    result, _signed = stripped(data.getvalue())
    assert names(result) == ["a", "b"]
    assert told(result)
    assert result.startswith(before)


def test_64_bit_records(monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    data = archive(("big", b"0" * 500, STORED), (MEMBER, b"class", STORED), ("last", b"1" * 500, STORED))
    monkeypatch.undo()
    assert archives.ENDING_64 in data
    result, _signed = stripped(data)
    assert names(result) == ["big", "last"]
    assert told(result) == [item for item in told(data) if item[0] != MEMBER]


def test_all_members_with_that_name_go():
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archive((MEMBER, b"1", STORED), ("a", b"a", STORED), (MEMBER, b"2", STORED))
    assert names(stripped(data)[0]) == ["a"]


def test_nothing_else_in_it():
    assert names(stripped(archive((MEMBER, b"1", STORED)))[0]) == []


@pytest.mark.parametrize(
    "level", [lambda jar: jar, lambda jar: archive(("lib/x.jar", jar, STORED))], ids=["itself", "within"]
)
def test_a_signature_that_breaks_is_told(level):
    signed = archive(("META-INF/SIGNER.SF", b"", STORED), (MEMBER, b"x", STORED))
    assert stripped(level(signed))[1]
    assert not stripped(level(JAR))[1]


def nested(depth):
    data = archive((MEMBER, b"x", STORED))
    for _level in range(depth - 1):
        data = archive(("in.jar", data, STORED))
    return data


def bomb():
    """Says that it holds 10 bytes, and holds more than may lie in memory."""
    data = bytearray(archive(("in.jar", b"\0" * (archives.IN_MEMORY + 5), DEFLATED)))
    at = data.rfind(archives.CENTRAL)
    struct.pack_into("<I", data, at + 24, 10)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no archive"),
        (b"plain text", "no archive"),
        (JAR[:-40], "no archive"),
        (nested(9), "more than 8 deep"),
        (archive(("in.jar", b"plain text", STORED)), "in.jar: no archive"),
        (archive(("in.jar", JAR[:200], DEFLATED)), "in.jar: no archive"),
        (bomb(), "in.jar"),
    ],
    ids=["empty", "text", "cut", "deep", "inner-text", "inner-cut", "lies"],
)
def test_p04_what_cannot_be_read_is_not_clean(data, why):
    with pytest.raises(archives.Unreadable, match=why):
        found_in(data)


def test_as_deep_as_the_limit():
    assert found_in(nested(8)) == ["in.jar!/" * 7 + MEMBER]
    assert found_in(stripped(nested(8))[0]) == []


def test_a_nested_archive_above_the_limit(monkeypatch):
    monkeypatch.setattr(archives, "SIZE_LIMIT", 100)
    monkeypatch.setattr(archives, "IN_MEMORY", 50)
    with pytest.raises(archives.Unreadable, match="larger than"):
        found_in(archive(("in.jar", b"\0" * 5000, DEFLATED)))


class TestScan:
    def scan(self, *paths, patterns=PATTERNS):
        return archives.scan([str(path) for path in paths], MEMBER, patterns)

    def test_by_name_below_folders_and_by_hand(self, tmp_path):
        (tmp_path / "lib").mkdir()
        for name in ("lib/a.jar", "b.war", "lib/c.zip"):
            (tmp_path / name).write_bytes(JAR)
        (tmp_path / "clean.jar").write_bytes(CLEAN)
        assert sorted(self.scan(tmp_path)["found"]) == [str(tmp_path / "b.war"), str(tmp_path / "lib/a.jar")]
        assert sorted(self.scan(tmp_path / "lib/c.zip")["found"]) == [str(tmp_path / "lib/c.zip")]
        assert self.scan(tmp_path / "no")["found"] == {}
        assert sorted(self.scan(tmp_path, tmp_path / "lib", patterns=["*.jar"])["found"]) == [
            str(tmp_path / "lib/a.jar")
        ]

    def test_links_are_not_followed_and_one_that_leads_out_is_told(self, tmp_path):
        for name in ("app", "share"):
            (tmp_path / name).mkdir()
        (tmp_path / "share/log4j.jar").write_bytes(JAR)
        (tmp_path / "share/clean.jar").write_bytes(CLEAN)
        (tmp_path / "app/own.jar").write_bytes(JAR)
        for name, target in (
            ("out.jar", "../share/log4j.jar"),
            ("ok.jar", "../share/clean.jar"),
            ("own2.jar", "own.jar"),
        ):
            (tmp_path / "app" / name).symlink_to(target)
        (tmp_path / "app/loop").symlink_to("..")
        (tmp_path / "app/dead.jar").symlink_to("nowhere")
        result = self.scan(tmp_path / "app")
        assert result["outside"] == {str(tmp_path / "app/out.jar"): str(tmp_path / "share/log4j.jar")}
        assert sorted(result["found"]) == [str(tmp_path / "app/out.jar"), str(tmp_path / "app/own.jar")]

    def test_a_path_that_is_a_link_itself(self, tmp_path):
        (tmp_path / "app-1.2").mkdir()
        (tmp_path / "app-1.2/a.jar").write_bytes(JAR)
        (tmp_path / "app").symlink_to("app-1.2")
        assert sorted(self.scan(tmp_path / "app")["found"]) == [str(tmp_path / "app-1.2/a.jar")]

    def test_p04_one_that_cannot_be_read_hides_no_other(self, tmp_path):
        (tmp_path / "a.jar").write_bytes(b"not yet whole")
        (tmp_path / "b.jar").write_bytes(JAR)
        result = self.scan(tmp_path)
        assert sorted(result["found"]) == [str(tmp_path / "b.jar")]
        assert sorted(result["unreadable"]) == [str(tmp_path / "a.jar")]

    def test_file_systems_without_a_disk_are_passed_by_unless_named(self, tmp_path, monkeypatch):
        (tmp_path / "nfs").mkdir()
        (tmp_path / "nfs/a.jar").write_bytes(JAR)
        monkeypatch.setattr(archives, "foreign_mounts", lambda: {str(tmp_path / "nfs")})
        assert self.scan(tmp_path)["found"] == {}
        assert self.scan(tmp_path / "nfs")["found"]

    def test_proc_is_one_of_them(self):
        assert "/proc" in archives.foreign_mounts()
        assert "/" not in archives.foreign_mounts() - {"/"}


def test_folders_deeper_in_each_other_than_python_calls_itself(tmp_path):
    """Anybody who may write below a path can make them."""
    deep = os.path.join(tmp_path, *["d"] * 1100)
    subprocess.run(["mkdir", "-p", deep], check=True)
    with open(os.path.join(deep, "a.jar"), "wb") as stream:
        stream.write(archive((MEMBER, b"class", STORED)))
    try:
        assert archives.scan([str(tmp_path)], MEMBER, ["*.jar"])["found"] == {os.path.join(deep, "a.jar"): [MEMBER]}
    finally:
        subprocess.run(["rm", "-r", os.path.join(tmp_path, "d")], check=True)  # pytest's own removal calls itself
