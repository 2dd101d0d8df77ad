"""The rules that are written, the rules that are read back, and whom they would lock out; a real nft is asked in
tests/e2e/test_taken_away_lab.py."""

import json
import os
from pathlib import Path

import pytest
import yaml

from ansible_collections.stopgap.remediation.plugins.module_utils import nft
from ansible_collections.stopgap.remediation.plugins.module_utils.actions import firewall
from ansible_collections.stopgap.remediation.plugins.module_utils.actions.firewall import Firewall
from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/firewall/rules.yml").read_text())
LISTED = Path(__file__).parents[2] / "cases/firewall/listed.json"


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_firewall_rules(case):
    assert nft.rules_of(case["params"]) == case["rules"]


def test_the_order_of_exceptions_does_not_make_another_rule():
    first, second = (
        {"source": "192.0.2.0/24", "except_from": list(nets)}
        for nets in (("::1/128", "10.0.0.0/8"), ("10.0.0.0/8", "::1/128"))
    )
    assert nft.name_of(first) == nft.name_of(second)
    assert nft.script_of(first) == nft.script_of(second)
    assert nft.name_of(first) != nft.name_of({"source": "192.0.2.0/24", "except_from": []})


def listed():
    """What nft 1.0.6 of Debian 12 lists of a chain with every kind of rule."""
    return json.loads(LISTED.read_text())["nftables"]


def test_what_the_kernel_has_is_read_as_it_was_written():
    assert nft.lines_of(listed()) == [
        'iifname "lo" accept',
        "ct state established,related accept",
        "ip saddr 10.0.0.0/8 accept",
        "ip saddr 10.1.2.3 accept",
        "ip6 saddr 2001:db8::/32 accept",
        "tcp dport 8000-8010 tcp flags & (fin | syn | rst | ack) == syn drop",
        "ip saddr 192.0.2.0/24 tcp dport 631 tcp flags & (fin | syn | rst | ack) == syn drop",
        "udp dport 631 drop",
        "ip6 saddr 2001:db8::/32 tcp flags & (fin | syn | rst | ack) == syn drop",
        "meta l4proto 6 accept",
        "meta l4proto 58 accept",
        "ip6 saddr 2001:db8::/32 drop",
    ]


@pytest.mark.parametrize(
    "mask",
    [
        {"|": [{"|": [{"|": ["fin", "syn"]}, "rst"]}, "ack"]},  # 0.9.8 of Debian 11
        ["fin", "syn", "rst", "ack"],  # 1.0.6 of Debian 12
        {"|": ["fin", "syn", "rst", "ack"]},  # 1.1.3 of Debian 13
    ],
    ids=["0.9.8", "1.0.6", "1.1.3"],
)
def test_every_version_has_its_own_way_of_listing_flags(mask):
    left = {"&": [{"payload": {"protocol": "tcp", "field": "flags"}}, mask]}
    assert nft.worded({"match": {"op": "==", "left": left, "right": "syn"}}) == nft.SYN
    assert nft.worded({"match": {"op": "==", "left": left, "right": "ack"}}) != nft.SYN


def changed(items, act):
    for item in items:
        act(item)
    return nft.lines_of(items)


@pytest.mark.parametrize(
    "act",
    [
        lambda item: item.get("chain", {}).update(policy="drop"),
        lambda item: item.get("chain", {}).update(hook="output"),
        lambda item: item.get("chain", {}).update(prio=10),
        lambda item: item.get("table", {}).update(flags="dormant"),
        lambda item: item.get("rule", {}).get("expr", [{}]).insert(0, {"limit": {"rate": 1, "per": "second"}}),
        lambda item: [
            part["match"].update(op="!=") for part in item.get("rule", {}).get("expr", []) if "match" in part
        ],
    ],
    ids=["policy", "hook", "priority", "dormant", "limit", "negated"],
)
def test_p04_rules_that_somebody_changed_are_not_ours(act):
    assert changed(listed(), act) != nft.lines_of(listed())


def test_p04_an_nft_that_fails_is_not_an_open_port(monkeypatch):
    params = {"protocol": "tcp", "port": "631"}
    monkeypatch.setattr(nft, "run", lambda argv: (1, "", "Error: No such file or directory\nlist table inet x"))
    assert nft.live(params) is None
    for answer in ((1, "", "Error: Operation not permitted"), (0, "no json", ""), (0, "{}", "")):
        monkeypatch.setattr(nft, "run", lambda argv, answer=answer: answer)
        with pytest.raises(nft.Unreadable):
            nft.live(params)


PEER = ("198.51.100.7", 22)


