"""Reading from HTTP servers: streamed, bounded, and without handing credentials on."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from email.message import Message
from typing import IO, Any

from mainspring.records.errors import MainspringError

CHUNK = 1 << 20
PATIENCE = 60.0
"""Seconds that a server may keep silent."""


class FetchError(MainspringError):
    """A server can't be reached, refuses, or breaks off."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to something that others can read on the way."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: http.client.HTTPMessage, newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme != "https"):
            raise FetchError(f"{shown(req.full_url)} leads to {shown(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_opener = urllib.request.build_opener(_Redirects())


class Answer:
    """What a server sends: `headers`, and the content, once."""

    def __init__(self, url: str, response: Any) -> None:
        self.url = url
        self.headers: Message = response.headers
        self._response = response

    def copy_to(self, write: Callable[[bytes], object], *, most: int | None = None) -> int:
        """Hand on the content in chunks; return how many bytes that were. Raises FetchError when
        it ends too soon, or is more than `most`."""
        length = self.headers.get("Content-Length")
        total = 0
        while True:
            try:
                chunk: bytes = self._response.read(CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise FetchError(f"{shown(self.url)} broke off: {error}") from error
            if not chunk:
                break
            total += len(chunk)
            if most is not None and total > most:
                raise FetchError(f"{shown(self.url)} has more than {most:,} bytes")
            write(chunk)
        if length is not None and length.isdecimal() and total != int(length):
            raise FetchError(
                f"{shown(self.url)} broke off after {total:,} of {int(length):,} bytes",
                hint="try again",
            )
        return total

    def read(self, most: int) -> bytes:
        """All of the content, which may not be more than `most` bytes."""
        parts: list[bytes] = []
        self.copy_to(parts.append, most=most)
        return b"".join(parts)


class RefusedError(FetchError):
    """The server answered with another status than success."""

    def __init__(self, url: str, error: urllib.error.HTTPError) -> None:
        super().__init__(f"{shown(url)}: the server answered {error.code} {error.reason}")
        self.status = error.code
        self.headers: Message = error.headers


@contextmanager
def get(
    url: str, headers: Mapping[str, str] = {}, authorization: str | None = None
) -> Generator[Answer]:
    """Ask for a URL. `authorization` is for its own server, and is not sent to where that leads.
    Raises FetchError, RefusedError."""
    bare, own = split_credentials(url)
    request = urllib.request.Request(bare, headers={"User-Agent": "mainspring", **headers})  # noqa: S310
    sent = authorization or own
    if sent is not None:
        request.add_unredirected_header("Authorization", sent)
    try:
        response = _opener.open(request, timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(bare, error) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise FetchError(f"{shown(bare)} can't be reached: {reason}") from None
    with response:
        yield Answer(bare, response)


def split_credentials(url: str) -> tuple[str, str | None]:
    """Return a URL without user and password, and the header that says them. Raises FetchError."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError as error:
        raise FetchError(f"the URL can't be read: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise FetchError(f"{shown(url)} is no http(s) URL")
    if any(sign <= " " or sign == "\x7f" for sign in url):
        raise FetchError(f"the URL {shown(url)!r} has a space or control character")
    name = f"[{host}]" if ":" in host else host
    bare = urllib.parse.urlunsplit(parts._replace(netloc=name + port))
    if parts.username is None:
        return bare, None
    pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
    return bare, "Basic " + base64.b64encode(pair.encode()).decode()


def shown(url: str) -> str:
    """A URL as people may see it and records may hold it: no user, password, query or fragment."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return "the URL"
    place = parts.netloc.rpartition("@")[2]
    return urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))


def is_loopback(host: str) -> bool:
    """Whether a host's name means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
