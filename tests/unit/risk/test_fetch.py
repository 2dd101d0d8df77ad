"""Feeds from files and from a server of the test's own."""

import gzip
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stopgap.risk.errors import BadFeed, FeedUnavailable
from stopgap.risk.fetch import _Redirects, fetch, shown


class Answers(BaseHTTPRequestHandler):
    """What a path of the server answers; `/to?URL` sends the client there."""

    def do_GET(self):
        path, _, query = self.path.partition("?")
        getattr(self, f"answer_{path[1:]}")(query)

    def answer_good(self, _query):
        self.reply(200, b"data")

    def answer_to(self, query):
        self.reply(302, b"", Location=query)

    def answer_gone(self, _query):
        self.reply(404, b"no such page")

    def answer_cut(self, _query):
        self.reply(200, b"half", **{"Content-Length": "1000"})

    def answer_endless(self, _query):
        self.send_response(200)
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"x" * 1024)

    def answer_drip(self, _query):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x")
            time.sleep(0.02)

    def answer_drip_of_headers(self, _query):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            self.wfile.write(b"x")
            time.sleep(0.02)

    def answer_not_yet(self, _query):
        while True:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            time.sleep(0.02)

    def answer_astray(self, _query):
        """A redirect whose own text has no end."""
        self.send_response(302)
        self.send_header("Location", "/good")
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 1024)
            time.sleep(0.001)

    def answer_nowhere(self, _query):
        self.reply(302, b"")

    def answer_painted(self, _query):
        self.wfile.write(b"HTTP/1.1 404 \x1b[31mno\x1b]0;x\x07" + b"!" * 5000 + b"\r\n\r\n")

    def answer_nonsense(self, _query):
        self.wfile.write(b"\x1b[31mno\r\n\r\n")

    def answer_silent(self, _query):
        self.server.stop.wait()

    def reply(self, code, body, **headers):
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that hangs up is what some tests are about."""


@pytest.fixture(scope="module")
def server():
    with Quiet(("127.0.0.1", 0), Answers) as made:
        made.stop = threading.Event()
        threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.stop.set()
        made.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


def test_a_url_and_a_redirect_to_another(server):
    assert fetch(f"{server}/good") == b"data"
    assert fetch(f"{server}/to?{server}/good") == b"data"


@pytest.mark.parametrize(
    ("target", "sentence"), [("file:///etc/passwd", "not allowed"), ("ftp://127.0.0.1/x", "from http to ftp://127")]
)
def test_a_redirect_to_another_kind_of_address_is_not_followed(server, target, sentence):
    with pytest.raises(FeedUnavailable, match=sentence):
        fetch(f"{server}/to?{target}")


def test_a_redirect_never_leaves_tls():
    request = urllib.request.Request("https://host/feed")
    with pytest.raises(FeedUnavailable, match="sends us from https to http://host/feed: not followed"):
        _Redirects().redirect_request(request, None, 302, "", {}, "http://host/feed")
    assert _Redirects().redirect_request(request, None, 302, "", {}, "https://other/feed").full_url


def test_a_redirect_never_ends(server):
    with pytest.raises(FeedUnavailable):
        fetch(f"{server}/to?/to?/to")


@pytest.mark.parametrize(
    ("path", "sentence", "limits"),
    [
        ("gone", "the server answers 404", {}),
        ("nowhere", "the server answers 302", {}),
        ("cut", "ended after 4 of 1000 bytes", {}),
        ("endless", "more than 1000 bytes, which no feed is", {"most": 1000}),
        ("drip", "too slow", {"seconds": 0.2}),
        ("drip_of_headers", "too slow", {"seconds": 0.2}),
        ("not_yet", "too slow", {"seconds": 0.2}),
        ("silent", "timed out", {"seconds": 0.2}),
    ],
)
def test_a_server_that_fails(server, path, sentence, limits):
    with pytest.raises(FeedUnavailable, match=sentence):
        fetch(f"{server}/{path}", **limits)


def test_the_text_of_a_redirect_is_not_read(server):
    assert fetch(f"{server}/astray", seconds=5) == b"data"


@pytest.mark.parametrize("path", ["painted", "nonsense"])
def test_a_server_does_not_drive_the_terminal(server, path):
    with pytest.raises(FeedUnavailable) as raised:
        fetch(f"{server}/{path}")
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("gopher://host/x", "cannot fetch by gopher"),
        ("https://ann:secret@host/x", "a user or password in it is not fetched"),
        ("http://127.0.0.1:1/x", "refused"),
        ("http://[::1/x", "not a URL"),
        ("http:///x", "no host"),
        ("file://host/x", "three slashes"),
        ("/no/such/file", "No such file"),
        ("/dev/zero", "not a file"),
        ("/", "not a file"),
    ],
)
def test_a_source_that_cannot_be_read(source, sentence):
    with pytest.raises(FeedUnavailable, match=sentence) as raised:
        fetch(source)
    assert "secret" not in str(raised.value)


def test_a_server_whose_certificate_nobody_knows(server):
    with pytest.raises(FeedUnavailable, match="SSL"):
        fetch(server.replace("http:", "https:") + "/good")


def test_files_and_their_urls(tmp_path):
    file = tmp_path / "a feed.json"
    file.write_bytes(b"data")
    assert fetch(str(file)) == fetch(file.as_uri()) == b"data"
    with pytest.raises(FeedUnavailable, match="more than 3 bytes"):
        fetch(str(file), most=3)


def test_packed_files_are_unpacked_within_bounds(tmp_path):
    file = tmp_path / "scores.csv"
    packed = gzip.compress(b"x" * 100_000)
    for data, sentence in ((packed, "more than 1000 bytes when unpacked"), (packed[:-9], "ends too soon")):
        file.write_bytes(data)
        with pytest.raises(BadFeed, match=sentence):
            fetch(str(file), most=1000 if data == packed else 200_000)
    file.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(BadFeed, match="broken gzip"):
        fetch(str(file))
    file.write_bytes(packed)
    assert fetch(str(file)) == b"x" * 100_000


def test_a_packed_file_of_several_parts_is_read_to_its_end(tmp_path):
    file = tmp_path / "scores.csv"
    parts = [gzip.compress(b"one\n"), gzip.compress(b"two\n")]
    file.write_bytes(b"".join(parts))
    assert fetch(str(file)) == b"one\ntwo\n"
    file.write_bytes(parts[0] + parts[1][:-5])
    with pytest.raises(BadFeed, match="ends too soon"):
        fetch(str(file))
    file.write_bytes(parts[0] + b"nonsense")
    with pytest.raises(BadFeed, match="broken gzip"):
        fetch(str(file))
    file.write_bytes(gzip.compress(b"x" * 600) * 2)
    with pytest.raises(BadFeed, match="more than 1000 bytes when unpacked"):
        fetch(str(file), most=1000)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("/feeds/kev.json", "/feeds/kev.json"),
        ("https://ann:secret@host:8443/kev.json?token=secret#secret", "https://host:8443/kev.json?…"),
        ("https://[secret", "that URL"),
    ],
)
def test_a_source_is_told_without_secrets(source, told):
    assert shown(source) == told
