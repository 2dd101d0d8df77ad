"""Asks a web server of this very host: status, headers, certificate, and what of TLS it takes or refuses.

Stands alone (Python 3.6, standard library): the verifier runs its very source on hosts, as `python3 - QUESTION` with
`{url, address, timeout, response, verify, offers}`, which prints the JSON of `answers`.
No proxy is used, no redirect followed, no body read. Each answer is of a connection of its own.
"""

import http.client
import json
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

# What people write: what Python names it in an enumeration, in an old option, and in a connection.
VERSIONS = {
    "SSLv3": ("SSLv3", "OP_NO_SSLv3", "SSLv3"),
    "TLSv1.0": ("TLSv1", "OP_NO_TLSv1", "TLSv1"),
    "TLSv1.1": ("TLSv1_1", "OP_NO_TLSv1_1", "TLSv1.1"),
    "TLSv1.2": ("TLSv1_2", "OP_NO_TLSv1_2", "TLSv1.2"),
    "TLSv1.3": ("TLSv1_3", "OP_NO_TLSv1_3", "TLSv1.3"),
}
ORDER = list(VERSIONS)


class NoAnswer(Exception):
    """The question cannot be asked here, or nothing answers."""


def answers(question):
    """{"response": {"status", "headers"} or {"error"}, "certificate": [word, why], "offers": {NAME: [word, why]}}

    {"error"} where none can be had.
    Words of an offer: accepted, refused, unable (this host's own OpenSSL cannot offer it), unclear. Of a certificate:
    trusted, untrusted, unclear.
    """
    url = urlsplit(question["url"])
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        address = reachable(question["address"] or url.hostname, port, question["timeout"])
    except NoAnswer as error:
        return {"error": str(error)}
    server = Server(url, address, question["timeout"])
    return {
        "response": response(server) if question["response"] else None,
        "certificate": certificate(server) if question["verify"] else None,
        "offers": offers(server, question["offers"]),
    }


class Server:
    def __init__(self, url, address, timeout):
        self.url, self.address, self.timeout = url, address, timeout

    def connect(self):
        family, place = self.address
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(self.timeout)
        try:
            connection.connect(place)
        except OSError:
            connection.close()
            raise
        return connection

    def handshake(self, context):
        """Server names are names: an address is none, but a certificate may be for one."""
        name = None if is_address(self.url.hostname) and not context.check_hostname else self.url.hostname
        plain = self.connect()
        try:
            return context.wrap_socket(plain, server_hostname=name)
        except (OSError, ValueError):
            plain.close()
            raise


def is_address(name):
    return ":" in name or name.replace(".", "").isdigit()


