"""All labs of this machine together: what there is, and tidying up what none of them uses."""

from collections import Counter
from dataclasses import dataclass

from stopgap.lab import namespace, network
from stopgap.lab.engine import Engine, detect_engine
from stopgap.lab.image import HOLDS, REPOSITORY
from stopgap.lab.lab import LABEL, Lab
from stopgap.lab.limits import restore_limits
from stopgap.lab.paths import machine_lock


@dataclass(frozen=True)
class LabRow:
    name: str
    hosts: int
    running: int
    folder: str


@dataclass(frozen=True)
class ImageRow:
    image: str
    holds: str
    size: int
    containers: int


def list_labs() -> list[LabRow]:
    containers = detect_engine().containers(LABEL)
    folders = {container.labels[LABEL]: container.labels[f"{LABEL}.dir"] for container in containers}
    total = Counter(container.labels[LABEL] for container in containers)
    running = Counter(container.labels[LABEL] for container in containers if container.state == "running")
    return [LabRow(name, total[name], running[name], folders[name]) for name in sorted(folders)]


def list_images() -> list[ImageRow]:
    rows = detect_engine().images(REPOSITORY)
    return [
        ImageRow(row["Names"][0], (row.get("Labels") or {}).get(HOLDS, ""), int(row["Size"]), int(row["Containers"]))
        for row in rows
    ]


def remove_all_labs() -> list[str]:
    names = [row.name for row in list_labs()]
    for name in names:
        Lab(name).down()
    return names


def prune() -> list[str]:
    """Remove images that no host uses; with no lab left, the network and the namespace as well."""
    engine = detect_engine()
    unused = [row.image for row in list_images() if row.containers == 0]
    if unused:
        engine.podman("rmi", *unused)
    with machine_lock("addresses"):  # under which hosts are made
        if not engine.containers(LABEL):
            _remove_shared(engine)
    return unused


def _remove_shared(engine: Engine) -> None:
    network.remove_network(engine)
    restore_limits()
    if engine.prefix:
        namespace.drop()
        detect_engine.cache_clear()
