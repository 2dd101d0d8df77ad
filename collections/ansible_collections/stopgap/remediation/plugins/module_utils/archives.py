# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Java archives and the members in them, archives within archives too.

`scan` finds, `strip` writes an archive anew without a member: all that is not taken out is copied byte by byte as it
lies there, so order, times, compression, attributes and comments stay.

This file stands alone (standard library, no sibling): the verifier runs its very source on hosts, which prints the
JSON of `scan` of the parameters on its command line.
"""

import contextlib
import fnmatch
import io
import json
import os
import stat
import struct
import sys
import tempfile
import zipfile
import zlib

DEPTH_LIMIT = 8  # jar in war in ear is 3
SIZE_LIMIT = 1 << 30  # of one nested archive, unpacked
MEMBER_LIMIT = 500000  # of one archive
IN_MEMORY = 8 << 20
CHUNK = 1 << 20
SIGNATURES = "META-INF/*.SF"
# File systems without a device that hold files all the same; of the others (proc, nfs, overlay) only those are looked
# at that somebody names.
WITHOUT_DEVICE = ("tmpfs", "zfs", "rootfs")
LOCAL, CENTRAL, ENDING = b"PK\3\4", b"PK\1\2", b"PK\5\6"
ENDING_64, LOCATOR_64, TAG_64 = b"PK\6\6", b"PK\6\7", 1
UNKNOWN_32 = 0xFFFFFFFF
# offsets in a central record: of flags and method, crc and sizes, of the lengths of name, extra and comment, of the offset
CENTRAL_SIZE, LOCAL_SIZE = 46, 30
HAS_DESCRIPTOR = 1 << 3


class Unreadable(Exception):
    """What is in an archive cannot be told; never to be taken for 'not in it'."""


def scan(paths, member, patterns):
    """{"found": {archive: [where in it]}, "unreadable": {archive: why}, "outside": {link: where it leads}}.

    `outside` are links with an archive's name that lead out of `paths`: what they lead to is not below `paths`.
    """
    result = {"found": {}, "unreadable": {}, "outside": {}}
    for path in below(paths, patterns, result["outside"]):
        look_into(path, path, member, patterns, result)
    for link, target in sorted(result["outside"].items()):
        look_into(link, target, member, patterns, result)
        if link not in result["found"] and link not in result["unreadable"]:
            del result["outside"][link]
    return result


def look_into(name, path, member, patterns, result):
    try:
        with open(path, "rb", opener=without_waiting) as stream:
            found = occurrences(stream, member, patterns)
    except FileNotFoundError:  # gone since it was listed
        return
    except (Unreadable, OSError) as error:
        result["unreadable"][name] = getattr(error, "strerror", None) or str(error)
        return
    if found:
        result["found"][name] = found


def without_waiting(path, flags):
    """For a pipe that takes a file's place this very moment: it is no archive."""
    return os.open(path, flags | os.O_NONBLOCK)


# --- the files


def below(paths, patterns, outside):
    """Every archive below `paths`, once each; fills `outside` with links that lead elsewhere. OSError where it may not look."""
    roots = [os.path.realpath(path) for path in paths]
    avoided = foreign_mounts() - set(roots)
    seen = set()
    for root in sorted(set(roots)):
        for path in [root] if os.path.isfile(root) else walk(root, patterns, avoided, seen):
            target = os.path.realpath(path)
            if not os.path.islink(path):
                yield path
            elif os.path.isfile(target) and not any(is_below(target, other) for other in roots):
                outside[path] = target


def walk(path, patterns, avoided, seen):
    """In order; by a list of what is left, since folders may lie deeper in each other than Python can call itself."""
    left = [path]
    while left:
        path = left.pop()
        try:
            info = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISDIR(info.st_mode):
            if path not in avoided and (info.st_dev, info.st_ino) not in seen:
                seen.add((info.st_dev, info.st_ino))
                left += [os.path.join(path, name) for name in reversed(names_in(path))]
        elif (
            matches(path, patterns) and (stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode)) and path not in seen
        ):
            seen.add(path)
            yield path


