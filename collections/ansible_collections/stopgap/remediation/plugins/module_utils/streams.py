# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Which of several fixed versions counts for a version. Pure, and this file stands alone: the verifier uses it too."""

import functools
import itertools
import re


def meets(version, fixes, compare):
    """(is it fixed, the fixed version that applies), where a release has several valid ones.

    A version between two fixes belongs to the stream it shares more leading components with, and to the higher
    one when that does not tell them apart: 5.14.0-427.50 is of 5.14.0-427.13's stream, not of 5.14.0-503's.
    Red Hat's minor releases say so themselves: 6.2.20-1.el9_7 needs the fix of el9_7 where there is one.
    """
    own = [fix for fix in fixes if minor(fix) and minor(fix) == minor(version)]
    if own and len(own) < len(fixes):
        return meets(version, own, compare)
    ordered = sorted(fixes, key=functools.cmp_to_key(compare))
    reached = [fix for fix in ordered if reaches(version, fix, compare)]
    ahead = [fix for fix in ordered if fix not in reached]
    if not ahead or (reached and shared(version, reached[-1]) > shared(version, ahead[0])):
        return True, reached[-1]
    return False, ahead[0]


def reaches(version, fix, compare):
    """`5.6.1+really5.4.5-1` sorts after 5.6.1 and carries 5.4.5: both must reach a fix that is no such version."""
    return compare(version, fix) >= 0 and ("+really" in fix or compare(really(version), fix) >= 0)


def really(version):
    epoch, colon, rest = version.rpartition(":")
    return epoch + colon + rest.rpartition("+really")[2]


def minor(version):
    """`el9_7` of a build for one minor release, or None."""
    found = re.search(r"\.(el\d+_\d+)", version)
    return found and found.group(1)


def shared(left, right):
    """How many leading components two versions have in common."""
    others = re.split(r"[-.+~:]", right)
    return len(
        list(
            itertools.takewhile(
                lambda pair: others[pair[0] : pair[0] + 1] == [pair[1]], enumerate(re.split(r"[-.+~:]", left))
            )
        )
    )
