"""One event of contracts §6: its shape, its bounds, and the border where text from hosts is cleaned.

Written by hand instead of with pydantic: this runs at the end of every play, and an import of pydantic costs as much
as the rest of the delivery.
"""

import json
import math
import re
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from stopgap.ledger.errors import BadEvent

KINDS: dict[str, frozenset[str]] = {
    "assessed": frozenset({"unknown", "not_affected", "exposed", "mitigated", "patched"}),
    "mitigation": frozenset({"intended", "applied", "lifting", "lifted", "undone", "failed", "refused"}),
    "patch": frozenset({"installed", "already", "refused", "failed", "rolled_back"}),
    "verified": frozenset({"pass", "fail", "unknown"}),
    "journal": frozenset({"seen"}),
    "accepted": frozenset({"accepted", "withdrawn"}),
    "remedy": frozenset({"known"}),
    "clock": frozenset({"ahead"}),
}
# What they are about: one case, one host as a whole (no remedy), or no host at all.
OF_HOST = frozenset({"journal"})
OF_NOBODY = frozenset({"remedy", "clock"})
OF_MACHINE = ("assessed", "journal")  # kinds that say which machine answered
ORIGINS = frozenset({"laptop", "awx", "molecule"})

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
TIME_LENGTH = 27

LINE_LIMIT = 256 * 1024  # bytes; more than any line the callback writes
EVIDENCE_LIMIT = 64 * 1024  # characters of JSON
# A line this short cannot hold more than that: a number, at worst, is written down six times as long as it came (9e15).
SURELY_SMALL = EVIDENCE_LIMIT // 6
REASON_LIMIT = 1000
DEPTH_LIMIT = 12
DEPTH_USUAL = 5  # of what controllers write; deeper takes longer to read
KEY_LIMIT = 200
REVISIONS = 1_000_000

_PATTERNS = {
    "id": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    "at": r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z",
    "run": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "remedy": r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}|",
}
PATTERNS = {name: re.compile(pattern) for name, pattern in _PATTERNS.items()}
_TEXT_LIMITS = {"estate": 64, "host": 255, "actor": 255}

MACHINE_LIMIT = 64
_MACHINE = re.compile(rf"[0-9A-Za-z_.-]{{1,{MACHINE_LIMIT}}}")

# Control characters, lone surrogates, and the invisible ones: those that turn text around, and those that hide in it.
# None is printable to Python. The same as the collection's bounds.py has; a test says so. Not by Unicode's
# categories: these change with Python's version, and what was clean when it was recorded has to be clean when it is
# imported.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e007f]"
)


# What the bounds are to the decoder, which is C: nearly every line is within all of them, and needs no second look.
def _nested(depth: int, of_float: Any) -> Any:
    """JSON that every reader can hold, in objects and lists of at most this depth."""
    scalar = None | bool | Annotated[int, Meta(ge=1 - 2**63, le=2**63 - 1)] | of_float | str
    if depth == 0:
        return scalar
    inner = _nested(depth - 1, of_float)
    return scalar | GenericAlias(list, (inner,)) | GenericAlias(dict, (_Key, inner))


_Key = Annotated[str, Meta(max_length=KEY_LIMIT)]
# Between these msgspec spells a float as Python does, without an exponent.
_UsualFloat = Annotated[float, Meta(ge=0.001, lt=1e15)]

if TYPE_CHECKING:
    Evidence = dict[str, Any]
    PlainEvidence = dict[str, Any]
else:
    Evidence = dict[_Key, _nested(DEPTH_USUAL - 1, float)]
    PlainEvidence = dict[_Key, _nested(DEPTH_USUAL - 1, _UsualFloat)]


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`at` is UTC, `2026-11-21T17:00:00.123456Z`: fixed width, so it sorts as text on every database.

    The bounds of texts and numbers here are the decoder's, for `_usual`; parse_event has its own.
    """

    id: str
    at: str
    estate: Annotated[str, Meta(min_length=1, max_length=_TEXT_LIMITS["estate"])]
    host: Annotated[str, Meta(min_length=1, max_length=_TEXT_LIMITS["host"])]
    remedy: Annotated[str, Meta(max_length=100)]
    revision: Annotated[int, Meta(ge=0, lt=REVISIONS)]
    kind: str
    verdict: str
    reason: Annotated[str, Meta(max_length=REASON_LIMIT)]
    evidence: Evidence
    actor: Annotated[str, Meta(min_length=1, max_length=_TEXT_LIMITS["actor"])]
    run: Annotated[str, Meta(max_length=36)]
    origin: str

    @property
    def heard_at(self) -> str:
        """When a controller heard of it. Hosts' clocks differ, so this one, not `at`, puts facts in order."""
        heard = self.evidence.get("heard_at") if self.kind == "mitigation" else None  # no host chooses its place
        return heard if isinstance(heard, str) and len(heard) == TIME_LENGTH and _is_time(heard) else self.at

    @property
    def machine(self) -> str:
        """Which machine answered to the host's name, a hash of its machine-id; "" where it did not say."""
        return machine_in(self.evidence) if self.kind in OF_MACHINE else ""

    @property
    def evidence_text(self) -> str:
        """Compact JSON as the table, the exports and the chains have it: numbers as Python spells them."""
        try:
            told = _spell(self.evidence)
            _decode_usual_numbers(told)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return _SPELL_AS_PYTHON(self.evidence)
        return told.decode()