def names_in(folder):
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:  # gone since it was listed
        return []


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(os.path.basename(name), pattern) for pattern in patterns)


def is_below(path, folder):
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def foreign_mounts():
    """Where something is mounted that is no disk of this host."""
    try:
        with open("/proc/filesystems") as stream:
            lines = [line.split() for line in stream]
        with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as stream:
            mounts = [line.split() for line in stream]
    except OSError:
        return {"/proc", "/sys", "/dev"}
    virtual = {line[1] for line in lines if len(line) == 2 and line[1] not in WITHOUT_DEVICE}
    return {unescaped(mount[1]) for mount in mounts if mount[2].partition(".")[0] in virtual}


def unescaped(path):
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, char)
    return path


# --- what is in them


def occurrences(stream, member, patterns, depth=1):
    """Where a member is: ["a.class", "WEB-INF/lib/x.jar!/a.class"]."""
    with opened(stream) as archive:
        return list(places(archive, member, patterns, depth))


def places(archive, member, patterns, depth):
    for info in archive.infolist():
        if is_member(info.filename, member):
            yield info.filename
        elif matches(info.filename, patterns) and not info.filename.endswith("/"):
            with unpacked(archive, info, depth) as inner:
                for place in within(info.filename, lambda: occurrences(inner, member, patterns, depth + 1)):
                    yield "%s!/%s" % (info.filename, place)


def within(name, act):
    """What goes wrong in an inner archive is told with the way to it."""
    try:
        return act()
    except Unreadable as error:
        raise Unreadable("%s: %s" % (name, error))


def is_member(name, member):
    """Below a folder too: WEB-INF/classes and BOOT-INF/classes are on the class path."""
    return name == member or name.endswith("/" + member)


def opened(stream):
    try:
        archive = zipfile.ZipFile(stream)
    except UnicodeDecodeError:
        raise Unreadable("a name in it cannot be read")
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, IndexError) as error:
        raise Unreadable("no archive that can be read: %s" % error)
    if len(archive.infolist()) > MEMBER_LIMIT:
        raise Unreadable("more than %d members" % MEMBER_LIMIT)
    return archive


