# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""`sysctl {name, value}`: the kernel's live value. A setting that this kernel lacks cannot be told."""


def probe(params):
    name, wanted = params["name"], " ".join(str(params["value"]).split())
    try:
        with open(path_of(name), encoding="ascii", errors="replace") as handle:
            value = " ".join(handle.read().split())
    except OSError as error:
        return None, f"{name}: {error.strerror}"
    return value == wanted, f"{name} is {value}" + ("" if value == wanted else f", not {wanted}")


def path_of(name):
    """As sysctl(8): the first separator decides, so that net/ipv4/conf/eth0.1/x keeps its dot."""
    dot, slash = name.find("."), name.find("/")
    if slash == -1 or -1 < dot < slash:
        name = name.translate({ord("."): "/", ord("/"): "."})
    return f"/proc/sys/{name}"
