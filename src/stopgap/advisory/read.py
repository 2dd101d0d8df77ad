"""From a file to an advisory, whichever of the formats it has."""

import json
from pathlib import Path
from typing import Any

from stopgap.advisory.csaf import from_csaf
from stopgap.advisory.model import Advisory, AdvisoryError
from stopgap.advisory.osv import from_osv

MOST_BYTES = 64 * 1024 * 1024


def read_advisory(file: Path, wanted: str) -> Advisory:
    """What `file` says of the vulnerability `wanted`. Raises AdvisoryError with what is wrong with the file."""
    told = _read(file)
    try:
        found = _understood(told, wanted)
    except AdvisoryError as error:
        raise AdvisoryError(f"{file}: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise AdvisoryError(f"{file}: not as its format has it ({type(error).__name__}: {error})") from None
    if wanted not in found.names:
        alike = [name for name in found.names if name.startswith("CVE-") or not wanted.startswith("CVE-")]
        named = ", ".join(alike[:8]) + (" …" if len(alike) > 8 else "")
        raise AdvisoryError(
            f"{file}: {found.id or 'the advisory'} does not name {wanted}; "
            + (f"it names {named}" if named else "it names no CVE at all, so it closes none")
        )
    return found


def _understood(told: Any, wanted: str) -> Advisory:
    if isinstance(told, dict) and "csaf_version" in (told.get("document") or {}):
        return from_csaf(told, wanted)
    if isinstance(told, dict) and "affected" in told and "id" in told:
        return from_osv(told, wanted)
    raise AdvisoryError("neither CSAF (document.csaf_version) nor OSV (id and affected): which advisory is it?")


def _read(file: Path) -> Any:
    try:
        if file.stat().st_size > MOST_BYTES:
            raise AdvisoryError(f"{file}: more than {MOST_BYTES // 2**20} MiB, which no advisory is")
        return json.loads(file.read_text(encoding="utf-8-sig"))  # saved on Windows, it begins with a mark
    except OSError as error:
        raise AdvisoryError(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise AdvisoryError(f"{file}: not JSON ({error})") from None