def unpacked(archive, info, depth):
    """A member as a file that can be searched; the size is counted, not believed."""
    if depth >= DEPTH_LIMIT:
        raise Unreadable("%s: archives within archives, more than %d deep" % (info.filename, DEPTH_LIMIT))
    small = info.file_size <= IN_MEMORY
    content, size = io.BytesIO() if small else tempfile.TemporaryFile(), 0
    try:
        with archive.open(info) as stream:
            for part in iter(lambda: stream.read(CHUNK), b""):
                size += len(part)
                if size > (IN_MEMORY if small else SIZE_LIMIT):
                    raise Unreadable("%s: larger than it says, or than %d bytes" % (info.filename, SIZE_LIMIT))
                content.write(part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        content.close()
        raise Unreadable("%s: %s" % (info.filename, error))
    except BaseException:
        content.close()
        raise
    content.seek(0)
    return content


# --- without it


def strip(source, target, member, patterns, depth=1):
    """Write the archive in `source` to `target` without the member, nested archives too; `target` tells its place.

    Returns True where it or an archive in it was signed, which a signature does not outlive.
    """
    with opened(source) as archive:
        records = central_records(source, archive)
        signed = signed_in(archive)
        changed = {}
        for number, info in enumerate(archive.infolist()):
            if is_member(info.filename, member):
                changed[number] = None
            elif matches(info.filename, patterns) and not info.filename.endswith("/"):
                inner, was_signed = stripped_member(archive, info, member, patterns, depth)
                if inner is not None:
                    changed[number] = inner
                    signed = signed or was_signed
        try:
            rewrite(source, target, archive, records, changed)
        finally:
            for inner in filter(None, changed.values()):
                inner.close()
    return signed


def signed_in(archive):
    return any(fnmatch.fnmatchcase(name.upper(), SIGNATURES) for name in archive.namelist())


def stripped_member(archive, info, member, patterns, depth):
    """(the inner archive without the member, was it signed), or (None, False) where it does not have it."""
    with unpacked(archive, info, depth) as inner:
        if not within(info.filename, lambda: occurrences(inner, member, patterns, depth + 1)):
            return None, False
        inner.seek(0)
        result = io.BytesIO() if info.file_size <= IN_MEMORY else tempfile.TemporaryFile()
        signed = within(info.filename, lambda: strip(inner, result, member, patterns, depth + 1))
        result.seek(0)
        return result, signed


def central_records(source, archive):
    """The raw record of each member in the central directory, in its order."""
    source.seek(archive.start_dir)
    records = []
    for _info in archive.infolist():
        head = source.read(CENTRAL_SIZE)
        if head[:4] != CENTRAL:
            raise Unreadable("its central directory is not where it should be")
        records.append(bytearray(head + source.read(sum(struct.unpack("<3H", head[28:34])))))
    offsets = [info.header_offset for info in archive.infolist()]
    if len(set(offsets)) != len(offsets):
        raise Unreadable("members of it lie over each other")
    return records


def rewrite(source, target, archive, records, changed):
    """Copy all regions but those that change; then the directory, with the places to which members have moved."""
    infos = archive.infolist()
    order = sorted(range(len(infos)), key=lambda number: infos[number].header_offset)
    ends = [infos[number].header_offset for number in order[1:]] + [archive.start_dir]
    copy_region(source, target, 0, infos[order[0]].header_offset if order else archive.start_dir)
    for place, number in enumerate(order):
        end, start = ends[place], infos[number].header_offset
        moved = start - target.tell()
        if number not in changed:
            copy_region(source, target, start, end)
        elif changed[number] is not None:
            write_member(source, target, infos[number], records[number], changed[number])
        shift_record(records[number], moved)
    write_directory(source, target, archive, [r for n, r in enumerate(records) if n not in changed or changed[n]])


def copy_region(source, target, start, end):
    source.seek(start)
    left = end - start
    while left > 0:
        part = source.read(min(CHUNK, left))
        if not part:
            raise Unreadable("it ends too early")
        target.write(part)
        left -= len(part)


def write_member(source, target, info, record, content):
    """A local header like the old one and the new content, compressed as the old one was; `record` is brought in line."""
    source.seek(info.header_offset)
    head = bytearray(source.read(LOCAL_SIZE))
    if head[:4] != LOCAL or UNKNOWN_32 in struct.unpack("<2I", record[20:28]):
        raise Unreadable("%s: its header cannot be rewritten" % info.filename)
    name_size, extra_size = struct.unpack("<2H", head[26:30])
    name, extra = source.read(name_size), without_sizes(source.read(extra_size))
    with packed(content, info.compress_type) as (crc, size, result):
        packed_size = result.seek(0, os.SEEK_END)
        flags = struct.unpack("<H", head[6:8])[0] & ~HAS_DESCRIPTOR
        for header, at in ((head, 6), (record, 8)):
            struct.pack_into("<H", header, at, flags)
            struct.pack_into("<3I", header, at + 8, crc, packed_size, size)
        struct.pack_into("<H", head, 28, len(extra))
        target.write(bytes(head) + name + extra)
        copy_region(result, target, 0, packed_size)


def without_sizes(extra):
    """A header's extra fields without the one that has 64 bit sizes: those were of the old content."""
    kept, at = b"", 0
    while at + 4 <= len(extra):
        tag, size = struct.unpack("<2H", extra[at : at + 4])
        if tag != TAG_64:
            kept += extra[at : at + 4 + size]
        at += 4 + size
    return kept + extra[at:]


@contextlib.contextmanager
def packed(content, method):
    """(crc, size, the content as it is stored in an archive)"""
    if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unreadable("compression %d cannot be written" % method)
    with tempfile.TemporaryFile() as result:
        deflate = zlib.compressobj(zlib.Z_DEFAULT_COMPRESSION, zlib.DEFLATED, -15)
        crc, size = 0, 0
        content.seek(0)
        for part in iter(lambda: content.read(CHUNK), b""):
            crc, size = zlib.crc32(part, crc), size + len(part)
            result.write(part if method == zipfile.ZIP_STORED else deflate.compress(part))
        if method == zipfile.ZIP_DEFLATED:
            result.write(deflate.flush())
        yield crc & UNKNOWN_32, size, result


def shift_record(record, moved):
    """Where the member begins is counted from the archive's own start, which may not be the file's: so by difference."""
    offset = struct.unpack_from("<I", record, 42)[0]
    if offset != UNKNOWN_32:
        struct.pack_into("<I", record, 42, offset - moved)
        return
    at = place_of_offset_64(record)
    struct.pack_into("<Q", record, at, struct.unpack_from("<Q", record, at)[0] - moved)


def place_of_offset_64(record):
    """In the 64 bit field stand, in this order, those of size, packed size and offset that did not fit."""
    name_size, extra_size = struct.unpack_from("<2H", record, 28)
    at, end = CENTRAL_SIZE + name_size, CENTRAL_SIZE + name_size + extra_size
    before = 8 * struct.unpack_from("<2I", record, 20).count(UNKNOWN_32)
    while at + 4 <= end:
        tag, size = struct.unpack_from("<2H", record, at)
        if tag == TAG_64 and size >= before + 8:
            return at + 4 + before
        at += 4 + size
    raise Unreadable("a member's place in it is not told")


def write_directory(source, target, archive, records):
    source.seek(0, os.SEEK_END)
    size = source.tell()
    old_size = sum(CENTRAL_SIZE + sum(struct.unpack("<3H", record[28:34])) for record in raw_records(source, archive))
    start = target.tell()
    for record in records:
        target.write(record)
    new_size, moved = target.tell() - start, archive.start_dir - start
    tail_start = archive.start_dir + old_size
    if size - tail_start > CHUNK:
        raise Unreadable("too much lies behind its directory")
    source.seek(tail_start)
    tail = bytearray(source.read())
    mend_ending(tail, len(archive.infolist()) - len(records), old_size - new_size, moved)
    target.write(tail)


def raw_records(source, archive):
    source.seek(archive.start_dir)
    for _info in archive.infolist():
        head = source.read(CENTRAL_SIZE)
        source.seek(sum(struct.unpack("<3H", head[28:34])), os.SEEK_CUR)
        yield head


def mend_ending(tail, fewer, smaller, moved):
    """The counts, the size and the place of the directory in the records that end an archive; all by difference."""
    at = tail.rfind(ENDING)
    if at < 0:
        raise Unreadable("its ending is not where it should be")
    less(tail, "<H", at + 8, fewer, 0xFFFF)
    less(tail, "<H", at + 10, fewer, 0xFFFF)
    less(tail, "<I", at + 12, smaller, UNKNOWN_32)
    less(tail, "<I", at + 16, moved, UNKNOWN_32)
    if tail[:4] == ENDING_64:
        for place, value in ((24, fewer), (32, fewer), (40, smaller), (48, moved)):
            less(tail, "<Q", place, value, None)
        locator = tail.find(LOCATOR_64)
        if locator >= 0:
            less(tail, "<Q", locator + 8, smaller + moved, None)


def less(data, form, at, value, unknown):
    old = struct.unpack_from(form, data, at)[0]
    if old != unknown:
        struct.pack_into(form, data, at, old - value)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(scan(asked["paths"], asked["member"], asked["archives"])) + "\n")
