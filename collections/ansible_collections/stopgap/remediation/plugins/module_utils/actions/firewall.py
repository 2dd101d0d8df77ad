# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""A port or a source that new connections do not get through: a table of nftables of our own, and what loads it again.

Two units: one loads it at boot. The other is up while nftables.service is, whose every start, stop and reload flushes
all tables, ours too, and loads it after that.
"""

import ipaddress
import itertools
import os
import shutil
import socket
import struct

from ansible_collections.stopgap.remediation.plugins.module_utils import durable, nft
from ansible_collections.stopgap.remediation.plugins.module_utils.action import Action
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.file import File
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.service import is_active
from ansible_collections.stopgap.remediation.plugins.module_utils.command import environment, must
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

RULES = "/etc/stopgap/firewall.d"
UNITS = "/etc/systemd/system"
PROC = "/proc"
ESTABLISHED = "01"
BOOT = """[Unit]
Description=Stopgap closes a way in: table inet {name}
After=nftables.service
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
DefaultDependencies=no

[Service]
Type=oneshot
ExecStart={nft} -f {rules}

[Install]
WantedBy=sysinit.target
"""
FOLLOWER = """[Unit]
Description=Stopgap closes a way in again after nftables.service: table inet {name}
After=nftables.service
PartOf=nftables.service
ReloadPropagatedFrom=nftables.service
DefaultDependencies=no

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={nft} -f {rules}
ExecReload={nft} -f {rules}

[Install]
WantedBy=nftables.service
"""
LEADER = "nftables.service"


class Firewall(Action):
    type = "firewall"

    def __init__(self, params):
        super(Firewall, self).__init__(params)
        if params.get("port") is None and not params.get("source"):
            raise ActionError("firewall: closes nothing, give port with protocol, or source")
        self.table = nft.name_of(params)
        name = self.table.replace("_", "-")
        self.units = {"boot": name + ".service", "follower": name + "-follow.service"}
        rules = "%s/%s.nft" % (RULES, self.table)
        words = {"name": self.table, "nft": program() or "/usr/sbin/nft", "rules": rules}
        contents = {"rules": (rules, nft.script_of(params))}
        for part, text in (("boot", BOOT), ("follower", FOLLOWER)):
            contents[part] = ("%s/%s" % (UNITS, self.units[part]), text.format(**words))
        self.files = {part: File({"path": path, "content": text}) for part, (path, text) in contents.items()}

    @property
    def resource(self):
        return "firewall:" + self.table

    def read(self):
        return self._state({part: known.read() for part, known in self.files.items()})

    def capture(self, keeper):
        if program() is None:
            raise ActionError(
                "this host has no nft, which closes the way: install nftables (apt-get or dnf install nftables), or "
                "choose another mitigation"
            )
        refuse_to_cut_off(self.params)
        parts = {part: known.capture(keeper) for part, known in self.files.items()}
        saved = {"saved:" + part: state.pop("saved") for part, state in parts.items() if "saved" in state}
        folders = sorted({folder for state in parts.values() for folder in state.pop("folders")})
        return dict(self._state(parts), folders=folders, **saved)

    def desired(self, prior):
        parts = {part: known.desired(part_of(prior, part)) for part, known in self.files.items()}
        return dict(flat(parts), live=nft.rules_of(self.params), enabled=["enabled"] * len(self.units))

    def apply(self, prior):
        for part, known in self.files.items():
            known.apply(part_of(prior, part))
        must(["nft", "-f", self.files["rules"].path])
        must(["systemctl", "daemon-reload"])
        must(["systemctl", "enable"] + sorted(self.units.values()))
        if is_active(LEADER):
            must(["systemctl", "restart", self.units["follower"]])

    def revert(self, prior, written):
        for part, unit in sorted(self.units.items()):
            if prior[part + ".kind"] == "absent" and os.path.exists(self.files[part].path):
                must(["systemctl", "disable", "--now", unit])
        if prior["live"] is None and nft.live(self.params) is not None:
            must(["nft", "delete", "table", "inet", self.table])
        for part, known in self.files.items():
            known.revert(dict(part_of(prior, part), folders=[]), part_of(written, part))
        must(["systemctl", "daemon-reload"])
        durable.remove_folders(prior["folders"])

    def halfway(self, key, prior, written):
        """One unit after the other: written, not yet enabled, enabled."""
        states = itertools.product(("", "disabled", "enabled"), repeat=len(self.units))
        return [list(pair) for pair in states] if key == "enabled" else []

    def merge(self, prior, written, current):
        """Rules in our own table are nobody's to keep; only the files are."""
        merged = dict(prior)
        for part, known in self.files.items():
            kept = known.merge(
                dict(part_of(prior, part), folders=[]), part_of(written, part), dict(part_of(current, part), folders=[])
            )
            kept.pop("folders")
            saved = kept.pop("saved", None)
            merged.update(flat({part: kept}), **({"saved:" + part: saved} if saved else {}))
        return merged

    def show(self, state):
        return "closed" if state["live"] == nft.rules_of(self.params) else "%s" % (state["live"] or "open")

    def text(self, state):
        return "".join("%s\n" % line for line in state["live"] or ["open"])

    def _state(self, parts):
        return dict(flat(parts), live=nft.live(self.params), enabled=self._enabled())

    def _enabled(self):
        """Of both units; an empty text where there is no such one."""
        shown = [must(["systemctl", "show", "--property=UnitFileState", unit]) for unit in sorted(self.units.values())]
        return [text.strip().partition("=")[2] for text in shown]


