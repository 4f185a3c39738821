"""Reading from a server: what it says is not believed, and nobody is told a password of another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.services.web import Reply, Web

from mainspring.storage.fetching import FetchError, get, is_loopback, shown


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        yield server


def fetched(url: str, most: int = 1 << 20) -> bytes:
    with get(url) as answer:
        return answer.read(most)


def test_content_is_read(web: Web) -> None:
    web.pages["/a"] = Reply(b"x" * 3_000_000)
    assert fetched(f"{web.url}/a", 3_000_000) == b"x" * 3_000_000
    with pytest.raises(FetchError, match="more than 2,000,000 bytes"):
        fetched(f"{web.url}/a", 2_000_000)


def test_what_breaks_off_is_no_content(web: Web) -> None:
    web.pages["/a"] = Reply(b"half", length=8)
    with pytest.raises(FetchError, match="broke off"):
        fetched(f"{web.url}/a")


def test_errors_name_the_server_but_no_password(web: Web) -> None:
    with pytest.raises(FetchError, match="answered 404") as caught:
        fetched(f"http://ann:secret@{web.host}/nope?token=secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(FetchError, match="can't be reached") as caught:
        fetched("http://ann:secret@127.0.0.1:1/a")
    assert "secret" not in str(caught.value)
    for url in ("file:///etc/passwd", "http://", "http://[", "http://a b/", "ftp://a/b"):
        with pytest.raises(FetchError):
            fetched(url)


def test_a_password_is_not_sent_to_where_a_server_leads(web: Web) -> None:
    with Web() as other:
        other.pages["/b"] = Reply(b"there")
        web.pages["/a"] = Reply(status=302, headers={"Location": f"{other.url}/b"})
        assert fetched(f"http://ann:secret@{web.host}/a") == b"there"
        assert web.asked[0][1]["Authorization"].startswith("Basic ")
        assert "Authorization" not in other.asked[0][1]


def test_a_redirect_leads_to_http_servers_only(web: Web) -> None:
    web.pages["/a"] = Reply(status=302, headers={"Location": "file:///etc/passwd"})
    with pytest.raises(FetchError):
        fetched(f"{web.url}/a")


def test_what_is_shown_of_a_url() -> None:
    assert shown("https://u:p@h:1/a/b?x=1#y") == "https://h:1/a/b"
    assert is_loopback("127.0.0.2")
    assert is_loopback("localhost")
    assert is_loopback("[::1]")
    assert not is_loopback("example.org")
