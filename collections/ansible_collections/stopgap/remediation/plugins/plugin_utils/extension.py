# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""More time for a mitigation, for fresh machine proof and nothing else. Pure.

A wish is the controller's word: it comes from the arguments of the task that proves, never from what was answered.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_DURATION = re.compile(r"([1-9]\d{0,3})([hdw])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Wish(object):
    """seconds: what was asked for. why: the reason. ttls: {(remedy, mitigation): the mitigation's own seconds}."""

    def __init__(self, text, why, remedies):
        self.text = text
        self.seconds = seconds_of(text)
        self.why = why
        self.ttls = {
            (remedy["id"], mitigation["id"]): mitigation["ttl_seconds"]
            for remedy in remedies
            for mitigation in remedy["mitigations"]
        }

    def granted(self, remedy, mitigation):
        """Seconds from the proof on: never more than the mitigation's own. None for one that the remedy does not name."""
        own = self.ttls.get((remedy, mitigation))
        return None if own is None else min(self.seconds, own)

    def until(self, remedy, mitigation, proven_at):
        seconds = self.granted(remedy, mitigation)
        if seconds is None:
            return None
        return (datetime.strptime(proven_at, _FORMAT) + timedelta(seconds=seconds)).strftime(_FORMAT)

    def told(self, remedy, mitigation):
        """`14d`, or `12h (its own; 14d was asked for)`; None where nothing can be granted."""
        seconds = self.granted(remedy, mitigation)
        if seconds is None or seconds == self.seconds:
            return seconds and self.text
        return "%s (its own; %s was asked for)" % (text_of(seconds), self.text)


def wish_of(arguments):
    """The wish in a task's arguments; None where there is none. Raises ValueError with a sentence."""
    text = str(arguments.get("extend") or "").strip()
    if not text:
        return None
    why = str(arguments.get("reason") or "").strip()
    if not why:
        raise ValueError("stopgap_extend gives a mitigation more time: set stopgap_reason, it is recorded")
    return Wish(text, why, arguments.get("remedies") or [])


def seconds_of(text):
    found = _DURATION.fullmatch(text)
    if not found:
        raise ValueError("stopgap_extend is %r: write a number and h, d or w, such as 12h, 14d, 4w" % str(text)[:40])
    return int(found.group(1)) * _SECONDS[found.group(2)]


def text_of(seconds):
    """1209600 -> 14d"""
    for unit in "dh":
        if seconds % _SECONDS[unit] == 0:
            return "%d%s" % (seconds // _SECONDS[unit], unit)
    return "%d s" % seconds
