# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What of a file's contents may be told: only what everybody on that host may read."""

from ansible_collections.stopgap.remediation.plugins.module_utils.durable import hash_of

TOLD_LIMIT = 20000
FOR_EVERYBODY = 0o004


def shown(text, *modes):
    """`text`, or why not and its hash; `modes` are all that the file has had or will have."""
    closed = [mode for mode in modes if not mode & FOR_EVERYBODY]
    if text and closed:
        digest = hash_of(text.encode("utf-8", "surrogateescape"))
        return "contents not shown: mode %04o, sha256 %s" % (closed[0], digest[:12])
    return (
        text if len(text) <= TOLD_LIMIT else text[:TOLD_LIMIT] + "\n… %d more characters\n" % (len(text) - TOLD_LIMIT)
    )