def program():
    return shutil.which("nft", path=environment()["PATH"])


def flat(parts):
    return {"%s.%s" % (part, key): value for part, state in parts.items() for key, value in state.items()}


def part_of(state, part):
    """The keys of one file, with its saved copy."""
    found = {key.partition(".")[2]: value for key, value in state.items() if key.startswith(part + ".")}
    saved = state.get("saved:" + part)
    return dict(found, saved=saved) if saved else found


# --- never the connection we stand on


def refuse_to_cut_off(params):
    """The session we work in would go on, and be the last one."""
    for peer, port in sorted(ssh_peers()):
        if blocks(params, peer, port):
            raise ActionError(
                "would lock out %s, who is logged in by ssh on port %s now: put that address into except_from"
                % (peer, port)
            )


def blocks(params, peer, port):
    """Whether a new TCP connection of `peer` to `port` would be dropped."""
    address = ipaddress.ip_address(peer)
    if address.is_loopback or any(is_in(address, network) for network in params.get("except_from") or []):
        return False
    if params.get("source") and not is_in(address, params["source"]):
        return False
    if params.get("port") is None:
        return True
    first, _hyphen, last = str(params["port"]).partition("-")
    return params.get("protocol") == "tcp" and int(first) <= port <= int(last or first)


def is_in(address, network):
    network = ipaddress.ip_network(network)
    return address.version == network.version and address in network


def ssh_peers():
    """{(address, our port)} of everybody who is connected to an sshd of this host."""
    sockets = sockets_of_sshd()
    found = {(peer, port) for inode, peer, port in connections() if inode in sockets}
    words = os.environ.get("SSH_CONNECTION", "").split()
    if len(words) == 4 and words[3].isdigit():
        found.add((plain_address(words[0].partition("%")[0]), int(words[3])))
    return found


def sockets_of_sshd():
    inodes = set()
    for pid in (name for name in os.listdir(PROC) if name.isdigit()):
        folder = os.path.join(PROC, pid)
        try:
            with open(os.path.join(folder, "comm"), errors="replace") as stream:
                if not stream.read().startswith("sshd"):  # sshd-session, since OpenSSH 9.8
                    continue
            for number in os.listdir(os.path.join(folder, "fd")):
                target = os.readlink(os.path.join(folder, "fd", number))
                if target.startswith("socket:["):
                    inodes.add(target[len("socket:[") : -1])
        except OSError:  # ended since it was listed
            continue
    return inodes


def connections():
    """(inode, peer, our port) of each established TCP connection."""
    for name in ("tcp", "tcp6"):
        try:
            with open(os.path.join(PROC, "net", name)) as stream:
                lines = [line.split() for line in stream][1:]
        except FileNotFoundError:  # without IPv6
            continue
        for words in lines:
            if words[3] == ESTABLISHED:
                yield words[9], address_of(words[2]), int(words[1].rpartition(":")[2], 16)


def address_of(text):
    """The kernel writes addresses as 32 bit numbers in the machine's own order."""
    digits = text.rpartition(":")[0]
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = struct.pack("=%dI" % len(words), *words)
    return plain_address(socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed))


def plain_address(text):
    address = ipaddress.ip_address(text)
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)
