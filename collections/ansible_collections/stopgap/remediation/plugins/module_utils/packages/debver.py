# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""dpkg's order of versions, and which of a package's counts. Pure, and this file stands alone: the ledger compares by it,
and the verifier.
"""

import re

SIGNED = re.compile(r"-signed(?:-[a-z0-9]+)?$")


def source_version(source, sourced, version):
    """What advisories name. A signed kernel's source is versioned 6.1.176+1: there it is the binary's version."""
    return version if SIGNED.search(source) else sourced


def compare(left, right):
    """-1, 0 or 1 as dpkg orders two versions: epochs, tildes, digits by value, letters before all else."""
    left, right = sort_key(left), sort_key(right)
    return (left > right) - (left < right)


def sort_key(version):
    epoch, colon, rest = version.strip().partition(":")
    if not colon:
        epoch, rest = "0", version.strip()
    upstream, hyphen, revision = rest.rpartition("-")
    if not hyphen:
        upstream, revision = rest, ""
    return int(epoch) if epoch.isdigit() else 0, part_key(upstream), part_key(revision)


def part_key(text):
    """Alternating texts and numbers; the 0 that ends each text sorts after a tilde and before anything else."""
    key = []
    for letters, digits in re.findall(r"([^0-9]*)([0-9]*)", text or "0"):
        if letters or digits:
            key += [[rank(letter) for letter in letters] + [0], int(digits or 0)]
    return key + [[0]]


def rank(character):
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256
