"""Lets a child's pytest find this checkout's plugins as an installed stopgap would have them."""

import os
import tomllib

from tests.books import BIN, TOP


def environment(folder, **more):
    """The environment of such a child; `folder` gets what the installation would write."""
    installed = folder / "stopgap_checkout-0.dist-info"
    installed.mkdir(parents=True, exist_ok=True)
    plugins = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    lines = [f"{name} = {module}" for name, module in plugins.items()]
    (installed / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: stopgap-checkout\nVersion: 0\n")
    path = os.pathsep.join([str(TOP / "src"), str(folder)])
    return os.environ | {"PYTHONPATH": path, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | more
