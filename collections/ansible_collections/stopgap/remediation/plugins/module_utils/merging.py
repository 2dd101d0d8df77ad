# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Carry a change of a list of lines over to another that somebody has changed meanwhile."""

import collections
import difflib

# for `prefer`: where both changed the same lines, ...
TARGET = "target"  # take the target
PATCH = "patch"  # take the target; it came later, so what it puts in comes after what is there
DONE = "done"  # take what stands there if the target's change is in it


class Conflict(Exception):
    """Both changed the same place; `lines` is what stands there now."""

    def __init__(self, lines):
        super(Conflict, self).__init__("\n".join(lines))
        self.lines = lines


def carry(ancestor, changed, target, prefer=None):
    """`changed` with what differs between `ancestor` and `target` done to it as well.

    Conflict where both changed the same lines differently, unless `prefer` says what to do there.
    """
    if changed == ancestor:
        return target
    if target == ancestor:
        return changed
    result, place = [], 0
    for start, end, theirs, ours in regions(ancestor, changed, target):
        result += ancestor[place:start] + settled(ancestor[start:end], theirs, ours, prefer)
        place = end
    return result + ancestor[place:]


def settled(before, theirs, ours, prefer):
    if ours is None or theirs == ours:
        return theirs
    if theirs is None:
        return ours
    if prefer == DONE and is_done(before, theirs, ours):
        return theirs
    if not before:
        return both(theirs, ours, prefer)
    if prefer in (TARGET, PATCH):
        return ours
    raise Conflict(theirs or before)


def both(theirs, ours, prefer):
    """Two things put in at one point do not contradict each other."""
    if any(theirs[start : start + len(ours)] == ours for start in range(len(theirs))):
        return theirs
    return theirs + ours if prefer == PATCH else ours + theirs


def is_done(before, theirs, ours):
    """Every line that ours takes away is gone in theirs, and every one it adds is there."""
    old, new, there = (collections.Counter(lines) for lines in (before, ours, theirs))
    return not (old - new) & there and not (new - old) - there


def regions(ancestor, changed, target):
    """[(start, end, lines of changed, lines of target)], None where that one left the place alone.

    Changes side by side are two; only those that overlap, or put something at the same point, are one.
    """
    hunks = sorted(
        [hunk + (0,) for hunk in hunks_of(ancestor, changed)] + [hunk + (1,) for hunk in hunks_of(ancestor, target)],
        key=lambda hunk: (hunk[0], hunk[1]),
    )
    groups = []
    for hunk in hunks:
        if groups and meets(groups[-1], hunk):
            groups[-1].append(hunk)
        else:
            groups.append([hunk])
    return [region(ancestor, group) for group in groups]


def hunks_of(old, new):
    """[(start, end, new lines)]; as many lines in place of as many are one by one."""
    hunks = []
    for start, end, first, last in differences(old, new):
        if end - start == last - first:
            hunks += [(start + n, start + n + 1, new[first + n : first + n + 1]) for n in range(end - start)]
        else:
            hunks.append((start, end, new[first:last]))
    return hunks


def differences(old, new):
    """[(start, end, first, last)]: old[start:end] is new[first:last] by now.

    Looked for only between what both begin and end with: it takes the square of how often a line is there.
    """
    head = common(old, new)
    old, new = old[head:], new[head:]
    tail = common(old[::-1], new[::-1])
    middle = difflib.SequenceMatcher(None, old[: len(old) - tail], new[: len(new) - tail], autojunk=False)
    return [tuple(head + number for number in place) for tag, *place in middle.get_opcodes() if tag != "equal"]


def common(old, new):
    """How many lines both begin with."""
    shorter = min(len(old), len(new))
    return next((number for number in range(shorter) if old[number] != new[number]), shorter)


def meets(group, hunk):
    start, end = min(item[0] for item in group), max(item[1] for item in group)
    if (hunk[0], hunk[1]) == (start, end):
        return True
    return start < hunk[1] and hunk[0] < end


def region(ancestor, group):
    start, end = min(item[0] for item in group), max(item[1] for item in group)
    sides = [rewritten(ancestor, start, end, [item for item in group if item[3] == side]) for side in (0, 1)]
    return (start, end, sides[0], sides[1])


def rewritten(ancestor, start, end, hunks):
    if not hunks:
        return None
    lines, place = [], start
    for hunk in hunks:
        lines += ancestor[place : hunk[0]] + hunk[2]
        place = hunk[1]
    return lines + ancestor[place:end]
