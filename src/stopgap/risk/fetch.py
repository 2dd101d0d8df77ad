"""A feed's bytes from a file or a URL: bounded in size and time, and never by way of another kind of address."""

import gzip
import http.client
import io
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import SplitResult, unquote, urlsplit

import stopgap
from stopgap.ledger.events import clean
from stopgap.risk.errors import BadFeed, FeedUnavailable

MOST_BYTES = 64 * 1024 * 1024  # packed or not; EPSS, the largest, has about 10 MB of text
SILENCE = 30.0  # seconds a server may be silent
MOST_SECONDS = 300.0
STEP = 64 * 1024
GZIP = b"\x1f\x8b"
SAID = 200  # characters of a server's own words


def fetch(source: str, *, most: int = MOST_BYTES, seconds: float = MOST_SECONDS) -> bytes:
    """What a path, or an http, https or file URL holds, unpacked. Raises FeedUnavailable or BadFeed."""
    url = as_url(source)
    if url is None or url.scheme == "file":
        data = _read_file(Path(source) if url is None else _local(url), most)
    else:
        data = _read_url(source, most, seconds)
    return unpacked(data, most) if data.startswith(GZIP) else data


def shown(source: str) -> str:
    """A source as it is named and kept: without what may be a secret."""
    try:
        url = as_url(source)
    except FeedUnavailable:
        return "that URL"
    if url is None:
        return source
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{host}{url.path}" + ("?…" if url.query else "")


def as_url(source: str) -> SplitResult | None:
    """None for a path."""
    if "://" not in source and not source.startswith("file:"):
        return None
    try:
        return urlsplit(source)
    except ValueError as error:
        raise FeedUnavailable(f"not a URL: {error}") from None


def unpacked(data: bytes, most: int) -> bytes:
    """The text of a .gz, whatever its name and of however many parts: no more of it is unpacked than `most`."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            text = packed.read(most + 1)
    except EOFError:
        raise BadFeed("the gzip data ends too soon: is it cut?") from None
    except (OSError, zlib.error) as error:
        raise BadFeed(f"broken gzip data ({error})") from None
    if len(text) > most:
        raise BadFeed(f"more than {_size(most)} when unpacked")
    return text


def _local(url: SplitResult) -> Path:
    if url.netloc not in ("", "localhost"):
        raise FeedUnavailable(f"{url.geturl()}: a file URL has three slashes, file:///path/to/file")
    return Path(unquote(url.path))


def _read_file(path: Path, most: int) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise FeedUnavailable("not a file")
        with path.open("rb") as file:
            data = file.read(most + 1)
    except FeedUnavailable:
        raise
    except (OSError, ValueError) as error:
        raise FeedUnavailable(getattr(error, "strerror", None) or str(error)) from None
    _check_size(data, most)
    return data


def _read_url(source: str, most: int, seconds: float) -> bytes:
    url = urlsplit(source)
    if url.scheme not in ("http", "https"):
        raise FeedUnavailable(f"cannot fetch by {url.scheme}: give a file, or an http, https or file URL")
    if url.username is not None:
        raise FeedUnavailable("a URL with a user or password in it is not fetched: fetch the file, and give its path")
    request = urllib.request.Request(source, headers={"User-Agent": f"stopgap/{stopgap.__version__}"})  # noqa: S310
    return _within(seconds, lambda: _answer(request, most, seconds))


def _within(seconds: float, work: Callable[[], bytes]) -> bytes:
    """Time limits of sockets are those of one silence: names, TLS, headers and redirects may drip as well."""
    done: list[bytes | BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # raised below, by whoever waits
            done.append(error)

    worker = threading.Thread(target=run, daemon=True)  # what is not done in time ends with the process
    worker.start()
    worker.join(seconds)
    found = done[0] if done else FeedUnavailable("timed out: the server is too slow")
    if isinstance(found, BaseException):
        raise found
    return found


def _answer(request: urllib.request.Request, most: int, seconds: float) -> bytes:
    until = time.monotonic() + seconds
    try:
        with _opener().open(request, timeout=min(SILENCE, seconds)) as answer:
            return _read_answer(answer, most, until)
    except FeedUnavailable:
        raise
    except urllib.error.HTTPError as error:
        error.close()
        raise FeedUnavailable(f"the server answers {error.code} {clean(str(error.reason), SAID)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise FeedUnavailable(clean(str(reason).strip(), SAID) or type(error).__name__) from None


def _read_answer(answer: Any, most: int, until: float) -> bytes:
    data = bytearray()
    while part := answer.read1(STEP):
        data += part
        _check_size(data, most)
        if time.monotonic() > until:
            raise FeedUnavailable("the server is too slow")
    told = answer.headers.get("Content-Length")
    if told is not None and told.isdigit() and int(told) != len(data):
        raise FeedUnavailable(f"the connection ended after {len(data)} of {told} bytes")
    return bytes(data)


def _check_size(data: bytes | bytearray, most: int) -> None:
    if len(data) > most:
        raise FeedUnavailable(f"more than {_size(most)}, which no feed is")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """To the same kind of address or from http to https: never to a file, and never out of TLS."""

    def http_error_302(self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any) -> Any:
        fp.close()  # else what comes with a redirect would be read to its end, if it has one
        return super().http_error_302(req, io.BytesIO(), code, msg, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in (req.type, "https"):
            raise FeedUnavailable(f"the server sends us from {req.type} to {shown(newurl)}: not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Only what is needed: urllib's usual opener would also read files and ftp."""
    opener = urllib.request.OpenerDirector()
    handlers: list[Callable[[], urllib.request.BaseHandler]] = [
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        lambda: urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        _Redirects,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
    ]
    for handler in handlers:
        opener.add_handler(handler())
    return opener


def _size(count: int) -> str:
    return f"{count // 2**20} MiB" if count >= 2**20 else f"{count} bytes"
