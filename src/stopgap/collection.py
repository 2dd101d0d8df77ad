"""Where the Ansible collection lies: beside the package in a wheel, under `collections/` in a checkout."""

from pathlib import Path

_COLLECTION = Path("ansible_collections/stopgap/remediation")


def collection_root() -> Path:
    """The folder of `stopgap.remediation` that belongs to this package.

    Only the two places that ship with the package count, so that a stray copy elsewhere on `sys.path` never
    supplies remedies or plugins. Raises FileNotFoundError when the installation is incomplete.
    """
    installed = Path(__file__).resolve().parents[1] / _COLLECTION
    checkout = Path(__file__).resolve().parents[2] / "collections" / _COLLECTION
    for root in (installed, checkout):
        if root.is_dir():
            return root
    raise FileNotFoundError(f"stopgap.remediation is in neither {installed} nor {checkout}: reinstall stopgap")
