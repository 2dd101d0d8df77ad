"""What a host finds at its first boot: its own host key, the lab's public key, a password, and local authorities."""

import secrets
import shutil
from pathlib import Path

from stopgap.lab.command import run
from stopgap.lab.paths import private_dir, write_private

LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
HOST_KEY = "ssh_host_ed25519_key"


def ensure_key(path: Path, comment: str) -> None:
    if not path.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def ensure_lab_secrets(folder: Path, lab: str) -> None:
    ensure_key(folder / "id_ed25519", f"stopgap-lab-{lab}")
    if not (folder / "opspw.password").exists():
        write_private(folder / "opspw.password", f"{secrets.token_urlsafe(12)}\n")


def seed_dir(folder: Path, host: str) -> Path:
    return folder / "seeds" / host


def ensure_seed(folder: Path, host: str, with_authorities: bool) -> Path:
    seed = private_dir(seed_dir(folder, host))
    ensure_key(seed / HOST_KEY, host)
    write_private(seed / "authorized_keys", (folder / "id_ed25519.pub").read_text())
    write_private(seed / "passwords", f"opspw:{(folder / 'opspw.password').read_text()}")
    authorities = sorted(LOCAL_AUTHORITIES.glob("*.crt")) if with_authorities else []
    for certificate in authorities:
        shutil.copy(certificate, private_dir(seed / "ca"))
    return seed


def public_host_key(folder: Path, host: str) -> str:
    return (seed_dir(folder, host) / f"{HOST_KEY}.pub").read_text()
