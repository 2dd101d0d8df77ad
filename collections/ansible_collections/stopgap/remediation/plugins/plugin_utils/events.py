# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""From the results of our modules to events (contracts, section 6). Pure, and never an import that costs anything.

A "told" event is a dict without what only the controller may say (estate, actor, run, origin); a Witness adds that. What
comes from a host is taken field by field, bounded and cleaned: a host tells about itself, and in our words only.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from datetime import datetime, timedelta, timezone

from ansible_collections.stopgap.remediation.plugins.plugin_utils.bounds import (
    DEPTH_LIMIT,
    bounded,
    clean,
    trim,
)

PREFIX = "stopgap.remediation."
HELD = ("intended", "applied", "lifting")
HISTORY = ("intended", "applied", "lifting", "lifted", "undone")
MITIGATION_ANSWERS = ("failed", "refused")
PATCH_ANSWERS = ("installed", "already", "refused", "failed", "rolled_back")
STATES = ("unknown", "not_affected", "exposed", "mitigated", "patched")
VERDICTS = ("pass", "fail", "unknown")

REASON_LIMIT = 600
IN_FORCE_LIMIT = 500
ITEMS_LIMIT = 1000  # answers of one result; remedies of one play, entries of one journal
HISTORY_LIMIT = 20  # the last lines of one entry
WORD_LIMIT = 255  # names and times: a case keeps those of all its entries
ENTRY_LIMIT = 8 * 1024  # characters of JSON: each line of its history repeats them
HOST_ID_LIMIT = 64
ASSESSED_ON = ("packages", "when", "old_code", "mitigation")