class _Plain(Event, frozen=True, forbid_unknown_fields=True):
    """The decoder has seen that all its numbers are usual ones."""

    evidence: PlainEvidence

    @property
    def evidence_text(self) -> str:
        return _spell(self.evidence).decode()


class _OnlyId(msgspec.Struct):
    id: str


FIELDS = Event.__struct_fields__
_KEYS = frozenset(FIELDS)
_TEXTS = tuple(name for name in FIELDS if name not in ("revision", "evidence"))
_IN_ORDER = itemgetter(*FIELDS)
_BEGIN = re.compile(rb'\{"id": ?"([0-9a-f-]{36})"')  # the callback writes no blank, Python's json one


def id_in(line: bytes) -> str:
    """The id that a whole line of a controller's begins with; "" where one has to read it."""
    begin = _BEGIN.match(line)
    return begin[1].decode() if begin and line.endswith(b"}\n") else ""


def is_of(line: bytes, name: str) -> bool:
    """The line is JSON with this id; it might be two lines that lack what was between them."""
    try:
        return _decode_id(line).id == name
    except (msgspec.DecodeError, RecursionError):
        return False


def parse_line(line: bytes) -> Event:
    """Raises BadEvent with a sentence that fits behind "line 7: "."""
    small = len(line) <= SURELY_SMALL
    # JSON has control characters only by escapes: no text in such a line is long or unprintable.
    if small and line.isascii() and b"\\" not in line and b"\x7f" not in line:
        event = _usual(line)
        if event:
            return event
    return parse_event(parse_json(line, LINE_LIMIT), surely_small=small)


def _usual(line: bytes) -> Event | None:
    """The event of a plain line that is within all bounds; None where parse_event has to look."""
    try:
        event = _decoded(line)
    except msgspec.DecodeError:
        return None
    fits = (
        PATTERNS["id"].fullmatch(event.id)
        and is_time(event.at)
        and _is_run(event.run)
        and _is_remedy(event.remedy)
        and event.origin in ORIGINS
        and event.verdict in KINDS.get(event.kind, ())
    )
    return event if fits and (event.kind in OF_HOST) == (event.remedy == "") and event.kind not in OF_NOBODY else None


def _decoded(line: bytes) -> Event:
    try:
        return _decode_plain(line)
    except msgspec.DecodeError:
        return _decode_event(line)


# Asked again and again for the same short texts. (A pattern in the decoder's type takes longer, too.)
_is_run = lru_cache(maxsize=64)(PATTERNS["run"].fullmatch)
_is_remedy = lru_cache(maxsize=64)(PATTERNS["remedy"].fullmatch)
_is_machine = lru_cache(maxsize=4096)(_MACHINE.fullmatch)


def parse_json(line: bytes, limit: int) -> Any:
    """What a line of at most `limit` bytes holds; BadEvent where it is not JSON."""
    if len(line) > limit:
        raise BadEvent(f"longer than {limit} bytes")
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # half a surrogate pair, for one, is JSON to Python alone; and it says better what is wrong
    try:
        return _DECODER.decode(line.decode(json.detect_encoding(line), "surrogatepass"))
    except RecursionError:
        raise BadEvent("nested too deeply") from None
    except ValueError as error:
        raise BadEvent(f"not JSON ({error})") from None


def parse_event(raw: object, *, surely_small: bool = False) -> Event:
    """`surely_small`: its evidence cannot be larger than the limit, so nobody has to look."""
    if not isinstance(raw, dict):
        raise BadEvent("not a JSON object")
    if raw.keys() != _KEYS:
        odd = ", ".join(sorted(str(key)[:40] for key in set(raw) ^ set(FIELDS)))
        raise BadEvent(f"keys missing or unknown: {clean(odd, 200)}")
    _check_plain_fields(raw)
    _check_vocabulary(raw)
    lost = [True] if len(raw["reason"]) > REASON_LIMIT else []
    cleaned = {
        "reason": clean(raw["reason"], REASON_LIMIT),
        "evidence": _evidence(raw["evidence"], lost, surely_small),
    }
    return Event(*_IN_ORDER({**raw, **cleaned}))


def is_time(text: str) -> bool:
    """A real moment in the ledger's one spelling of time."""
    return bool(PATTERNS["at"].fullmatch(text)) and _is_moment(text)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def machine_in(evidence: dict[str, Any]) -> str:
    """Only ever compared: what does not look like a hash is no answer."""
    told = evidence.get("host_id")
    return told if isinstance(told, str) and len(told) <= MACHINE_LIMIT and _is_machine(told) else ""


