"""What a remedy tells the ledger (contracts §6, kind `remedy`): said by every play, and by `stopgap ledger review`.

The id is made from what is known, so that the same knowledge is one event, whoever tells it and when.
"""

import hashlib
import json
import os
import uuid
from typing import Any

EVIDENCE_LIMIT = 48 * 1024  # characters of JSON: less than what the ledger takes

NOT_KNOWLEDGE = ("source", "title", "references")  # another wording decides nothing


def knowledge(resolved: dict[str, Any]) -> dict[str, Any]:
    """`{id, remedy, revision, evidence}` of one resolved remedy (contracts §2)."""
    digest = digest_of(resolved)
    name, revision = resolved["id"], resolved["revision"]
    return {
        "id": identity(name, revision, digest),
        "remedy": name,
        "revision": revision,
        "evidence": _bounded(evidence(resolved) | {"digest": digest}),
    }


def evidence(resolved: dict[str, Any]) -> dict[str, Any]:
    kept = ("name", "introduced", "fixed_in")
    return {
        "title": resolved["title"],
        "aliases": resolved["aliases"],
        "published": resolved["published"],
        "risk": resolved["risk"],
        "packages": [{key: package[key] for key in kept} for package in resolved["affected"]["packages"]],
        "mitigations": {mitigation["id"]: mitigation["status"] for mitigation in resolved["mitigations"]},
        "fix": bool(resolved["fix"]["packages"]),
        "conditions": bool(resolved["affected"]["when"]),
    }


def digest_of(resolved: dict[str, Any]) -> str:
    """64 hex. Where the catalogue lies on this machine is no part of it: task files count by their place beside it."""
    known = {key: value for key, value in resolved.items() if key not in NOT_KNOWLEDGE}
    folder = os.path.dirname(resolved["source"])  # noqa: PTH120 - text in, text out: the folder may be elsewhere
    text = json.dumps(_portable(known, folder), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def identity(name: str, revision: int, digest: str) -> str:
    """UUIDv7 layout with the time 0, and bits of SHA-256 over what is known."""
    bits = int.from_bytes(hashlib.sha256(f"remedy|{name}|{revision}|{digest}".encode()).digest()[:10], "big")
    value = bits & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def _portable(value: Any, folder: str) -> Any:
    if isinstance(value, dict):
        return {key: _portable(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [_portable(item, folder) for item in value]
    inside = isinstance(value, str) and folder and value.startswith(folder + "/")
    return value[len(folder) + 1 :] if inside else value


def _bounded(told: dict[str, Any]) -> dict[str, Any]:
    """Without its packages where they are too many: then a new revision asks for a new proof of every case."""
    if len(json.dumps(told, ensure_ascii=False)) <= EVIDENCE_LIMIT:
        return told
    return told | {"packages": [], "truncated": True}
