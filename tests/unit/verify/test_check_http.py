"""A real web server of this machine, asked over a real agent."""

import datetime
import http.server
import ipaddress
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from tests.unit.verify.asking import ask, word

from stopgap.verify.backend import open_host
from stopgap.verify.checks.on_host import web


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/early":
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 2)
        self.send_response(302 if self.path == "/old" else 200)
        self.send_header("Location", "http://192.0.2.1/")
        self.send_header("X-Asked", f"{self.path} of {self.headers['Host']}")
        self.send_header("X-Twice", "one")
        self.send_header("X-Twice", "two")
        self.end_headers()
        try:
            while self.path == "/endless":
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def log_message(self, *_words):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    context = None

    def finish_request(self, request, client_address):
        """In its own thread: a handshake that fails is no affair of the others."""
        if self.context:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, client_address)
        request.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(9))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    parts = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(*parts) + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def serve(certificate):
    """The URL of a server; with versions, of TLS."""
    started = []

    def start(lowest=None, highest=None, ciphers="DEFAULT:@SECLEVEL=0"):
        server = Server(("127.0.0.1", 0), Pages)
        if lowest:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            context.set_ciphers(ciphers)
            context.minimum_version, context.maximum_version = lowest, highest
            server.context = context
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        started.append(server)
        return f"http{'s' if lowest else ''}://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("path", "params", "verdict", "said"),
    [
        ("/a?b=c", {"status": 200, "header": {"x-asked": {"matches": r"^/a\?b=c of 127"}}}, "pass", "status 200"),
        ("", {"status": [200, 404]}, "pass", "200"),
        ("/", {"status": 404}, "fail", "status 200, not 404"),
        ("/old", {"status": 302}, "pass", "302"),  # not followed: nothing answers at 192.0.2.1
        ("/early", {"status": 200, "header": {"Link": {"exists": False}}}, "pass", "status 200"),
        (
            "/early",
            {"header": {"X-Twice": {"exists": False}}},
            "fail",
            "one, two",
        ),  # p04: what comes first is no answer
        ("/endless", {"status": 200}, "pass", "200"),  # nobody reads it
        ("/", {"header": {"Server": {"lacks": "BaseHTTP"}}}, "fail", "Server: BaseHTTP"),
        ("/", {"header": {"X-Twice": {"has": "two", "lacks_match": "^three"}}}, "pass", "one, two"),
        ("/", {"header": {"X-None": {"lacks": "x"}}}, "pass", "no header X-None"),
        ("/", {"header": {"X-None": {"has": "x"}}}, "fail", "no header X-None"),
        ("/", {"header": {"X-None": {"exists": True}}}, "fail", "no header X-None"),
        ("/", {"header": {"X-Twice": {"exists": False}}}, "fail", "one, two"),
    ],
    ids=str,
)
def test_status_and_headers(host, serve, path, params, verdict, said):
    found = ask(host, "http", {"url": serve() + path, **params})
    assert (found[0], said in found[1]) == (verdict, True), found


def test_a_proxy_of_the_host_is_not_asked(local, serve):
    env = ["/usr/bin/env", "http_proxy=http://127.0.0.1:9", "HTTP_PROXY=http://127.0.0.1:9"]
    proxied = open_host("proxied", {**local, "argv": [*env, *local["argv"]]}, 10)
    assert word(proxied, "http", {"url": serve(), "status": 200}) == "pass"
    proxied.backend.close()


@pytest.mark.parametrize("name", ["web.example", "[fd00::a]"])
def test_an_address_stands_in_for_a_name_that_leads_elsewhere(host, serve, name):
    url = serve().replace("127.0.0.1", name)
    params = {"url": url, "address": "127.0.0.1", "header": {"X-Asked": {"has": f"/ of {name}:"}}}
    assert ask(host, "http", params) == ("pass", f"X-Asked: / of {url.removeprefix('http://')}")


