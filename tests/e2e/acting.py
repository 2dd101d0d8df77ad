"""Puts single actions in force on a lab host, and lifts them, without Ansible around it."""

import json

from tests.e2e.target_side import HOME, UTILS, bring

DRIVER = f"""
import json, sys
sys.path.insert(0, {HOME!r})
from {UTILS.replace("/", ".")}.journal import Journal, ReadOnlyJournal
from {UTILS.replace("/", ".")}.mitigate import mitigate
asked = json.load(sys.stdin)
journal = ReadOnlyJournal() if asked.pop("check", False) else Journal()
results, diffs = mitigate(journal, asked.pop("remedies"), **asked)
print(json.dumps([dict(results[0], diffs=diffs), *results[1:]]))
"""


class Acting:
    """One host, and what was asked of it: `lift_all` takes back what a test left in force."""

    def __init__(self, lab, host):
        self.lab, self.host, self.used = lab, host, []
        bring(lab, host)

    def __call__(self, state, *actions, then=(), name="CVE-1", **options):
        """One remedy with one mitigation of these actions; the first result, with `diffs` beside it."""
        mitigation = {"id": "m", "status": "valid", "ttl_seconds": 60, "persists": "always"}
        mitigation |= {"actions": list(actions), "then": list(then)}
        remedy = {"id": name, "revision": 1, "mitigations": [mitigation]}
        self.used.append(remedy)
        return self.run(state, remedy, **options)

    def run(self, state, remedy, **options):
        asked = json.dumps({"remedies": [remedy], "state": state, **options})
        return json.loads(self.lab.exec(self.host, ["python3", "-c", DRIVER], input=asked).stdout)[0]

    def lift_all(self):
        for remedy in self.used:
            self.run("absent", remedy, force=True)
        self.used.clear()


def action(kind, **params):
    return {"type": kind, "params": params}
