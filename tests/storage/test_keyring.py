"""The keys of a person: made, used, trusted, and refused when others can read them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mainspring.records.errors import ConflictError, MainspringError, NotFoundError
from mainspring.storage import signing
from mainspring.storage.keyring import Keyring, configuration


@pytest.fixture
def ring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "config")


def test_a_new_key_is_for_its_owner_alone(ring: Keyring) -> None:
    made = ring.new("alice")
    path = ring.root / "keys" / "alice.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert ring.known() == [made]
    assert signing.key_id(ring.own("alice").public_key()) == made.id
    assert "PRIVATE" not in repr(made)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(ring: Keyring, mode: int) -> None:
    ring.new("alice")
    os.chmod(ring.root / "keys" / "alice.pem", mode)
    with pytest.raises(MainspringError, match="others can read"):
        ring.own("alice")


def test_a_link_in_the_place_of_a_key_is_refused(ring: Keyring, tmp_path: Path) -> None:
    ring.new("alice")
    (ring.root / "keys" / "bob.pem").symlink_to(ring.root / "keys" / "alice.pem")
    with pytest.raises(MainspringError, match=r"bob\.pem"):
        ring.own("bob")


def test_a_damaged_key_is_named_without_what_is_in_it(ring: Keyring) -> None:
    ring.new("alice")
    path = ring.root / "keys" / "alice.pem"
    path.write_text("-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----\n")
    with pytest.raises(MainspringError, match="no ed25519 key") as caught:
        ring.own("alice")
    assert "hidden" not in str(caught.value)


def test_a_name_is_taken_once(ring: Keyring) -> None:
    ring.new("alice")
    with pytest.raises(ConflictError, match="alice"):
        ring.new("alice")
    other = signing.public_pem(signing.new_key().public_key())
    with pytest.raises(ConflictError, match="alice"):
        ring.trust("alice", other, "file")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101, "ä"])
def test_names_are_plain(ring: Keyring, name: str) -> None:
    with pytest.raises(MainspringError, match="can't be named"):
        ring.new(name)


def test_trusting_and_not_any_more(ring: Keyring) -> None:
    pem = signing.public_pem(signing.new_key().public_key())
    bob = ring.trust("bob", pem, "bob.pem")
    assert not bob.own
    assert ring.trust("bob", pem, "bob.pem") == bob  # again is no mistake
    assert ring.find(bob.id) == ring.find("bob") == bob
    with pytest.raises(ConflictError):
        ring.trust("bob", signing.public_pem(signing.new_key().public_key()), "file")
    assert ring.untrust("bob") == bob
    with pytest.raises(NotFoundError, match="trust no key"):
        ring.untrust("bob")
    with pytest.raises(NotFoundError, match="no key"):
        ring.find("bob")


def test_which_key_is_used_when_none_is_named(ring: Keyring) -> None:
    assert ring.default() is None
    ring.new("alice")
    assert ring.default() == "alice"
    ring.new("bob")
    with pytest.raises(MainspringError, match="more than one key: alice, bob"):
        ring.default()
    ring.new("default")
    assert ring.default() == "default"


def test_a_key_that_is_not_there(ring: Keyring) -> None:
    with pytest.raises(NotFoundError, match="no key 'x'") as caught:
        ring.own("x")
    assert caught.value.hint == "`mainspring keys new x` makes it"


def test_where_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert configuration() == tmp_path / "mainspring"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert configuration() == tmp_path / ".config" / "mainspring"