def reachable(name, port, timeout):
    """(family, address): the first of this host's own addresses of that name that takes connections."""
    try:
        found = socket.getaddrinfo(name, port, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswer("%s has no address: %s" % (name, error))
    own = [(one[0], one[4]) for one in found if is_own(one[0], one[4])]
    if not own:
        raise NoAnswer("%s leads to %s, and that is not this host" % (name, found[0][4][0]))
    problem = None
    for address in own:
        try:
            call_itself(address, timeout)
            return address
        except OSError as error:
            problem = "%s port %s: %s" % (address[1][0], port, error.strerror or error)
    raise NoAnswer("nothing answers at %s" % problem)


def is_own(family, place):
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(any_port(place))
            return True
        except OSError:
            return False


def call_itself(address, timeout):
    """From the address to itself: another host, whose address ip_nonlocal_bind lets us bind, takes no such call."""
    family, place = address
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(timeout)
        probe.bind(any_port(place))
        probe.connect(place)


def any_port(place):
    return (place[0], 0) + tuple(place[2:])


def response(server):
    """Its status and headers."""
    try:
        link = server.handshake(context_for(None)) if server.url.scheme == "https" else server.connect()
        with link:
            connection = http.client.HTTPConnection(server.url.netloc)
            connection.sock = link
            target = (server.url.path or "/") + ("?" + server.url.query if server.url.query else "")
            headers = {"Host": server.url.netloc, "Connection": "close", "User-Agent": "stopgap"}
            connection.request("GET", target, headers=headers)
            told = connection.getresponse()
            while 102 <= told.status < 200:  # early hints, which http.client takes for the answer
                told.headers = None
                told.begin()
            return {"status": told.status, "headers": told.getheaders()}
    except (OSError, http.client.HTTPException, ValueError) as error:
        return {"error": "no answer of HTTP: %s" % (error or type(error).__name__)}


def certificate(server):
    """Whether this host's own store trusts it for the name in the URL."""
    if not has_store():
        return ["unclear", "this host has no store of trusted certificates"]
    try:
        server.handshake(ssl.create_default_context()).close()
    except (ssl.SSLError, ssl.CertificateError) as error:
        if isinstance(error, ssl.CertificateError) or error.reason == "CERTIFICATE_VERIFY_FAILED":
            return ["untrusted", getattr(error, "verify_message", "") or str(error)]
        return ["unclear", told(error)]
    except OSError as error:
        return ["unclear", told(error)]
    return ["trusted", "the certificate is trusted"]


def has_store():
    paths = ssl.get_default_verify_paths()
    return bool(paths.cafile or (paths.capath and os.listdir(paths.capath)))


def offers(server, names):
    """A server with which no handshake succeeds at all refuses nothing in particular."""
    if not names:
        return {}
    try:
        server.handshake(context_for(None)).close()
    except OSError as error:
        return {name: ["unclear", "no handshake succeeds at all: %s" % told(error)] for name in names}
    return {name: offer(server, name) for name in names}


def offer(server, name):
    """[word, why] of a version alone, or of a suite alone with every version before TLS 1.3."""
    try:
        context = context_for(name)
        say_hello(context)
    except (ssl.SSLError, ValueError, AttributeError) as error:
        return ["unable", "this host's own %s cannot offer it: %s" % (ssl.OPENSSL_VERSION, told(error))]
    try:
        with server.handshake(context) as link:
            version, cipher = link.version(), link.cipher()[0]
    except OSError as error:
        return ["refused" if is_refusal(error, name) else "unclear", told(error)]
    if (version if name in VERSIONS else cipher) != (VERSIONS[name][2] if name in VERSIONS else name):
        return ["unclear", "%s with %s was made of it" % (version, cipher)]
    return ["accepted", "%s with %s" % (version, cipher)]


def is_refusal(error, name):
    """The server's own alert, and for a version only the one that says so: another may be for want of a cipher."""
    if not isinstance(error, ssl.SSLError):
        return False
    said = (error.reason or str(error)).upper().replace(" ", "_")
    alerts = ["ALERT_PROTOCOL_VERSION"]
    if name not in VERSIONS:
        alerts += ["ALERT_HANDSHAKE_FAILURE", "ALERT_INSUFFICIENT_SECURITY"]
    # It chose an older version, and we had offered one alone.
    return any(alert in said for alert in alerts) or (name in VERSIONS and said == "UNSUPPORTED_PROTOCOL")


def context_for(name):
    """Offers this alone (a version, a suite, None for all), however weak, whatever this host's own policy says."""
    context = ssl.SSLContext(getattr(ssl, "PROTOCOL_TLS_CLIENT", ssl.PROTOCOL_SSLv23))
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    set_ciphers(context, "ALL" if name in VERSIONS or name is None else name)
    if name in VERSIONS:
        limit(context, name, name)
    elif name is not None:
        limit(context, ORDER[1], "TLSv1.2")
        if [one["name"] for one in context.get_ciphers() if not one["name"].startswith("TLS_")] != [name]:
            raise ValueError("no cipher suite of that name")
    else:
        limit(context, ORDER[1], ORDER[-1] if getattr(ssl, "HAS_TLSv1_3", False) else "TLSv1.2")
    return context


def set_ciphers(context, names):
    try:
        context.set_ciphers(names + ":@SECLEVEL=0")
    except ssl.SSLError:  # OpenSSL before 1.1 has no such levels
        context.set_ciphers(names)


def limit(context, lowest, highest):
    if hasattr(context, "minimum_version"):
        context.maximum_version = getattr(ssl.TLSVersion, VERSIONS[highest][0])
        context.minimum_version = getattr(ssl.TLSVersion, VERSIONS[lowest][0])
        return
    inside = ORDER[ORDER.index(lowest) : ORDER.index(highest) + 1]  # Python 3.6
    for version, (_enum, option, _name) in VERSIONS.items():
        if version not in inside:
            context.options |= getattr(ssl, option, 0)
        elif version == "SSLv3":  # Python forbids it from the start
            context.options &= ~ssl.OP_NO_SSLv3


def say_hello(context):
    """Raises what keeps this host from offering it, before any server is asked."""
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        if not outgoing.pending:
            raise ValueError("nothing is sent")


def told(error):
    return str(getattr(error, "reason", None) or (error.args and error.args[-1]) or type(error).__name__)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answers(json.loads(sys.argv[1]))) + "\n")
