"""Runs what the modules run, on a lab host, without Ansible around it: a tenth of the time, the same code.

That the modules themselves work through Ansible is tested too, once each.
"""

import io
import json
import tarfile
from pathlib import Path

UTILS = "ansible_collections/stopgap/remediation/plugins/module_utils"
COLLECTIONS = Path(__file__).parents[2] / "collections"
HOME = "/opt/stopgap-tests"
CODE = f"""
import json, sys
sys.path.insert(0, {HOME!r})
from {UTILS.replace("/", ".")} import decide
from {UTILS.replace("/", ".")}.facts import HostFacts
from {UTILS.replace("/", ".")}.fixing import Fixing, Options
from {UTILS.replace("/", ".")}.rollback import roll_back
asked = json.load(sys.stdin)
facts = HostFacts(asked["remedies"])
if asked["verb"] == "assess":
    answers = [decide.assess(remedy, facts) for remedy in asked["remedies"]]
elif asked["verb"] == "rollback":
    answers = [roll_back(remedy, facts, **asked["options"]) for remedy in asked["remedies"]]
else:
    fixing = Fixing(facts, Options(**asked["options"]))
    answers = [fixing.fix(remedy) for remedy in asked["remedies"]]
print(json.dumps(answers))
"""


def bring(lab, *hosts):
    """Put the collection's target side onto hosts."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(COLLECTIONS / UTILS, UTILS, filter=lambda item: None if "__pycache__" in item.name else item)
    for host in hosts:
        lab.exec(host, ["mkdir", "-p", HOME])
        lab.exec(host, ["tar", "-C", HOME, "-xf", "-"], input=packed.getvalue())


def ask(lab, host, verb, remedies, **options):
    done = lab.exec(
        host, ["python3", "-c", CODE], input=json.dumps({"verb": verb, "remedies": remedies, "options": options})
    )
    return json.loads(done.stdout)


def assess(lab, host, *remedies):
    """One assessment, or several for several remedies."""
    answers = ask(lab, host, "assess", remedies)
    return answers[0] if len(remedies) == 1 else answers


def patch(lab, host, *remedies, conffiles="keep", lock_timeout=60, restart=True, check=False):
    options = {"conffiles": conffiles, "lock_timeout": lock_timeout, "restart": restart, "check": check}
    answers = ask(lab, host, "patch", remedies, **options)
    return answers[0] if len(remedies) == 1 else answers


def rollback(lab, host, fix, lock_timeout=60, check=False):
    return ask(lab, host, "rollback", [fix], lock_timeout=lock_timeout, check=check)[0]


def remedy(name, distro, fixed, packages=None, then=(), when=()):
    """A resolved remedy for one package."""
    package = {"name": name, "introduced": None, "fixed_in": {distro: [fixed]}}
    return {
        "id": f"CVE-{name}",
        "revision": 1,
        "affected": {"packages": [package], "when": list(when)},
        "mitigations": [],
        "checks": [],
        "indicators": [],
        "fix": {"packages": packages or [name], "then": list(then), "reboot": "if_required", "obligations": []},
    }
