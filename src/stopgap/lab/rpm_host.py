"""Makes a lab host one of the rpm family: real rpm with dnf or zypper, and a repository of small packages built there.

A lab host is Debian underneath. What makes it el-9 to Stopgap is its os-release, an rpm database and a package manager
that uses it; nothing of Red Hat's or SUSE's own packages is on it.
"""

import io
import tarfile
from collections.abc import Iterable

from stopgap.lab.errors import LabError
from stopgap.lab.lab import Lab
from stopgap.lab.rpm_packages import Erratum, Rpm, Stream, all_files, modules, spec_text, updateinfo

__all__ = ["DNF_PACKAGES", "ZYPPER_PACKAGES", "Erratum", "Rpm", "RpmHost", "Stream"]

# What HostSpec.packages must hold: Debian's dnf plugins and zypper cannot be installed together.
DNF_PACKAGES = ("rpm", "dnf", "dnf-plugins-core", "createrepo-c")
ZYPPER_PACKAGES = ("rpm", "zypper", "createrepo-c")
ZYPPER_DISTROS = ("sles", "opensuse-leap")
IDS = {"el": "almalinux"}  # os-release's ID where it is not the name in remedies
POINT_RELEASES = ("el", "sles", "opensuse-leap")
REPOSITORIES = "/srv/rpm"
# What is there, and rpm does not know of: packages with scripts need it.
BASE = Rpm("lab-base", "1-1", arch="noarch", headers=["Provides: /bin/sh", "Provides: /usr/sbin/ldconfig"])
BUILD = "/root/stand-ins"
MACROS = "%_dbpath /var/lib/rpm\n%debug_package %{nil}\n%__os_install_post %{nil}\n%_build_id_links none\n"
BUILD_ALL = """set -e
for folder in "$@"; do
  read -r target repository module < $folder/settings
  rpmbuild -bb --quiet --target $target --define "_topdir $folder" --define "_rpmdir $repository" \\
    --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' --define "modularitylabel $module" \\
    $folder/package.spec >$folder/log 2>&1 || { cat $folder/log; exit 1; }
done
"""


class RpmHost:
    """A lab host that says it is `distro`, a key of remedies: el-9, fedora-39, sles-15, opensuse-leap-15."""

    def __init__(self, lab: Lab, name: str, distro: str) -> None:
        self.lab, self.name, self.distro = lab, name, distro
        self.zypper = distro.rpartition("-")[0] in ZYPPER_DISTROS
        tool = "zypper" if self.zypper else "dnf"
        if lab.exec(name, ["sh", "-c", f"command -v {tool}"], check=False).returncode != 0:
            wanted = ",".join(ZYPPER_PACKAGES if self.zypper else DNF_PACKAGES)
            raise LabError(f"Host {name} has no {tool}: make it as {name}=bookworm:{wanted}")
        lab.exec(name, ["rm", "-f", "/etc/os-release"])  # a link to the real one
        lab.write_file(name, "/etc/os-release", os_release(distro))
        lab.write_file(name, "/etc/rpm/macros", MACROS)
        lab.write_file(name, "/etc/dnf/plugins/local.conf", "[main]\nenabled = false\n")  # a repository of its own
        lab.write_file(name, "/etc/dnf/vars/releasever", distro.rpartition("-")[2] + "\n")
        lab.exec(name, ["mkdir", "-p", "/var/lib/rpm", "/etc/yum.repos.d", "/etc/zypp/repos.d"])
        lab.exec(name, ["rpm", "--initdb"])
        if lab.exec(name, ["rpm", "-q", BASE.name], check=False).returncode != 0:
            self.build(BASE, repository=BASE.name)
            self.install(BASE, repository=BASE.name)

    def build(self, *packages: Rpm, repository: str = "stand-in") -> None:
        """Build packages into a repository's folder; `publish` lets the host see them."""
        packed = io.BytesIO()
        folders = [f"{BUILD}/{package.file_name}" for package in packages]
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for folder, package in zip(folders, packages, strict=True):
                _add(tar, f"{folder}/package.spec", spec_text(package, f"{folder}/root"))
                settings = f"{package.arch} {REPOSITORIES}/{repository} {package.module or '%{nil}'}\n"
                _add(tar, f"{folder}/settings", settings)
                for path, content in all_files(package).items():
                    _add(tar, f"{folder}/root{path}", content, 0o755 if "bin/" in path else 0o644)
        self.lab.exec(self.name, ["rm", "-rf", *folders])
        self.lab.exec(self.name, ["tar", "-C", "/", "-xf", "-"], input=packed.getvalue())
        self.lab.exec(self.name, ["sh", "-c", BUILD_ALL, "build", *folders])

    def publish(
        self,
        repository: str = "stand-in",
        errata: Iterable[Erratum] = (),
        streams: Iterable[Stream] = (),
        url: str | None = None,
    ) -> None:
        """Write the repository's metadata from what lies in its folder, and name it to the package manager."""
        folder, streams = f"{REPOSITORIES}/{repository}", list(streams)
        self.lab.exec(self.name, ["mkdir", "-p", folder])
        self.lab.exec(self.name, ["createrepo_c", "--quiet", folder])
        for name, text in (("updateinfo.xml", updateinfo(errata)), ("modules.yaml", modules(streams))):
            if text:
                self.lab.write_file(self.name, f"{BUILD}/{name}", text)
                self.lab.exec(self.name, ["modifyrepo_c", f"{BUILD}/{name}", f"{folder}/repodata"])
        where = "/etc/zypp/repos.d" if self.zypper else "/etc/yum.repos.d"
        text = (
            f"[{repository}]\nname={repository}\nbaseurl={url or f'file://{folder}'}\n"
            "enabled=1\ngpgcheck=0\nautorefresh=1\nmetadata_expire=1\n"
        )
        self.lab.write_file(self.name, f"{where}/{repository}.repo", text)

    def withdraw(self, package: Rpm, repository: str = "stand-in") -> None:
        """Delete a package's file while the metadata still lists it, as a mirror does that is being synchronised."""
        self.lab.exec(self.name, ["rm", f"{REPOSITORIES}/{repository}/{package.file_name}"])

    def install(self, *packages: Rpm, repository: str = "stand-in") -> None:
        """Put built packages onto the host with rpm itself."""
        files = [f"{REPOSITORIES}/{repository}/{package.file_name}" for package in packages]
        self.lab.exec(self.name, ["rpm", "-U", "--oldpackage", "--replacepkgs", "--force-debian", "--nodeps", *files])

    def offer(self, *packages: Rpm, repository: str = "stand-in") -> None:
        """Build and publish."""
        self.build(*packages, repository=repository)
        self.publish(repository)


def os_release(distro: str) -> str:
    name, _hyphen, version = distro.rpartition("-")
    number = f"{version}.5" if name in POINT_RELEASES else version
    fields = {"ID": IDS.get(name, name), "VERSION_ID": number, "PRETTY_NAME": f"{distro} stand-in of a Stopgap lab"}
    fields["PLATFORM_ID"] = f"platform:{name}{version}"  # dnf wants one for module streams
    return "".join(f'{key}="{value}"\n' for key, value in fields.items())


def _add(tar: tarfile.TarFile, path: str, content: str | bytes, mode: int = 0o644) -> None:
    data = content.encode() if isinstance(content, str) else content
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))
