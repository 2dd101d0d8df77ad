# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The host's record of each fix it installed: the exact versions from before, on disk before anything is changed.

One file a transaction, `patches/<ID>.json` in the journal's folder (contracts, section 4).
"""

import calendar
import glob
import json
import os
import time
import uuid

from ansible_collections.stopgap.remediation.plugins.module_utils import durable
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import JournalError
from ansible_collections.stopgap.remediation.plugins.module_utils.journal import BASE

FORMAT = "%Y-%m-%dT%H:%M:%SZ"
OPEN = ("intended", "installed", "rolling_back")
KEYS = {"id", "remedy", "at", "state", "packages"}
# Older than that, a fix that fails its checks failed for another reason than having just been installed.
FRESH_SECONDS = 24 * 3600


def begin(remedy, moves):
    """Write what is about to be installed; returns the record."""
    moment = time.gmtime()
    record = {
        "id": f"{time.strftime('%Y%m%dT%H%M%SZ', moment)}-{uuid.uuid4().hex[:8]}",
        "remedy": remedy["id"],
        "revision": remedy["revision"],
        "at": time.strftime(FORMAT, moment),
        "state": "intended",
        "boot": this_boot(),
        "packages": moves,
    }
    write(record)
    return record


def write(record, **changes):
    """Before a change; JournalError where it cannot be on disk, and so must not be made."""
    trouble = put(record, changes)
    if trouble:
        raise JournalError(f"{trouble}: nothing was changed")


def close(record, **changes):
    """After it; returns why that cannot be on disk, or an empty string. An open record serves as well for the way back."""
    trouble = put(record, changes)
    return f"; {trouble}" if trouble else ""


def put(record, changes):
    folder = os.path.join(BASE, "patches")
    later = dict(record, **changes)
    try:
        durable.make_folders(os.path.join(folder, "any"))
        for place in (BASE, folder):
            os.chmod(place, 0o700)
        data = (json.dumps(later, indent=1, sort_keys=True) + "\n").encode("utf-8")
        durable.write(os.path.join(folder, f"{record['id']}.json"), data, {"mode": "0600"})
    except OSError as error:
        return f"cannot write {folder}: {error.strerror}"
    record.update(later)  # only now: what is not on disk has not happened
    return ""


def latest(remedy):
    """The newest record of a remedy's fix that was not rolled back, and is no more than a day old; or None."""
    found = [record for record in records() if record["remedy"] == remedy]
    if not found or found[-1]["state"] not in OPEN or age(found[-1]) > FRESH_SECONDS:
        return None
    return found[-1]


def waits_for_boot(remedy):
    """We installed the remedy's fix, and this host has not been booted since."""
    now = this_boot()
    return any(
        record["remedy"] == remedy and record["state"] in OPEN and record.get("boot") == now for record in records()
    )


def this_boot(proc="/proc"):
    """Another text after each boot. A container has its machine's boot id; there the start of its first process differs."""
    try:
        with open(f"{proc}/sys/kernel/random/boot_id", encoding="ascii") as handle:
            boot = handle.read().strip()
        with open(f"{proc}/1/stat", encoding="utf-8", errors="replace") as handle:
            started = handle.read().rpartition(")")[2].split()[19]
    except OSError as error:
        raise JournalError(f"cannot tell one boot from another: {error.filename}: {error.strerror}")
    return f"{boot} {started}"


def records():
    found = []
    for path in sorted(glob.glob(os.path.join(BASE, "patches", "*.json"))):
        try:
            with open(path, encoding="utf-8") as handle:
                record = json.load(handle)
        except (OSError, ValueError) as error:
            raise JournalError(f"cannot read {path}: {error}")
        if not isinstance(record, dict) or not KEYS <= set(record):
            raise JournalError(f"cannot read {path}: it is no record of a fix")
        found.append(record)
    return found


def age(record):
    return time.time() - calendar.timegm(time.strptime(record["at"], FORMAT))
