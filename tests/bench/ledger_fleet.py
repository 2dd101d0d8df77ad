"""The life of a fleet as its controllers tell it: seeded, a run (one spool file) at a time.

A campaign takes one remedy through one slice of the fleet: mitigate, recheck, fix, recheck; several go on at once, and
some stop half-way and stay debt. Between them slices are synced: hosts tell all their journals hold. Shapes and sizes
of evidence are those of real plays (contracts, section 6). Histories are told again by each later run that sees the
entry, so part of the lines are events the ledger knows already. A run goes
task by task over all its hosts, as plays do.
"""

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
STEPS = ("mitigate", "recheck", "fix", "recheck")
SYNCS = 0.08  # of all runs
AT_ONCE = 12
TTL = 14 * 86400
OLD, FIXED = "1.22.1-9+deb12u3", "1.22.1-9+deb12u9"
PACKAGES = ("nginx", "openssh-server", "sudo", "redis-server", "cups-browsed", "polkitd", "glibc", "curl")
DISTROS = ("debian-12", "debian-11", "ubuntu-22.04", "rocky-9")
TEAMS = ("web", "payments", "platform", "data", "")


@dataclass
class Campaign:
    remedy: str
    package: str
    hosts: list[int]
    last: int  # how many of STEPS it gets to
    done: int = 0
    entries: dict[int, list[tuple[str, datetime]]] = field(default_factory=dict)  # host: its entry's history


@dataclass(frozen=True)
class Run:
    name: str
    lines: list[bytes]


def runs(events: int, hosts: int, seed: int = 4) -> Iterator[Run]:
    """Runs that together tell at least this many events, of about this many hosts."""
    fleet = _Fleet(random.Random(seed), hosts)  # noqa: S311 - a made-up fleet, the same each time
    told = 0
    while told < events:
        run = fleet.next_run()
        told += len(run.lines)
        yield run


