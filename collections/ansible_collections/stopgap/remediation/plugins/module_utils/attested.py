# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""What a person vouched for on this host: one file a remedy, {obligation: {revision, by, reason, at}}.

The verifier reads it. It lies on the host, so that a host built anew owes everything anew.
"""

import os

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import StopgapError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import BASE, as_json, explained, load, now


def attest(journal, remedies, obligations, by, reason, base=BASE):
    """Returns [{"remedy", "obligation", "changed"}] of every obligation named that a remedy has."""
    if not reason.strip():
        raise StopgapError("somebody vouches here for what no check can see: say why, it is recorded")
    results = []
    with journal.locked():
        for remedy in remedies:
            known = read(remedy["id"], base)
            said = {"revision": remedy["revision"], "by": by, "reason": reason}
            named = sorted(attestable(remedy) & set(obligations))
            new = [name for name in named if differs(known.get(name, {}), said)]
            known.update((name, dict(said, at=now())) for name in new)
            if new and not journal.read_only:
                write(remedy["id"], known, base)
            results += [{"remedy": remedy["id"], "obligation": name, "changed": name in new} for name in named]
    return results


def differs(known, said):
    """The same word of the same person is said once."""
    return any(known.get(key) != said[key] for key in said)


def attestable(remedy):
    return {one["id"] for one in remedy["fix"]["obligations"] if one["attest"]}


def read(remedy, base=BASE):
    path = path_of(remedy, base)
    return load(path) if os.path.exists(path) else {}


def write(remedy, known, base=BASE):
    path = path_of(remedy, base)
    with explained("write", base):
        if not os.path.isdir(os.path.dirname(path)):
            os.mkdir(os.path.dirname(path), 0o700)
        durable.write(path, as_json(known), {"mode": "0600"})


def path_of(remedy, base):
    return os.path.join(base, "attested", remedy + ".json")
