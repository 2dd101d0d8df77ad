"""Tiny packages built on a lab host, and a repository of them there: for what the archive has no example of."""

import json

POOL = "/srv/standins"
SOURCE = f"deb [trusted=yes] file:{POOL} ./\n"
LIST = "/etc/apt/sources.list.d/standins.list"
BUILD = r"""
import hashlib, json, os, shutil, subprocess, sys, tempfile
asked = json.load(sys.stdin)
os.makedirs(asked["pool"], exist_ok=True)

def put(top, path, content, mode):
    target = top + path
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if content.startswith("copy of "):
        shutil.copyfile(content[len("copy of "):], target)
    else:
        with open(target, "w") as handle:
            handle.write(content)
    os.chmod(target, int(mode, 8))

def build(spec):
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        for path, (content, mode) in spec["files"].items():
            put(top, path, content, mode)
        control = "".join("%s: %s\n" % pair for pair in spec["fields"].items())
        put(top, "/DEBIAN/control", control, "0644")
        for name, content in spec["scripts"].items():
            put(top, "/DEBIAN/" + name, content, "0755")
        if spec["conffiles"]:
            put(top, "/DEBIAN/conffiles", "".join(path + "\n" for path in spec["conffiles"]), "0644")
        f = spec["fields"]
        name = "%s_%s_%s.deb" % (f["Package"], f["Version"].replace(":", "%3a"), f["Architecture"])
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", top, asked["pool"] + "/" + name], check=True,
                       stdout=subprocess.DEVNULL)
        return name

def entry(name):
    path = asked["pool"] + "/" + name
    fields = subprocess.run(["dpkg-deb", "-f", path], check=True, stdout=subprocess.PIPE).stdout.decode().strip()
    data = open(path, "rb").read()
    return "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n" % (fields, name, len(data), hashlib.sha256(data).hexdigest())

names = [build(spec) for spec in asked["packages"]]
with open(asked["pool"] + "/Packages", "w") as handle:
    handle.write("\n".join(entry(name) for name, spec in zip(names, asked["packages"]) if spec["offered"]))
print(json.dumps([asked["pool"] + "/" + name for name in names]))
"""


def package(name, version, files=None, scripts=None, conffiles=(), arch="amd64", offered=True, **fields):
    """files: {path: content or "copy of PATH", or (that, mode)}; `offered`: it is in the repository's list."""
    told = {"Package": name, "Version": version, "Architecture": arch, "Maintainer": "none <none@localhost>"}
    told |= {key.replace("_", "-"): value for key, value in fields.items()} | {"Description": "stand-in for a test"}
    modes = {path: what if isinstance(what, tuple) else (what, "0644") for path, what in (files or {}).items()}
    return {
        "fields": told, "files": modes, "scripts": scripts or {}, "conffiles": list(conffiles), "offered": offered
    }  # fmt: skip


def publish(lab, host, *packages):
    """Build them, offer them from a repository of the host's own, and give their files."""
    asked = json.dumps({"pool": POOL, "packages": list(packages)})
    made = json.loads(lab.exec(host, ["python3", "-c", BUILD], input=asked).stdout)
    lab.write_file(host, LIST, SOURCE)
    lab.exec(host, ["apt-get", "-q", "update", "-o", f"Dir::Etc::sourcelist={LIST}", "-o", "Dir::Etc::sourceparts=-",
                    "-o", "APT::Get::List-Cleanup=0"])  # fmt: skip
    return made


def install(lab, host, *files):
    """With dpkg alone, as fast as it gets."""
    lab.exec(host, ["dpkg", "-i", *files])
