# SPDX-License-Identifier: Apache-2.0
"""What a play is about: remedies that are chosen once and meant by every host, and how many hosts at a time. Pure."""

import re

NOT_CHOSEN = (
    "no remedies were chosen: that is done once for all hosts, with the first of them, and was skipped there (a `when` that it does not "
    "meet, --start-at-task, tags). Say which hosts by the play's `hosts` or by --limit, or use include_role"
)
# Of the variables that each host may have its own of, those that are first used after a fix was installed; the others are seconds.
WORDS = {"stopgap_reboot": ("never", "allow"), "stopgap_rollback": ("auto", "ask", "never")}


def split_ids(value):
    """Ids from a list, or from the one string a survey or ``-e`` gives (commas, spaces, new lines)."""
    parts = value if isinstance(value, list) else [value]
    return [str(i) for part in parts for i in str(part).replace(",", " ").split()]


def chosen(answer, wanted, once=None, own=None):
    """The remedies that were chosen, where they are what this host's own variables ask for. Raises ValueError with a sentence.

    Without this a host of another group would be asked for the first host's remedies, or for none, or be proven by the first
    host's tests, and be called proven. `once`, `own`: the host's variables of which the first host's count, and its own do.
    """
    if "remedies" not in answer:
        raise ValueError(NOT_CHOSEN)
    ids = split_ids(wanted)
    if ids and set(ids) != set(answer["ids"]):
        raise ValueError(
            "stopgap_remedies is %s on this host and %s on the first one, and remedies are chosen once for all hosts of a play: "
            "run one play for each, or say them with -e" % (", ".join(ids), ", ".join(answer["ids"]))
        )
    for name, value in (once or {}).items():
        if value != answer["once"][name]:
            raise ValueError(
                "%s is %r on this host and %r on the first one, and it is used once for all hosts of a play: run one play for each, "
                "or say it with -e" % (name, value, answer["once"][name])
            )
    for name, value in (own or {}).items():
        refuse_nonsense(name, value)
    return answer["remedies"]


def refuse_nonsense(name, value):
    """Ansible looks at the first host's variables only."""
    words = WORDS.get(name)
    if words and value not in words:
        raise ValueError("%s is %r on this host: it is one of %s" % (name, value, ", ".join(words)))
    if not words and not is_whole(value):
        raise ValueError("%s is %r on this host: it is a number of seconds" % (name, value))


def is_whole(value):
    """As Ansible takes a number."""
    try:
        return float(value) == int(float(value)) >= 0
    except (TypeError, ValueError, OverflowError):
        return False


def batches(serial):
    """A number of hosts, a share, or a list of both, as it came. Raises ValueError with a sentence."""
    parts = serial if isinstance(serial, list) else [serial]
    if not parts or not all(re.fullmatch(r"\d+%?", str(part)) for part in parts):
        raise ValueError(
            "stopgap_serial is %r: write a number of hosts, a share such as 25%%, or a list of both" % (serial,)
        )
    return serial
