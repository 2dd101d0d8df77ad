# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""The rules that close a way into this host, and which of them the kernel has. One table of nftables a rule.

This file stands alone (standard library, no sibling): the verifier runs its very source on hosts, which prints the
JSON of {"wanted", "live"} for the parameters on its command line.
"""

import hashlib
import json
import os
import re
import subprocess
import sys

PRIORITY = -10  # before what others filter, after connections are told apart
ICMPV6 = 58  # never dropped: without its neighbour discovery there is no IPv6
SYN = "tcp flags & (fin | syn | rst | ack) == syn"  # understood by nft 0.9 too, which newer ones print otherwise
FLAGS = ["ack", "fin", "rst", "syn"]
HEAD = "filter input %d accept" % PRIORITY


class Unreadable(OSError):
    """The kernel's rules cannot be told; never to be taken for 'none'."""


def name_of(params):
    """The table of a rule: named alike wherever the rule says the same."""
    same = json.dumps(
        [params.get(key) for key in ("protocol", "port", "source")] + [sorted(params.get("except_from") or [])]
    )
    words = [
        params.get("protocol"),
        params.get("port") or params.get("source"),
        hashlib.sha256(same.encode()).hexdigest()[:8],
    ]
    return re.sub(r"[^A-Za-z0-9]+", "_", "_".join(["stopgap"] + [str(word) for word in words if word]))


def rules_of(params):
    """What the chain says, a line a rule, as every `nft` understands it.

    New TCP connections are told by their first packet, not by what the kernel remembers: of a connection that is older
    than these rules it remembers nothing.
    """
    source = saddr(params["source"]) + " " if params.get("source") else ""
    lines = ['iifname "lo" accept', "ct state established,related accept"]
    lines += [saddr(network) + " accept" for network in sorted(params.get("except_from") or [])]
    if params.get("protocol") == "tcp":
        return lines + ["%stcp dport %s %s drop" % (source, params["port"], SYN)]
    if params.get("protocol") == "udp":
        return lines + ["%sudp dport %s drop" % (source, params["port"])]
    lines += ["%s%s drop" % (source, SYN), "meta l4proto 6 accept", "meta l4proto %d accept" % ICMPV6]
    return lines + ["%sdrop" % source]


def saddr(network):
    family, bits = ("ip6", "/128") if ":" in network else ("ip", "/32")
    return "%s saddr %s" % (family, network[: -len(bits)] if network.endswith(bits) else network)


def script_of(params):
    """For `nft -f`: all or nothing, and the same result however often it is loaded."""
    name = name_of(params)
    head = "type filter hook input priority %d; policy accept;" % PRIORITY
    body = "".join("    %s\n" % line for line in [head] + rules_of(params))
    chain = "table inet %s {\n  chain input {\n%s  }\n}\n" % (name, body)
    return "table inet %s\ndelete table inet %s\n%s" % (name, name, chain)


def live(params):
    """The rules that the kernel has in this rule's table, as `rules_of` writes them; None without such a table."""
    name = name_of(params)
    rc, out, err = run(["nft", "-j", "list", "table", "inet", name])
    if rc != 0 and "No such file or directory" in err:
        return None
    try:
        return lines_of(json.loads(out)["nftables"]) if rc == 0 else failed(err or "exit %s" % rc)
    except (ValueError, KeyError, TypeError) as error:
        return failed(str(error))


def failed(reason):
    raise Unreadable("nft cannot list the rules: %s" % reason.strip()[:200])


def run(argv):
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, LC_ALL="C", PATH=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"),
        )
        out, err = child.communicate()
    except OSError as error:
        raise Unreadable("nft cannot be run: %s" % error.strerror)
    return child.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def lines_of(items):
    """Every chain's head but the expected one is told as a line of its own, so that it never looks like ours."""
    chains = [item["chain"] for item in items if "chain" in item]
    heads = ["%s %s %s %s" % tuple(chain.get(key) for key in ("type", "hook", "prio", "policy")) for chain in chains]
    lines = [head for head in heads if head != HEAD] + (["no chain"] if HEAD not in heads else [])
    lines += ["dormant" for item in items if "dormant" in str(item.get("table", {}).get("flags", ""))]
    return lines + [" ".join(worded(part) for part in item["rule"]["expr"]) for item in items if "rule" in item]


def worded(part):
    """One part of a rule as nft prints it; what we never write comes out as JSON, and is never equal to ours."""
    try:
        if "match" in part:
            return matched(part["match"])
        return next(verdict for verdict in ("accept", "drop") if verdict in part)
    except (KeyError, TypeError, StopIteration, ValueError):
        return json.dumps(part, sort_keys=True)


def matched(match):
    left, right = match["left"], match["right"]
    if match["op"] not in ("==", "in"):
        raise ValueError(match["op"])
    if "&" in left:
        payload, mask = left["&"]
        if payload != {"payload": {"protocol": "tcp", "field": "flags"}} or flags_of(mask) != FLAGS or right != "syn":
            raise ValueError(left)
        return SYN
    if "meta" in left:
        key = left["meta"]["key"]
        return '%s "%s"' % (key, right) if key == "iifname" else "meta %s %s" % (key, number_of(right))
    if "ct" in left:
        return "ct %s %s" % (
            left["ct"]["key"],
            ",".join(sorted(right.get("set", right) if isinstance(right, dict) else right)),
        )
    return "%s %s %s" % (left["payload"]["protocol"], left["payload"]["field"], value_of(right))


def flags_of(mask):
    """["fin", "syn"], {"|": ["fin", "syn"]} or, in old versions, {"|": [{"|": …}, "syn"]}"""
    parts = mask["|"] if isinstance(mask, dict) else mask
    return sorted(flag for part in parts for flag in ([part] if isinstance(part, str) else flags_of(part)))


def value_of(right):
    if isinstance(right, dict) and "prefix" in right:
        return "%s/%s" % (right["prefix"]["addr"], right["prefix"]["len"])
    if isinstance(right, dict) and "range" in right:
        return "%s-%s" % tuple(right["range"])
    if isinstance(right, (str, int)):
        return str(right)
    raise ValueError(right)


def number_of(right):
    """Hosts with a list of protocols print names."""
    return {"tcp": 6, "ipv6-icmp": ICMPV6, "icmpv6": ICMPV6}.get(right, right)


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    try:
        sys.stdout.write(json.dumps({"wanted": rules_of(asked), "live": live(asked)}) + "\n")
    except Unreadable as error:
        raise SystemExit(str(error))
