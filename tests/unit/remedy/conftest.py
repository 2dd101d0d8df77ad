from collections.abc import Callable
from pathlib import Path

import pytest

MINIMAL = """apiVersion: stopgap/v1
id: {id}
revision: 1
title: An example
{more}
affected:
  packages:
    - name: acme
      fixed_in: {{debian-12: "1.2-3"}}
fix:
  packages: [acme]
checks:
  - package: {{name: acme}}
"""

WriteRemedy = Callable[..., Path]


@pytest.fixture
def write_remedy(tmp_path: Path) -> WriteRemedy:
    """Writes a small sound remedy; `more` is YAML for further keys."""

    def write(remedy_id: str = "CVE-2000-0001", more: str = "", folder: str = "site") -> Path:
        file = tmp_path / folder / f"{remedy_id}.yml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(MINIMAL.format(id=remedy_id, more=more))
        return file

    return write
