"""Images of hosts: a Debian release from its main archive alone, so that hosts are born vulnerable."""

import hashlib
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stopgap.lab.engine import Engine
from stopgap.lab.errors import LabError, SuiteGoneError
from stopgap.lab.hosts import HostSpec
from stopgap.lab.mirror import find_mirror, inherited_options
from stopgap.lab.paths import RECIPE, machine_lock, private_dir, state_root

REPOSITORY = "localhost/stopgap-lab"
HOLDS = "stopgap.lab.holds"
INIT = "/usr/local/sbin/stopgap-lab-init"
BUILDS_AT_ONCE = 2
BASE = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "python3",
    "openssh-server",
    "iproute2",
    "procps",
    "ca-certificates",
    "sudo",
)


@dataclass(frozen=True)
class Recipe:
    """Everything an image depends on."""

    suite: str
    packages: tuple[str, ...]
    mirror: str
    apt_options: tuple[str, ...]

    @property
    def key(self) -> str:
        scripts = [path.read_text() for path in sorted(RECIPE.glob("*.sh"))]
        parts = [self.suite, *BASE, "", *self.packages, "", self.mirror, *self.apt_options, "", *scripts]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def image(self) -> str:
        return f"{REPOSITORY}:{self.key}"

    @property
    def log(self) -> Path:
        return state_root() / "logs" / f"image-{self.suite}-{self.key}.log"

    def command(self, tarball: Path) -> list[str]:
        hook = f'sh {shlex.quote(str(RECIPE / "customize.sh"))} "$1" {shlex.quote(str(RECIPE))}'
        return [
            "mmdebstrap",
            "--variant=minbase",
            "--skip=cleanup/apt/lists",
            *(f"--aptopt={option}" for option in self.apt_options),
            f"--include={','.join((*BASE, *self.packages))}",
            f"--customize-hook={hook}",
            self.suite,
            str(tarball),
            f"deb {self.mirror} {self.suite} main",
        ]


def recipe_for(spec: HostSpec) -> Recipe:
    options = ('APT::Install-Recommends "false";', *inherited_options())
    return Recipe(spec.suite, spec.packages, find_mirror(), options)


def ensure_images(engine: Engine, recipes: Iterable[Recipe], say: Callable[[str], None]) -> None:
    """Build what is missing, some at a time."""
    missing = [recipe for recipe in set(recipes) if not engine.has_image(recipe.image)]
    with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
        list(pool.map(lambda recipe: _ensure_image(engine, recipe, say), missing))


def _ensure_image(engine: Engine, recipe: Recipe, say: Callable[[str], None]) -> None:
    with machine_lock(f"image-{recipe.key}"):
        if not engine.has_image(recipe.image):
            say(f"building the image of {recipe.suite} with {', '.join(recipe.packages) or 'nothing more'} (a minute)")
            _build(engine, recipe)


def _build(engine: Engine, recipe: Recipe) -> None:
    private_dir(recipe.log.parent)
    with tempfile.TemporaryDirectory(prefix="stopgap-lab-") as folder:
        tarball = Path(folder) / "host.tar"
        with recipe.log.open("wb") as log:
            done = subprocess.run(
                recipe.command(tarball), stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, check=False
            )
        if done.returncode != 0:
            raise build_error(recipe, recipe.log.read_text(errors="replace"))
        holds = f"{recipe.suite} {' '.join(recipe.packages)}".strip()
        engine.podman("import", "--quiet", f"--change=LABEL {HOLDS}={holds}", str(tarball), recipe.image)


def build_error(recipe: Recipe, log: str) -> LabError:
    """Read from mmdebstrap's log what the user can do."""
    if "does not have a Release file" in log:
        return SuiteGoneError(
            f"The archive at {recipe.mirror} does not carry {recipe.suite} (any more): choose another release, "
            "or set STOPGAP_LAB_MIRROR to an archive that has it"
        )
    if "Unable to locate package" in log:
        names = sorted({line.split()[-1] for line in log.splitlines() if "Unable to locate package" in line})
        return LabError(f"{recipe.suite} has no package named {', '.join(names)}: correct the host's package list")
    last = "\n  ".join(log.strip().splitlines()[-8:])
    return LabError(
        f"The image of {recipe.suite} could not be built; the whole log is {recipe.log}, its end:\n  {last}"
    )