def test_p04_what_does_not_answer_as_a_server_of_this_host_is_unknown(host):
    for url in ("http://192.0.2.1/", "https://192.0.2.1/"):
        assert ask(host, "http", {"url": url, "status": 200}) == (
            "unknown", "192.0.2.1 leads to 192.0.2.1, and that is not this host",
        )  # fmt: skip
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{nobody.getsockname()[1]}/"
        for params in ({"status": 200}, {"refuses": ["TLSv1.0"]}, {"verify": True}):
            verdict, reason = ask(host, "http", {"url": url, **params})
            assert verdict == "unknown"
            assert "Connection refused" in reason


VERSION = ssl.TLSVersion
OLD, NEW, BOTH = (VERSION.TLSv1_2, VERSION.TLSv1_2), (VERSION.TLSv1_3,) * 2, (VERSION.TLSv1_2, VERSION.TLSv1_3)


@pytest.mark.parametrize(
    ("versions", "offer", "taken"),
    [
        (OLD, "TLSv1.2", True),
        (OLD, "TLSv1.3", False),
        (NEW, "TLSv1.2", False),
        (NEW, "TLSv1.3", True),
        (BOTH, "TLSv1.1", False),
        (BOTH, "ECDHE-RSA-AES256-GCM-SHA384", True),
        (BOTH, "ECDHE-RSA-AES128-GCM-SHA256", False),
        (NEW, "ECDHE-RSA-AES256-GCM-SHA384", False),
    ],
    ids=str,
)
def test_what_of_tls_is_taken_and_what_refused(host, serve, versions, offer, taken):
    url = serve(*versions, ciphers="ECDHE-RSA-AES256-GCM-SHA384:AES256-SHA:@SECLEVEL=0")
    assert word(host, "http", {"url": url, "accepts": [offer]}) == ("pass" if taken else "fail")
    assert word(host, "http", {"url": url, "refuses": [offer]}) == ("fail" if taken else "pass")


def test_p04_what_this_host_cannot_offer_is_unknown_and_never_refused(host, serve):
    url = serve(*BOTH)
    for offer in ("NO-SUCH-SUITE", "TLS_AES_128_GCM_SHA256", "HIGH", "AES128", "TLSv9"):
        verdict, reason = ask(host, "http", {"url": url, "refuses": [offer]})
        assert verdict == "unknown", (offer, reason)
        assert "cannot offer it" in reason
    assert word(host, "http", {"url": url, "refuses": ["NO-SUCH-SUITE", "TLSv1.2"]}) == "fail"
    assert word(host, "http", {"url": url, "refuses": ["NO-SUCH-SUITE"], "accepts": ["TLSv1.2"]}) == "unknown"


def test_p04_a_server_that_speaks_no_tls_refuses_nothing(host, serve):
    url = serve().replace("http:", "https:")
    assert word(host, "http", {"url": url, "refuses": ["TLSv1.0"]}) == "unknown"
    assert word(host, "http", {"url": url, "status": 200}) == "unknown"


@pytest.mark.parametrize(
    ("reason", "version", "suite"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", True, True),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", False, True),  # of a version offered alone: maybe for want of a cipher
        ("TLSV1_ALERT_INTERNAL_ERROR", False, False),
        ("UNEXPECTED_EOF_WHILE_READING", False, False),
        ("WRONG_VERSION_NUMBER", False, False),
        ("UNSUPPORTED_PROTOCOL", True, False),
    ],
)
def test_p04_only_a_servers_own_word_is_a_refusal(reason, version, suite):
    error = ssl.SSLError(1, reason)
    error.reason = reason
    assert web.is_refusal(error, "TLSv1.1") is version
    assert web.is_refusal(error, "AES128-SHA") is suite
    assert not web.is_refusal(ConnectionResetError(), "TLSv1.1")


def test_a_certificate_is_judged_by_the_hosts_own_store(local, serve, certificate):
    params = {"url": serve(*BOTH), "verify": True}
    for store, verdict in ((certificate, "pass"), ("/dev/null", "fail")):
        argv = ["/usr/bin/env", f"SSL_CERT_FILE={store}", *local["argv"]]
        host = open_host("trusting", {**local, "argv": argv}, 10)
        assert word(host, "http", params) == verdict
        host.backend.close()
