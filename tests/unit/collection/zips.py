"""Archives to try things on, made as build tools make them."""

import io
import zipfile

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
MEMBER = "org/apache/logging/log4j/core/lookup/JndiLookup.class"


def archive(*members, comment=b"", before=b""):
    """Members are (name, content, compression); each has a time, rights and a comment of its own."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as found:
        found.comment = comment
        for number, (name, content, method) in enumerate(members):
            info = zipfile.ZipInfo(name, (2019, 5, 4, 3, 2, 2 * number))
            info.compress_type, info.external_attr, info.comment = method, 0o100640 << 16, name[-5:].encode()
            found.writestr(info, content)
    return before + data.getvalue()


def streamed(*members):
    """As a build tool writes into a pipe: sizes come after each member (jar, maven)."""

    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, part):
            self.data += part
            return len(part)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as found:
        for name, content, method in members:
            found.writestr(name, content, method)
    return bytes(pipe.data)


def told(data):
    """All an archive says of its members, and what is in them, by name in their order."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        assert found.testzip() is None
        return [(info.filename, raw(data, info), *facts(info)) for info in found.infolist()]


def facts(info):
    return info.date_time, info.compress_type, info.external_attr, info.comment, info.CRC, info.create_system


def raw(data, info):
    """The bytes as they lie there."""
    head = data[info.header_offset : info.header_offset + 30]
    start = info.header_offset + 30 + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    return data[start : start + info.compress_size]


def names(data):
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return found.namelist()


def inside(data, name):
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        return found.read(name)
