# Copyright: Stopgap developers
# SPDX-License-Identifier: Apache-2.0
"""What a site says of a host beside its name: how exposed it is, how much hangs on it, who answers for it. Pure."""

from __future__ import annotations

from ansible_collections.stopgap.remediation.plugins.plugin_utils.bounds import clean

OWNER_LIMIT = 255
CHOICES = {
    "stopgap_exposure": ("internet", "internal", "isolated"),
    "stopgap_criticality": ("low", "medium", "high", "critical"),
}
VARIABLES = ("stopgap_exposure", "stopgap_criticality", "stopgap_owner")


class BadWord(ValueError):
    """A value that says nothing; the message names those that do."""


def word_of(variable, value):
    """The value as it is recorded, None where nothing was told. Raises BadWord."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadWord("%s is not a text" % clean(repr(value), 80))
    word = clean(value, OWNER_LIMIT).strip()
    choices = CHOICES.get(variable)
    if choices and word not in choices:
        raise BadWord("'%s' is none of %s" % (clean(word, 80), ", ".join(choices)))
    return word or None


def key_of(variable):
    """stopgap_owner -> owner"""
    return variable.partition("_")[2]
