# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What an edit makes of the lines of a file: pure, and doing it twice is doing it once.

Lines are what stands between newlines: a text that ends in one has an empty last line, and so lines put together anew
are never joined. Text goes through surrogateescape, so that bytes that are no UTF-8 come out as they went in.
"""

import re

COMMENT = re.compile(r"\s*(#|;|//)")
HEADER = re.compile(r"\s*\[([^\]\r\n]+)\]")
OPTION = re.compile(r"(\s*)([^=\s\[#;][^=]*?)(?:(\s*=[ \t]*)(.*?))?(\s*)\Z", re.DOTALL)


def lines_of(data):
    return data.decode("utf-8", "surrogateescape").split("\n")


def bytes_of(lines):
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def body(line):
    """Without what a Windows line end leaves."""
    return line.rstrip("\r")


# -- one line


def edit_line(lines, params):
    places = places_of_line(lines, params)
    if params.get("absent"):
        return without(lines, places)
    if places:
        return put_at(lines, places, params["line"])
    return inserted(lines, place_after(lines, params.get("after")), [params["line"]])


def places_of_line(lines, params):
    """The lines it is about: those that match, and those that say just what is wanted."""
    wanted = None if params.get("absent") else params.get("line")
    match = params.get("match")
    return [
        number
        for number, line in enumerate(lines)
        if body(line) == wanted or (match is not None and matches(match, body(line)))
    ]


def matches(pattern, line):
    """A comment sets nothing, so only a pattern that names its sign means it too."""
    comment = COMMENT.match(line)
    if comment and comment.group(1) not in pattern:
        return False
    return re.search(pattern, line, re.MULTILINE) is not None


def place_after(lines, pattern):
    found = [number for number, line in enumerate(lines) if pattern is not None and matches(pattern, body(line))]
    return found[-1] + 1 if found else len(lines)


# -- one option of an ini file


def edit_option(lines, params):
    places = places_of_option(lines, params)
    if params.get("absent"):
        return without(lines, [number for first, end in places for number in range(first, end)])
    if not places:
        return with_option(lines, params)
    first, end = places[0]
    rest = [number for start, stop in places for number in range(start, stop) if number != first]
    return put_at(lines, [first] + rest, with_value(logical(lines, first, end), params["value"]))


def places_of_option(lines, params):
    """[(first line, line after its last)] of each time the option is set in its section."""
    name, found = plain(params["option"]), []
    for first, end in statements(lines, params.get("section")):
        option = OPTION.match(body(lines[first]))
        if option and plain(option.group(2)) == name:
            found.append((first, end))
    return found


def plain(name):
    """Names as samba (blanks, case) and MySQL (hyphens) compare them; nobody has two that differ only so."""
    return re.sub(r"\s", "", name).lower().replace("-", "_")


def statements(lines, section):
    """[(first line, line after its last)] of what is neither empty, comment nor header in a section.

    A line that ends in a backslash goes on in the next.
    """
    found, current, number = [], None, 0
    wanted = None if section is None else plain(section)
    while number < len(lines):
        line, first = body(lines[number]), number
        number += 1
        if not line.strip() or COMMENT.match(line):
            continue
        header = HEADER.match(line)
        if header:
            current = plain(header.group(1))
            continue
        while body(lines[number - 1]).endswith("\\") and number < len(lines):
            number += 1
        if current == wanted:
            found.append((first, number))
    return found


def logical(lines, first, end):
    """A statement's first line, without what goes on in the next."""
    return body(lines[first]).rstrip("\\").rstrip() if end - first > 1 else body(lines[first])


def with_value(line, value):
    """As the file spells and spaces it. What says it already stays as it is."""
    indent, name, equals, old, _blanks = OPTION.match(line).groups()
    return line if old == value else "%s%s%s%s" % (indent, name, equals or " = ", value)


def with_option(lines, params):
    section = params.get("section")
    inside = statements(lines, section)
    model = OPTION.match(body(lines[inside[-1][0]])) if inside else None
    indent, equals = (model.group(1), model.group(3) or " = ") if model else ("", spacing(lines))
    line = "%s%s%s%s" % (indent, params["option"], equals, params["value"])
    if inside:
        return inserted(lines, inside[-1][1], [line])
    headers = [number for number, text in enumerate(lines) if HEADER.match(body(text)) and not COMMENT.match(text)]
    if section is None:
        return inserted(lines, headers[0] if headers else len(lines), [line])
    ours = [number for number in headers if plain(HEADER.match(lines[number]).group(1)) == plain(section)]
    if ours:
        return inserted(lines, ours[-1] + 1, [line])
    filled = [number for number, text in enumerate(lines) if text.strip()]
    gap = [""] if filled and filled[-1] >= len(lines) - 2 else []
    return inserted(lines, len(lines), gap + ["[%s]" % section, line])


def spacing(lines):
    """How the file's first option writes its equals sign."""
    options = [OPTION.match(body(line)) for line in lines if line.strip() and not COMMENT.match(line)]
    return next((option.group(3) for option in options if option and option.group(3)), " = ")


# -- the options of one line of fstab

OPPOSITE = {
    "noexec": "exec",
    "nosuid": "suid",
    "nodev": "dev",
    "ro": "rw",
    "noatime": "atime",
    "nosymfollow": "symfollow",
}
MOUNT = re.compile(r"(\s*[^\s#]\S*\s+(\S+)\s+\S+)(?:(\s+)(\S+))?(.*)\Z")


def edit_mount(lines, params):
    edited = list(lines)
    for number in places_of_mount(lines, params):
        head, _point, gap, options, tail = MOUNT.match(lines[number]).groups()
        edited[number] = head + (gap or " ") + with_options(options, params["options"]) + tail
    return edited


def places_of_mount(lines, params):
    found = [(number, MOUNT.match(line)) for number, line in enumerate(lines)]
    point = params["path"].rstrip("/") or "/"
    return [number for number, match in found if match and mount_point(match.group(2)) == point]


def mount_point(text):
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text).rstrip("/") or "/"


def with_options(text, wanted):
    """In their order; what says the opposite goes."""
    opposites = [OPPOSITE[option] for option in wanted]
    kept = [option for option in (text or "defaults").split(",") if option not in opposites]
    return ",".join(kept + [option for option in wanted if option not in kept])


# -- both


def without(lines, places):
    gone = set(places)
    return [line for number, line in enumerate(lines) if number not in gone]


def put_at(lines, places, text):
    """One line in the first of the places, nothing in the others."""
    first = places[0]
    end = lines[first][len(body(lines[first])) :]
    return lines[:first] + [text + end] + without(lines[first + 1 :], [number - first - 1 for number in places[1:]])


def inserted(lines, place, texts):
    """At the end means before the empty line that stands for a last newline; without one, it gets one."""
    end = "\r" if lines[0].endswith("\r") else ""
    if place == len(lines) and lines[-1] == "":
        place -= 1
    last = [] if place < len(lines) else [""]
    return lines[:place] + [text + end for text in texts] + lines[place:] + last


EDITS = {"line": edit_line, "ini_option": edit_option, "mount_option": edit_mount}
