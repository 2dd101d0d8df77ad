# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Edits of one file by several holders: what the file is with them, and without one of them.

There is one text from before them all, the base. Each holder is a layer: its edit, done in the order taken. What the
file should be is the base with all layers done; taking one away is the base with the others done. What somebody else
changed is what the file differs by from that, and it is carried along. Where they changed it before a layer was taken,
that layer has it among its patches, [text they found, text they left], done just before the edit; when it goes, the
next one up has them, since places found in the patched text make no sense without.
"""

import collections
import itertools

from ansible_collections.stopgap.remediation.plugins.module_utils import merging
from ansible_collections.stopgap.remediation.plugins.module_utils.edits import EDITS

MANY = 4  # of half-done layers; more than that nobody has met

Layer = collections.namedtuple("Layer", "type params patches applied own")


class Pile(object):
    """`base` and `now` are lists of lines; `layers` go from the lowest up, with at most one that is our own."""

    def __init__(self, base, layers, now):
        self.base, self.now = base, now
        self.layers = self._standing(layers)
        self.whole = fold(self.base, self.layers)
        self.without_own = fold(self.base, [layer._replace(type=None) if layer.own else layer for layer in self.layers])

    def patch(self):
        """What a layer taken now, on top of them all, finds changed by somebody; or None."""
        return None if self.whole == self.now else [self.whole, self.now]

    def is_in(self):
        """Whether our edit stands: it can be taken away, and doing it again changes nothing."""
        if self.now == self.whole and not any(layer.patches for layer in self.layers):
            return True
        try:
            if self.taken_away() == self.now and self.whole != self.without_own:
                return False
        except merging.Conflict:
            return False
        own = [unpatched(layer) for layer in self.layers if layer.own]
        if same(fold(self.now, own), self.now):
            return True  # whatever became of those above
        ours_up = list(itertools.dropwhile(lambda layer: not layer.own, map(unpatched, self.layers)))
        ours_only = fold(self.base, map(unpatched, self.layers))
        # an upper layer may rewrite our line on purpose; then doing ours again says nothing
        return same(fold(self.now, ours_up), self.now) or not same(fold(ours_only, ours_up), ours_only)

    def is_out(self, prefer=None):
        """As it is with ours taken away; or, where they changed the line beside it, as putting ours in and out leaves it."""
        try:
            if self.taken_away(prefer=prefer) == self.now:
                return True
            put = self.put()
            return put != self.now and merging.carry(self.whole, put, self.without_own, prefer=prefer) == self.now
        except merging.Conflict:
            return False

    def put(self):
        return merging.carry(self.without_own, self.now, self.whole)

    def taken_away(self, prefer=None):
        return merging.carry(self.whole, self.now, self.without_own, prefer=prefer)

    def _standing(self, layers):
        """The layers that are on the host: of those that a crash left half done, the ones that explain it best."""
        half = [layer for layer in layers if not layer.applied and not layer.own][:MANY]
        gone = [some for size in range(len(half) + 1) for some in itertools.combinations(half, size)]
        choices = [[layer for layer in layers if not any(layer is other for other in some)] for some in gone]
        return min(choices, key=self._distance) if half else layers

    def _distance(self, layers):
        """How many lines of the host these layers do not explain, with our own or without."""
        others = [layer for layer in layers if not layer.own]
        return min(changed_lines(fold(self.base, some), self.now) for some in (layers, others))


def fold(lines, layers):
    """Patches first. Two layers taken in one go found the same one; it is done once."""
    done = []
    for layer in layers:
        for patch in layer.patches:
            if patch not in done:
                lines = merging.carry(patch[0], lines, patch[1], prefer=merging.PATCH)
                done.append(patch)
        if layer.type:
            lines = EDITS[layer.type](lines, layer.params)
    return lines


def same(one, other):
    """Wherever the lines stand, and however indented: what comes and goes again may come to another place."""
    return counted(one) == counted(other)


def counted(lines):
    return collections.Counter(line.strip() for line in lines)


def unpatched(layer):
    return layer._replace(patches=())


def changed_lines(old, new):
    return sum(end - start + last - first for start, end, first, last in merging.differences(old, new))
