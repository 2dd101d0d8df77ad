"""Where the Ansible collection lies: beside the package in a wheel, under `collections/` in a checkout."""

from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

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


@cache
def shared_code(module: str) -> ModuleType:
    """A file of the collection's module_utils that stands alone: what acts and what judges must mean the same."""
    path = collection_root() / f"plugins/module_utils/{module}.py"
    spec = spec_from_file_location(f"stopgap_shared_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
