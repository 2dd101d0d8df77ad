# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""dpkg's order of versions. Pure, and this file stands alone: the ledger compares by it too."""

import re


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