class _Fleet:
    def __init__(self, chance: random.Random, hosts: int) -> None:
        self.chance, self.hosts = chance, hosts
        self.clock = START
        self.campaigns: list[Campaign] = []
        self.number = 0
        self.journals: dict[int, list[Campaign]] = {}

    def next_run(self) -> Run:
        while len(self.campaigns) < AT_ONCE:
            self.campaigns.append(self._campaign())
        if self.chance.random() < SYNCS:
            return self._synced(self._slice())
        campaign = self.chance.choice(self.campaigns)
        told = self._told(campaign)
        campaign.done += 1
        if campaign.done >= campaign.last:
            self.campaigns.remove(campaign)
        return told

    def _campaign(self) -> Campaign:
        self.number += 1
        last = self.chance.choices((1, 2, len(STEPS)), (1, 3, 6))[0]
        return Campaign(f"CVE-2026-{1000 + self.number}", self.chance.choice(PACKAGES), self._slice(), last)

    def _slice(self) -> list[int]:
        size = min(self.hosts, self.chance.randint(100, 1000))
        first = self.chance.randrange(self.hosts)
        return [(first + place) % self.hosts for place in range(size)]

    def _begin(self) -> None:
        self.clock += timedelta(minutes=self.chance.randint(5, 120))
        self.run = _uuid(self.clock, self.chance.getrandbits(80))
        self.actor = self.chance.choice(("ann", "bob", "awx-web"))

    def _synced(self, hosts: list[int]) -> Run:
        self._begin()
        lines = []
        for host in hosts:
            for campaign in self.journals.get(host, []):
                lines.extend(self._history(campaign, host))
            lines.append(self._journal(host))
        return Run(self.run, lines)

    def _told(self, campaign: Campaign) -> Run:
        self._begin()
        step = STEPS[campaign.done]
        by_host = []
        for host in campaign.hosts:
            self.clock += timedelta(milliseconds=self.chance.randint(1, 40))
            if self.chance.random() < 0.01:
                by_host.append([self._unreachable(campaign, host)])
            else:
                by_host.append(list(_TELLERS[step](self, campaign, host)))
        return Run(self.run, [line for task in zip_longest(*by_host) for line in task if line])

    # What each step tells of one host

    def mitigate(self, campaign: Campaign, host: int) -> Iterator[bytes]:
        if self.chance.random() < 0.1:
            yield self._assessed(
                campaign, host, "not_affected", "not_installed", f"{campaign.package} is not installed"
            )
            return
        yield self._assessed(campaign, host, "exposed", "below_fixed", f"{campaign.package} {OLD} < {FIXED}")
        yield from self._history(campaign, host, "intended", "applied")
        verdict = "pass" if self.chance.random() < 0.98 else "fail"
        yield self._verified(campaign, host, "mitigation", verdict, 1)

    def recheck(self, campaign: Campaign, host: int) -> Iterator[bytes]:
        held = self._held(campaign, host)
        if held:
            code = "mitigation_in_force" if self.chance.random() < 0.99 else "mitigation_lost"
            state = "mitigated" if code == "mitigation_in_force" else "exposed"
            yield self._assessed(campaign, host, state, code, "mitigation limits is in force")
            yield self._verified(campaign, host, "mitigation", "pass" if state == "mitigated" else "fail", 1)
        elif host in campaign.entries:
            yield self._assessed(
                campaign, host, "patched", "awaiting_proof", f"{campaign.package} {FIXED} is at least {FIXED}"
            )
            yield self._verified(campaign, host, "fix", "pass" if self.chance.random() < 0.99 else "fail", 4)
        else:
            yield self._assessed(
                campaign, host, "not_affected", "not_installed", f"{campaign.package} is not installed"
            )

    def fix(self, campaign: Campaign, host: int) -> Iterator[bytes]:
        if host not in campaign.entries:
            yield self._assessed(
                campaign, host, "not_affected", "not_installed", f"{campaign.package} is not installed"
            )
            return
        yield self._assessed(campaign, host, "mitigated", "mitigation_in_force", "mitigation limits is in force")
        if self.chance.random() < 0.05:
            yield self._patch(campaign, host, "refused")
            return
        yield self._patch(campaign, host, "installed")
        yield self._assessed(
            campaign, host, "patched", "awaiting_proof", f"{campaign.package} {FIXED} is at least {FIXED}"
        )
        yield self._verified(campaign, host, "fix", "pass", 4)
        yield from self._history(campaign, host, "lifting", "lifted")

    # Events

    def _history(self, campaign: Campaign, host: int, *more: str) -> Iterator[bytes]:
        """The whole history of the host's entry, as every run tells it that sees the entry."""
        known = campaign.entries.get(host, [])
        if not known and not more:
            return
        known += [(state, self.clock + timedelta(milliseconds=120 * place)) for place, state in enumerate(more)]
        if host not in campaign.entries:
            self.journals.setdefault(host, []).append(campaign)
        campaign.entries[host] = known
        entry = self._entry(campaign, host)
        expires = _time(known[0][1] + timedelta(seconds=TTL))
        for step, (state, at) in enumerate(known):
            evidence = {
                "mitigation": "limits",
                "entry": entry,
                "owner": TEAMS[host % len(TEAMS)],
                "ttl_seconds": TTL,
                "expires_at": expires,
                "persists": "always",
                "actions": [
                    {"type": "file", "resource": "file:/etc/nginx/conf.d/stopgap-limits.conf", "changed": True}
                ],
                "heard_at": _time(self.clock),
                "step": step,
            }
            bits = hashlib.sha256(f"prod|{_name(host)}|{entry}|{state}".encode()).digest()[:10]
            yield self._event(
                campaign, host, "mitigation", state, "", evidence, at, _uuid(at, int.from_bytes(bits, "big"))
            )

    def _held(self, campaign: Campaign, host: int) -> bool:
        return host in campaign.entries and campaign.entries[host][-1][0] == "applied"

    def _entry(self, campaign: Campaign, host: int) -> str:
        made = campaign.entries[host][0][1].strftime("%Y%m%dT%H%M%SZ")
        return made + "-" + hashlib.sha256(f"{campaign.remedy}{host}".encode()).hexdigest()[:8]

    def _assessed(self, campaign: Campaign, host: int, state: str, code: str, reason: str) -> bytes:
        found = FIXED if state == "patched" else OLD
        package = {
            "name": campaign.package,
            "arch": "amd64",
            "version": found,
            "source_version": found,
            "required": [FIXED],
        }
        held = (
            {"id": "limits", "entry": self._entry(campaign, host), "in_force": code != "mitigation_lost"}
            if code.startswith("mitigation")
            else None
        )
        evidence = {
            "packages": [] if code == "not_installed" else [package],
            "when": [{"type": "service", "holds": True, "reason": f"{campaign.package}.service is active and enabled"}],
            "old_code": [],
            "mitigation": held,
            "code": code,
            "distro": DISTROS[host % len(DISTROS)],
            "host_id": hashlib.sha256(_name(host).encode()).hexdigest()[:32],
            "about": {
                "exposure": "internet" if host % 5 == 0 else "internal",
                "criticality": "high",
                "owner": TEAMS[host % len(TEAMS)],
            },
        }
        return self._event(campaign, host, "assessed", state, reason, evidence)

    def _unreachable(self, campaign: Campaign, host: int) -> bytes:
        reason = (
            f"unreachable: Failed to connect to the host via ssh: connect to {_name(host)} port 22: No route to host"
        )
        return self._event(campaign, host, "assessed", "unknown", reason, {"code": "unreachable"})

    def _verified(self, campaign: Campaign, host: int, phase: str, verdict: str, checks: int) -> bytes:
        kinds = ("command:nginx -T", "package:nginx", "processes:nginx", "service:nginx")
        evidence = {
            "phase": phase,
            "mitigation": "limits" if phase == "mitigation" else None,
            "checks": [
                {
                    "id": name,
                    "type": name.split(":")[0],
                    "verdict": verdict,
                    "reason": "exit 0, output as expected",
                    "seconds": self.chance.randint(1, 900) / 1000,
                }
                for name in kinds[:checks]
            ],
        }
        if phase == "mitigation":
            evidence["entry"] = self._entry(campaign, host)
        reason = "all checks passed" if verdict == "pass" else "command:nginx -T: stdout does not have limit_conn"
        return self._event(campaign, host, "verified", verdict, reason, evidence)

    def _patch(self, campaign: Campaign, host: int, verdict: str) -> bytes:
        package = {"name": campaign.package, "before": OLD, "after": FIXED, "candidate": FIXED, "required": [FIXED]}
        evidence = {
            "code": verdict,
            "packages": [package],
            "conffiles": [],
            "restarted": [f"{campaign.package}.service"],
            "old_code": [],
            "reboot_required": False,
            "rollback": {"possible": True, "from": "cache", "reason": "the old versions are here", "packages": []},
        }
        return self._event(campaign, host, "patch", verdict, f"{campaign.package}: {FIXED} {verdict}", evidence)

    def _journal(self, host: int) -> bytes:
        held = [
            [campaign.remedy, self._entry(campaign, host)]
            for campaign in self.journals.get(host, [])
            if self._held(campaign, host)
        ]
        evidence = {"in_force": held, "host_id": hashlib.sha256(_name(host).encode()).hexdigest()[:32]}
        return self._event(None, host, "journal", "seen", "", evidence)

    def _event(
        self,
        campaign: Campaign | None,
        host: int,
        kind: str,
        verdict: str,
        reason: str,
        evidence: dict[str, object],
        at: datetime | None = None,
        name: str = "",
    ) -> bytes:
        self.clock += timedelta(microseconds=self.chance.randint(100, 2000))
        event = {
            "id": name or _uuid(self.clock, self.chance.getrandbits(80)),
            "at": _time(at or self.clock),
            "estate": "prod",
            "host": _name(host),
            "remedy": campaign.remedy if campaign else "",
            "revision": 1 if campaign else 0,
            "kind": kind,
            "verdict": verdict,
            "reason": reason,
            "evidence": evidence,
            "actor": self.actor,
            "run": self.run,
            "origin": "awx" if self.actor == "awx-web" else "laptop",
        }
        return json.dumps(event).encode() + b"\n"


_TELLERS: dict[str, Callable[[_Fleet, Campaign, int], Iterator[bytes]]] = {
    "mitigate": _Fleet.mitigate,
    "recheck": _Fleet.recheck,
    "fix": _Fleet.fix,
}


def _name(host: int) -> str:
    return f"web{host:05d}.prod.example.net"


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _uuid(moment: datetime, bits: int) -> str:
    value = int(moment.timestamp() * 1000) << 80 | bits
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
