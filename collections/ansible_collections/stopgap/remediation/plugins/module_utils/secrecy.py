# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What of a file's contents may be told: only what everybody on that host may read."""

import os

from ansible_collections.stopgap.remediation.plugins.module_utils.durable import hash_of, mode_text

TOLD_LIMIT = 20000
FOR_EVERYBODY = 0o004
MAY_ENTER = 0o001
SHORTEST = 4  # what is shorter is in every sentence
HIDDEN = "(not shown)"


def mode_below(path, mode):
    """The mode ("0644") of a file as it counts at this path: below a folder that is closed, nobody else reads it."""
    folders, folder = [], os.path.dirname(os.path.realpath(path))
    while folder not in folders:
        folders, folder = folders + [folder], os.path.dirname(folder)
    closed = any(not os.stat(folder).st_mode & MAY_ENTER for folder in folders if os.path.isdir(folder))
    return mode_text(int(mode, 8) & ~0o007) if closed else mode


def is_closed(*modes):
    """Whether a file that has or had these modes ("0640") is not for everybody."""
    return not all(int(str(mode), 8) & FOR_EVERYBODY for mode in modes)


def lines_to_hide(text):
    return [line.strip() for line in text.splitlines() if len(line.strip()) >= SHORTEST]


def hide(told, secrets):
    """`told`, which may be a dict or list of texts, without any of the secrets."""
    if isinstance(told, dict):
        return {key: hide(value, secrets) for key, value in told.items()}
    if isinstance(told, list):
        return [hide(value, secrets) for value in told]
    if not isinstance(told, str):
        return told
    for secret in sorted(set(secrets), key=len, reverse=True):
        told = told.replace(secret, HIDDEN).replace(" ".join(secret.split()), HIDDEN)
    return told


def shown(text, *modes):
    """`text`, or why not and its hash; `modes` are all that the file has had or will have."""
    closed = [mode for mode in modes if not mode & FOR_EVERYBODY]
    if text and closed:
        digest = hash_of(text.encode("utf-8", "surrogateescape"))
        return "contents not shown: mode %04o, sha256 %s" % (closed[0], digest[:12])
    return (
        text if len(text) <= TOLD_LIMIT else text[:TOLD_LIMIT] + "\n… %d more characters\n" % (len(text) - TOLD_LIMIT)
    )
