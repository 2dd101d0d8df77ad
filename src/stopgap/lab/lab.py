"""A lab: real hosts made, found again, handled and removed under one name."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from stopgap.lab import inventory, network, readiness, seed
from stopgap.lab.command import Result
from stopgap.lab.engine import Container, Engine, detect_engine
from stopgap.lab.errors import LabError
from stopgap.lab.hosts import Host, HostSpec, check_name, require_unique
from stopgap.lab.image import INIT, Recipe, ensure_images, recipe_for
from stopgap.lab.limits import raise_limits
from stopgap.lab.mirror import find_security_mirror
from stopgap.lab.paths import machine_lock, private_dir, state_root

LABEL = "stopgap.lab"
SECURITY_LIST = "/etc/apt/sources.list.d/security.list"
AT_ONCE = 8

Work = TypeVar("Work")


def _quiet(_: str) -> None:
    pass


class Lab:
    """The lab called `name`; it may or may not have hosts yet."""

    def __init__(self, name: str, say: Callable[[str], None] = _quiet) -> None:
        check_name(name, "lab")
        self.name = name
        self.folder = state_root() / name
        self._say = say

    # What it is

    @property
    def inventory(self) -> Path:
        return self.folder / "hosts.yml"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def hosts(self) -> list[Host]:
        """Hosts that exist, in any state, by name."""
        found = self._engine.containers(f"{LABEL}={self.name}")
        for container in found:
            self._require_own(container)
        return sorted((to_host(container) for container in found), key=lambda host: natural(host.name))

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        raise LabError(f"Lab {self.name} has no host {name}: `stopgap lab list` shows what there is")

    # Making and removing

    def up(self, specs: Iterable[HostSpec]) -> "Lab":
        """Make sure these hosts exist and are ready; hosts that are there already stay as they are."""
        wanted = list(specs)
        require_unique(wanted)
        with machine_lock(f"lab-{self.name}"):
            there = {host.name: host for host in self.hosts}
            for spec in wanted:
                _require_same(spec, there.get(spec.name))
            self._create([spec for spec in wanted if spec.name not in there])
            self._bring_up({spec.name for spec in wanted})
        return self

    def down(self) -> None:
        """Remove everything this lab made, and nothing else."""
        with machine_lock(f"lab-{self.name}"):
            if containers := [host.container for host in self.hosts]:
                self._engine.podman("rm", "--force", "--time=0", "--volumes", *containers)
            if self.folder.is_dir():
                shutil.rmtree(self.folder)

    def rebuild(self, name: str) -> None:
        """Reinstall a host: the same name on a fresh disk, so another machine."""
        host = self.host(name)
        with machine_lock(f"lab-{self.name}"):
            self._engine.podman("rm", "--force", "--time=0", "--volumes", host.container)
            self._create([HostSpec(host.name, host.suite, host.packages)])
            self._bring_up({name})

    def _create(self, specs: Sequence[HostSpec]) -> None:
        if not specs:
            return
        raise_limits()
        recipes = {spec.name: recipe_for(spec) for spec in specs}
        ensure_images(self._engine, recipes.values(), self._say)
        seed.ensure_lab_secrets(private_dir(self.folder), self.name)
        with machine_lock("addresses"):  # an address is taken once a container's label says so
            subnet = network.ensure_network(self._engine)
            taken = [container.labels[f"{LABEL}.address"] for container in self._engine.containers(LABEL)]
            addresses = network.free_addresses(subnet, taken)
            given = [(spec, recipes[spec.name], next(addresses)) for spec in specs]
            self._each(lambda work: self._create_host(*work), given)

    def _create_host(self, spec: HostSpec, recipe: Recipe, address: str) -> None:
        folder = seed.ensure_seed(self.folder, spec.name, recipe.mirror.startswith("https://"))
        labels = {
            LABEL: self.name,
            f"{LABEL}.host": spec.name,
            f"{LABEL}.suite": spec.suite,
            f"{LABEL}.packages": ",".join(spec.packages),
            f"{LABEL}.address": address,
            f"{LABEL}.dir": str(self.folder),
        }
        self._engine.podman(
            "create",
            "--pull=never",
            f"--name=stopgap-{self.name}-{spec.name}",
            f"--hostname={spec.name}",
            *(f"--label={key}={value}" for key, value in labels.items()),
            "--privileged",
            "--pids-limit=0",
            "--systemd=always",
            "--restart=always",  # a reboot inside ends the container; this is what brings it back
            *self._engine.run_options,
            f"--network={network.NAME}",
            f"--ip={address}",
            f"--mac-address={network.mac_address(address)}",
            f"--volume={folder}:/stopgap-lab:ro",
            recipe.image,
            INIT,
        )

    def _bring_up(self, names: set[str]) -> None:
        hosts = self.hosts
        public_keys = {host.name: seed.public_host_key(self.folder, host.name) for host in hosts}
        inventory.write_inventory(self.folder, self._engine, hosts, public_keys)
        wanted = [host for host in hosts if host.name in names and host.state != "paused"]
        self._each(
            lambda host: self._engine.podman("start", host.container),
            [host for host in wanted if host.state != "running"],
        )
        readiness.wait_ready(self.ssh_config, wanted)

    # Handling hosts

    def wait(self, hosts: Sequence[str], timeout: float = readiness.TIMEOUT) -> None:
        """Return once these hosts have started and let ssh in."""
        readiness.wait_ready(self.ssh_config, [self.host(name) for name in hosts], timeout)

    def exec(self, host: str, argv: Sequence[str], check: bool = True, input: str | bytes | None = None) -> Result:
        """Run a command as root inside the host, not by way of ssh."""
        options = ["--interactive"] if input is not None else []
        return self._engine.podman("exec", *options, self._container(host), *argv, stdin=input, check=check)

    def write_file(self, host: str, path: str, content: str | bytes, mode: int = 0o644) -> None:
        """Write a file of root's, with the folders above it."""
        self.exec(host, ["install", "-D", f"--mode={mode:o}", "/dev/stdin", path], input=content)

    def security(self, host: str, on: bool = True) -> None:
        """Let the host see the security archive, or not."""
        if not on:
            self.exec(host, ["rm", "-f", SECURITY_LIST])
            return
        line = f"deb {find_security_mirror()} {self.host(host).suite}-security main\n"
        self.write_file(host, SECURITY_LIST, line)
        self.exec(host, ["apt-get", "--quiet", "--error-on=any", "update"])

    def security_each(self, hosts: Sequence[str] | None = None, on: bool = True) -> None:
        """`security` for these hosts, or for all, some at a time."""
        names = [host.name for host in self.hosts] if hosts is None else [self.host(name).name for name in hosts]
        self._each(lambda name: self.security(name, on), names)

    def pause(self, host: str) -> None:
        """Freeze every process: the host keeps its address but answers nothing."""
        self._engine.podman("pause", self._container(host))

    def unpause(self, host: str) -> None:
        self._engine.podman("unpause", self._container(host))

    def kill(self, host: str) -> None:
        """Cut the power; the host stays off until `start`."""
        self._engine.podman("kill", self._container(host))

    def start(self, host: str) -> None:
        """Switch a host on that is off, and wait until it is ready."""
        self._engine.podman("start", self._container(host))
        self.wait([host])

    def disconnect(self, host: str) -> None:
        """Unplug the host from the network."""
        network.set_link(self._engine, self._container(host), up=False)

    def connect(self, host: str) -> None:
        """Plug it in again."""
        network.set_link(self._engine, self._container(host), up=True)

    # Within

    @property
    def _engine(self) -> Engine:
        return detect_engine()

    def _container(self, host: str) -> str:
        return f"stopgap-{self.name}-{host}"

    def _require_own(self, container: Container) -> None:
        if (made_in := container.labels[f"{LABEL}.dir"]) != str(self.folder):
            raise LabError(f"A lab {self.name} exists already, kept in {made_in}: choose another name")

    def _each(self, act: Callable[[Work], object], works: Sequence[Work]) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(act, works))


def to_host(container: Container) -> Host:
    label = container.labels
    packages = tuple(word for word in label[f"{LABEL}.packages"].split(",") if word)
    return Host(
        label[f"{LABEL}.host"],
        label[f"{LABEL}.suite"],
        label[f"{LABEL}.address"],
        container.name,
        packages,
        container.state,
    )


def natural(name: str) -> tuple[str, int]:
    """n2 before n10."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _require_same(spec: HostSpec, host: Host | None) -> None:
    if host and (host.suite, host.packages) != (spec.suite, spec.packages):
        is_now = HostSpec(host.name, host.suite, host.packages)
        raise LabError(f"Host {spec.name} exists already as {is_now}: choose another name, or remove the lab first")
