"""A remedy's pattern on what hosts say.

That can make a harmless pattern take hours (`^\\s*x` on blank lines), and all threads wait meanwhile: so long texts
have a process of their own.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from stopgap.verify.errors import CommandTimeout, Surprise
from stopgap.verify.verdict import clean

LONG = 16 * 1024  # characters; in shorter ones the worst that is likely takes a second
SECONDS = 10.0
SHOWN = 100
PROGRAM = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))
pattern, texts = json.load(sys.stdin)
found = [re.search(pattern, text, re.MULTILINE) for text in texts]
json.dump([match and match[0] for match in found], sys.stdout)
"""


def search(pattern: str, texts: Sequence[str]) -> list[str | None]:
    """The first match in each text, None where it has none. Lines are as with re.MULTILINE."""
    if sum(map(len, texts)) > LONG:
        return _apart(pattern, texts)
    return [match and match[0] for match in (re.search(pattern, text, re.MULTILINE) for text in texts)]


def _apart(pattern: str, texts: Sequence[str]) -> list[str | None]:
    argv = [sys.executable, "-IS", "-c", PROGRAM]
    try:
        done = subprocess.run(
            argv,
            input=json.dumps([pattern, texts]),
            capture_output=True,
            encoding="ascii",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CommandTimeout(f"{clean(pattern, SHOWN)!r}: no end after {SECONDS:g} s on what the host says") from None
    if done.returncode:
        raise Surprise(f"{clean(pattern, SHOWN)!r} on what the host says: {clean(done.stderr[-SHOWN:])}")
    return list(json.loads(done.stdout))
