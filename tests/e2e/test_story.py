"""The main job on real hosts: what `make demo` tells is true, and its terminal says what an operator needs."""

import os
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.lab


def test_the_story_ends_with_clean_books():
    name = f"story{os.getpid()}"
    command = [sys.executable, "-m", "stopgap", "demo", "--name", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    chapters = dict(re.findall(r"== (\d)\. (.*?)(?=\n== |\Z)", done.stdout, re.DOTALL))

    # on the books: the mitigation, its age, its owner, and what the fix waits for
    assert re.search(r"web1 +CVE-2023-44487 +pin-limits +\d+s? .*web-team .*fix not tried yet", chapters["3"])
    waits = "nginx: candidate 1.22.1-9+deb12u9 < required 1.22.1-9+deb12u11"
    assert re.search(rf"pin-limits .*{re.escape(waits)}", chapters["4"])
    assert re.search(r"desk1 +CVE-2024-47176 +mask-service .*still owed", chapters["6"])
    assert "debt 0, orphans 0" in chapters["7"].split("$ stopgap debt")[1].split("Every case")[0]

    listed = subprocess.run(
        [sys.executable, "-m", "stopgap", "lab", "list"], capture_output=True, text=True, check=True
    )
    assert name not in listed.stdout