_REMEDY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")
_ENTRY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TIME = re.compile(r"[12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


# --- time and names ------------------------------------------------------------------------------------------------


def now():
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def is_time(text):
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return False
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return False
    return True


def uuid7(milliseconds=None, bits=None):
    """A UUIDv7 of this time (now) and these bits (random)."""
    milliseconds = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    bits = int.from_bytes(os.urandom(10), "big") if bits is None else bits
    value = (milliseconds & (1 << 48) - 1) << 80 | bits & (1 << 80) - 1
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def journal_id(at, estate, host, entry, state):
    """The same fact gets the same id whoever reports it: a run's callback, or a sync a month later."""
    since_epoch = datetime.strptime(at, "%Y-%m-%dT%H:%M:%S.%fZ") - datetime(1970, 1, 1)
    said = "|".join((estate, host, entry, state)).encode("utf-8", "surrogateescape")
    bits = int.from_bytes(hashlib.sha256(said).digest()[:10], "big")
    return uuid7(since_epoch // timedelta(milliseconds=1), bits)


# --- what each module says -----------------------------------------------------------------------------------------


def assessed(result, asked, trouble):
    """asked: {remedy: revision}. Each gets an answer: where the host gave none, it is unknown."""
    answers = {}
    machine = _machine(_dict(result.get("system")))
    for item in _dicts(result.get("assessments")):
        seen = _dict(item.get("evidence"))
        on = {key: seen[key] for key in ASSESSED_ON if key in seen}
        evidence = bounded(dict(on, code=item.get("code"), **machine))
        told = _told(item, asked, "assessed", item.get("state"), STATES, evidence)
        if told:
            answers[told["remedy"]] = told
    why = "assessment failed: %s" % trouble if trouble else "the host gave no assessment"
    silent = {name: unknown(name, asked[name], why, "no_assessment") for name in asked if name not in answers}
    return list(answers.values()) + list(silent.values())


def _machine(system):
    """Which distribution answered, and from which machine; nothing where the host does not say."""
    told = {"distro": system.get("distro"), "host_id": system.get("host_id")}
    return {key: clean(value, HOST_ID_LIMIT) for key, value in told.items() if isinstance(value, str) and value}


def unknown(remedy, revision, reason, code):
    evidence = {"code": code}
    return _event("assessed", "unknown", remedy, revision, reason, evidence)


def mitigation(result, asked, trouble):
    told = []
    answered = set()
    for item in _dicts(result.get("results")):
        if not _is_asked(item.get("remedy"), asked):
            continue
        answered.add(item["remedy"])
        told.extend(_history(item))
        if item.get("state") in MITIGATION_ANSWERS:
            told.append(_told(item, asked, "mitigation", item["state"], MITIGATION_ANSWERS, _entry_evidence(item)))
    return told + _failures("mitigation", asked, answered, trouble)


def patch(result, asked, trouble):
    keys = ("code", "packages", "conffiles", "restarted", "old_code", "reboot_required", "rollback")
    told = []
    for item in _dicts(result.get("results")):
        evidence = bounded({key: item[key] for key in keys if key in item})
        told.append(_told(item, asked, "patch", item.get("state"), PATCH_ANSWERS, evidence))
    told = [one for one in told if one]
    return told + _failures("patch", asked, {one["remedy"] for one in told}, trouble)


def rollback(result, asked, _trouble):
    """Only what was taken back is an event: where nothing was, the case is as the patch left it."""
    done = [item for item in _dicts(result.get("results")) if item.get("state") == "rolled_back"]
    return patch({"results": done}, asked, "")


def journal_info(result, _asked, trouble):
    """Everything in the host's journal, whether asked about or not."""
    if trouble or not isinstance(result.get("entries"), list):
        return []
    listed = _dicts(result["entries"], None)
    entries = [item for item in listed if _is_asked(item.get("remedy"), {}) and _entry(item)]
    if len(entries) > ITEMS_LIMIT:
        entries = sorted(entries, key=lambda item: item.get("state") not in HELD)[:ITEMS_LIMIT]
    told = [event for item in entries for event in _history(item)]
    for event in told:
        event["evidence"]["found"] = True  # where the run that made it was heard first, this is the same event
    held = [[item["remedy"], item["entry"]] for item in entries if item.get("state") in HELD]
    evidence = {"in_force": held[:IN_FORCE_LIMIT], "host_id": trim(result.get("host_id"), DEPTH_LIMIT, [])}
    if len(held) > IN_FORCE_LIMIT or len(entries) != len(result["entries"]):
        evidence["truncated"] = True  # then what is missing here is not gone
    return told + [_event("journal", "seen", "", 0, "", evidence)]


def verified(result, _asked, _trouble):
    """Verification answers for many hosts at once; each event carries its own "host"."""
    told = []
    for host, items in _dict(result.get("results")).items():
        for item in _dicts(items):
            evidence = bounded({key: item.get(key) for key in ("phase", "mitigation", "checks")})
            one = _told(item, {}, "verified", item.get("verdict"), VERDICTS, evidence)
            if one:
                told.append(dict(one, host=str(host)))
    return told


def known(told):
    """What the catalogue says of a remedy: of no host, under the id that the package made from it. None for anything else."""
    name, evidence = told.get("id"), told.get("evidence")
    good = isinstance(name, str) and _UUID7.fullmatch(name) and isinstance(evidence, dict)
    if not good or not _is_asked(told.get("remedy"), {}):
        return None
    return dict(_event("remedy", "known", told["remedy"], told.get("revision"), "", evidence), id=name)


TELLERS = {
    PREFIX + "assess": assessed,
    PREFIX + "mitigation": mitigation,
    PREFIX + "patch": patch,
    PREFIX + "rollback": rollback,
    PREFIX + "journal_info": journal_info,
    PREFIX + "verify": verified,
}


# --- parts ---------------------------------------------------------------------------------------------------------


def _event(kind, verdict, remedy, revision, reason, evidence):
    reason = reason if isinstance(reason, str) else ""
    if len(reason) > REASON_LIMIT:
        evidence = dict(evidence, truncated=True)
    return {
        "remedy": str(remedy),
        "revision": revision
        if isinstance(revision, int) and not isinstance(revision, bool) and 0 <= revision < 1000000
        else 0,
        "kind": kind,
        "verdict": str(verdict),
        "reason": clean(reason, REASON_LIMIT),
        "evidence": evidence,
    }


def _told(item, asked, kind, verdict, vocabulary, evidence=None):
    """One event from one item of a result; None where the item is not an answer of ours."""
    if not isinstance(verdict, str) or verdict not in vocabulary or not _is_asked(item.get("remedy"), asked):
        return None
    remedy = item["remedy"]
    revision = asked.get(remedy) or item.get("revision")
    return _event(kind, verdict, remedy, revision, item.get("reason"), evidence if evidence is not None else {})


def _history(item):
    """One event for each line of an entry's history. Its time is the host's; heard_at is ours."""
    if not _entry(item):
        return []
    heard = now()
    lines = _dicts(item.get("history"), None) or [{"state": item.get("state"), "at": heard}]
    events, evidence = [], _entry_evidence(item)
    if len(lines) > HISTORY_LIMIT:
        evidence["truncated"] = True
    for step, line in list(enumerate(lines))[-HISTORY_LIMIT:]:
        if line.get("state") in HISTORY:
            event = _event(
                "mitigation",
                line["state"],
                item["remedy"],
                item.get("revision"),
                line.get("reason") or item.get("reason"),
                dict(evidence),
            )
            at = line.get("at") if is_time(line.get("at")) else heard
            event["evidence"].update(heard_at=heard, step=step)
            events.append(dict(event, at=at, entry=item["entry"]))
    return events


def _entry_evidence(item):
    keys = ("mitigation", "entry", "owner", "ttl_seconds", "expires_at", "persists")
    actions = [
        {"type": one.get("type"), "resource": one.get("resource"), "changed": one.get("changed")}
        for one in _dicts(item.get("actions"))
    ]
    told = {key: item.get(key) for key in keys}
    short = {key: value[:WORD_LIMIT] if isinstance(value, str) else value for key, value in told.items()}
    evidence = bounded(dict(short, actions=actions), ENTRY_LIMIT)
    return evidence if short == told else dict(evidence, truncated=True)


def _failures(kind, asked, answered, trouble):
    """A module that broke answered for none of what it was asked."""
    if not trouble:
        return []
    return [_event(kind, "failed", name, asked[name], trouble, {}) for name in asked if name not in answered]


def _is_asked(remedy, asked):
    return isinstance(remedy, str) and bool(_REMEDY.fullmatch(remedy)) and (not asked or remedy in asked)


def _entry(item):
    return isinstance(item.get("entry"), str) and bool(_ENTRY.fullmatch(item["entry"]))


def _dict(value):
    return value if isinstance(value, dict) else {}


def _dicts(value, limit=ITEMS_LIMIT):
    return [item for item in value[:limit] if isinstance(item, dict)] if isinstance(value, list) else []