@pytest.mark.parametrize(
    ("params", "peer", "blocked"),
    [
        ({"protocol": "tcp", "port": "22"}, PEER, True),
        ({"protocol": "tcp", "port": 22}, PEER, True),
        ({"protocol": "tcp", "port": "20-30"}, PEER, True),
        ({"protocol": "tcp", "port": "23-30"}, PEER, False),
        ({"protocol": "udp", "port": "22"}, PEER, False),
        ({"protocol": "tcp", "port": "22", "except_from": ["198.51.100.0/24"]}, PEER, False),
        ({"protocol": "tcp", "port": "22", "except_from": ["2001:db8::/32"]}, PEER, True),
        ({"protocol": "tcp", "port": "22", "source": "203.0.113.0/24"}, PEER, False),
        ({"source": "198.51.100.0/24"}, PEER, True),
        ({"source": "::/0"}, PEER, False),
        ({"source": "::/0"}, ("2001:db8::7", 22), True),
        ({"source": "0.0.0.0/0"}, ("127.0.0.1", 22), False),
    ],
    ids=str,
)
def test_who_would_be_locked_out(params, peer, blocked):
    assert firewall.blocks(params, *peer) is blocked


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   {}: {} {} {} 00000000:00000000 02:000A0000 00000000     0        0 {} 2 0000000000000000 20 4 31 10 -1\n"


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """sshd listens (inode 10), has two sessions (11, and 12 over IPv6) and nginx has one (20)."""
    monkeypatch.setattr(firewall, "PROC", str(tmp_path))
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    (tmp_path / "net").mkdir()
    rows = [
        ROW.format(0, "00000000:0016", "00000000:0000", "0A", 10),
        ROW.format(1, "0201A8C0:0016", "076433C6:D431", "01", 11),
        ROW.format(2, "0201A8C0:0050", "086433C6:D432", "01", 20),
    ]
    (tmp_path / "net/tcp").write_text(HEAD + "".join(rows))
    six = ROW.format(0, "B80D0120000000000000000001000000:0016", "B80D0120000000000000000007000000:D433", "01", 12)
    mapped = ROW.format(1, "0000000000000000FFFF00000201A8C0:0016", "0000000000000000FFFF0000096433C6:D434", "01", 13)
    (tmp_path / "net/tcp6").write_text(HEAD + six + mapped)
    for pid, comm, inodes in ((1, "sshd", (10, 11)), (2, "sshd-session", (12, 13)), (3, "nginx", (20,))):
        (tmp_path / f"{pid}/fd").mkdir(parents=True)
        (tmp_path / f"{pid}/comm").write_text(comm + "\n")
        for inode in inodes:
            (tmp_path / f"{pid}/fd/{inode}").symlink_to(f"socket:[{inode}]")
    (tmp_path / "4").mkdir()
    (tmp_path / "4/comm").write_bytes(
        "Überwachungsdienst".encode()[:1] + b"\n"
    )  # cut within a letter, as the kernel cuts
    return tmp_path


def test_who_is_logged_in(proc, monkeypatch):
    peers = {("198.51.100.7", 22), ("2001:db8::7", 22), ("198.51.100.9", 22)}
    assert firewall.ssh_peers() == peers
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.5 50000 192.168.1.2 2222")
    assert firewall.ssh_peers() == peers | {("203.0.113.5", 2222)}


def test_who_is_logged_in_is_named_in_the_refusal(proc):
    with pytest.raises(ActionError, match=r"would lock out 198.51.100.7, who is logged in by ssh on port 22 now"):
        firewall.refuse_to_cut_off(
            {"protocol": "tcp", "port": "22", "except_from": ["2001:db8::/32", "198.51.100.9/32"]}
        )
    firewall.refuse_to_cut_off({"protocol": "tcp", "port": "22", "except_from": ["2001:db8::/32", "198.51.100.0/24"]})


def test_without_nft_there_is_a_way_out(monkeypatch, proc):
    monkeypatch.setattr(firewall.shutil, "which", lambda name, path: None)
    with pytest.raises(ActionError, match="install nftables"):
        Firewall({"protocol": "tcp", "port": "631"}).capture(None)


def test_names_are_fit_for_nft_and_systemd():
    found = Firewall({"protocol": "tcp", "port": "8000-8010", "source": "2001:db8::/32"})
    assert found.table.startswith("stopgap_tcp_8000_8010_")
    assert all(char.isalnum() or char == "_" for char in found.table)
    assert found.units["boot"] == found.table.replace("_", "-") + ".service"
    assert os.path.basename(found.files["rules"].path) == found.table + ".nft"


def test_what_closes_nothing_is_refused():
    with pytest.raises(ActionError, match="closes nothing"):
        Firewall({"except_from": ["10.0.0.0/8"]})