_is_time = lru_cache(maxsize=4096)(is_time)  # what several ask of one event


def spelled(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


def clean(text: str, limit: int) -> str:
    """Printable text of at most `limit` characters: host-supplied words must not drive a terminal."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    if text.isprintable():  # nearly all text is, and that is told much sooner than by the pattern
        return text
    return _UNPRINTABLE.sub(_harmless, text)


def _harmless(found: re.Match[str]) -> str:
    return " " if found[0] in "\t\n\r" else "\N{REPLACEMENT CHARACTER}"


def _evidence(value: object, lost: list[bool], surely_small: bool) -> dict[str, Any]:
    """Clean, and of a size the ledger takes. A talkative host's event is cut and marked, not refused.

    `lost` has an item for everything that was left out of the event.
    """
    if not isinstance(value, dict):
        raise BadEvent("evidence is not an object")
    cleaned: dict[str, Any] = _clean_value(value, 0, lost)
    if lost:
        cleaned["truncated"] = True
    return cleaned if surely_small or _size(cleaned) <= EVIDENCE_LIMIT else _fitting(cleaned)


def _fitting(evidence: dict[str, Any]) -> dict[str, Any]:
    """The largest parts go first."""
    kept = {**evidence, "truncated": True}
    sizes = {key: _size({key: item}) for key, item in kept.items() if key != "truncated"}
    room = EVIDENCE_LIMIT - _size({"truncated": True})
    for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
        if sum(sizes.values()) <= room:
            break
        del kept[key], sizes[key]
    return kept


def _size(value: object) -> int:
    """In characters of JSON."""
    return len(json.dumps(value, ensure_ascii=False))


def _clean_value(value: Any, depth: int, lost: list[bool]) -> Any:
    if isinstance(value, str):
        return _clean_text(value, EVIDENCE_LIMIT, lost)
    if not isinstance(value, dict | list):
        return _clean_number(value)
    if value and depth >= DEPTH_LIMIT:
        lost.append(True)
        return type(value)()
    if isinstance(value, list):
        return [_clean_value(item, depth + 1, lost) for item in value]
    return {_clean_text(key, KEY_LIMIT, lost): _clean_value(item, depth + 1, lost) for key, item in value.items()}


def _clean_text(text: str, limit: int, lost: list[bool]) -> str:
    if len(text) > limit:
        lost.append(True)
    return clean(text, limit)


def _clean_number(value: Any) -> Any:
    """What every reader of JSON can hold; null and truths as they are."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if type(value) is int and abs(value) >= 2**63:
        return "a number out of bounds"
    return value


def _check_plain_fields(raw: dict[str, Any]) -> None:
    for name in _TEXTS:
        if not isinstance(raw[name], str):
            raise BadEvent(f"{name} is not text")
    for name, pattern in PATTERNS.items():
        if not pattern.fullmatch(raw[name]):
            raise BadEvent(f"{name} {clean(raw[name], 60)!r} is not well formed")
    if not _is_moment(raw["at"]):
        raise BadEvent(f"at {raw['at']!r} is not a moment in time")
    for name, limit in _TEXT_LIMITS.items():
        text = raw[name]
        if len(text) > limit or _is_unprintable(text) or not (text or _may_be_empty(name, raw)):
            raise BadEvent(f"{name} {clean(text, 60)!r} is empty, too long or unprintable")
    if type(raw["revision"]) is not int or not 0 <= raw["revision"] < REVISIONS:
        raise BadEvent("revision is not a small whole number")


def _check_vocabulary(raw: dict[str, Any]) -> None:
    if raw["origin"] not in ORIGINS:
        raise BadEvent(f"origin {clean(raw['origin'], 60)!r} is unknown")
    if raw["verdict"] not in KINDS.get(raw["kind"], ()):
        raise BadEvent(f"kind {clean(raw['kind'], 60)!r} with verdict {clean(raw['verdict'], 60)!r} is unknown")
    if (raw["kind"] in OF_HOST or raw["kind"] == "clock") != (raw["remedy"] == ""):
        raise BadEvent("remedy must be empty for a journal event, and only there (or for kind clock)")
    if raw["kind"] in OF_NOBODY and (raw["estate"] or raw["host"]):
        raise BadEvent(f"estate and host must be empty for kind {raw['kind']}")


def _is_unprintable(text: str) -> bool:
    return not text.isprintable() and bool(_UNPRINTABLE.search(text))


def _may_be_empty(name: str, raw: dict[str, Any]) -> bool:
    return name in ("estate", "host") and raw["kind"] in OF_NOBODY


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


_spell = msgspec.json.Encoder().encode
_SPELL_AS_PYTHON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_decode_usual_numbers = msgspec.json.Decoder(PlainEvidence).decode
_decode = msgspec.json.Decoder().decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_plain = msgspec.json.Decoder(_Plain).decode
_decode_id = msgspec.json.Decoder(_OnlyId).decode
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
