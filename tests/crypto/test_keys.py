"""Keys: age's own, so that age's tools take them; never shown, never replaced."""

from __future__ import annotations

import copy
import pickle
import stat
from datetime import UTC, datetime
from pathlib import Path

import age_files
import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, DataError, IntegrityError, NoIdentityMatched, UnknownName
from hauberk.crypto import age
from hauberk.crypto.age import bech32, header, wrapping
from hauberk.crypto.secret import Secret

# the examples of the specification
SPEC_IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
SPEC_RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
SPEC_HYBRID = "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR"


def test_examples_of_the_specification() -> None:
    identity = age.parse_identity(SPEC_IDENTITY)
    assert str(identity.recipient) == SPEC_RECIPIENT
    assert identity.written() == SPEC_IDENTITY
    hybrid = str(age.parse_identity(SPEC_HYBRID).recipient)
    assert hybrid.startswith(
        "age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95paef6c"
    )
    assert hybrid.endswith("y7saeq0d3fzv49zc0k")


@given(data=st.binary(max_size=80))
def test_bech32_round_trip_and_every_letter_counts(data: bytes) -> None:
    text = bech32.encode("age", data)
    assert bech32.decode(text) == ("age", bytearray(data))
    for place in range(len(text)):
        changed = text[:place] + ("q" if text[place] != "q" else "p") + text[place + 1 :]
        with pytest.raises(DataError):
            bech32.decode(changed)


def test_bech32_vectors_of_bip_173() -> None:
    for good in ("A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
                 "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "?1ezyfcl"):  # fmt: skip
        prefix, data = bech32.decode(good)
        assert bech32.encode(prefix, data).lower() == good.lower()
    for bad in (" 1nwldj5", "\x7f1axkwrx", "\x801eym55h", "pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v",
                "li1dgmt3", "de1lg7wt\xff", "A1G7SGD8", "10a06t8", "1qzzfhee", "a12UEL5L"):  # fmt: skip
        with pytest.raises(DataError):
            bech32.decode(bad)


def test_age_takes_our_keys_and_we_take_theirs() -> None:
    ours = age.generate("x25519")
    theirs = pyrage.x25519.Identity.from_str(ours.written())
    assert str(theirs.to_public()) == str(ours.recipient)
    made = pyrage.x25519.Identity.generate()
    assert str(age.parse_identity(str(made)).recipient) == str(made.to_public())


def test_a_file_made_by_age_opens_here() -> None:
    identity = age.generate("x25519")
    other = pyrage.x25519.Recipient.from_str(str(age.generate("x25519").recipient))
    mine = pyrage.x25519.Recipient.from_str(str(identity.recipient))
    data = pyrage.encrypt(b"weights", [other, mine])
    found = header.parse(data)
    with age.unwrap(found, [identity]) as file_key:
        assert age_files.opened_stream(bytes(file_key), data[found.size :]) == (b"weights", True)


def test_age_opens_a_file_with_our_header() -> None:
    """A stanza of our own among them, which age must pass over."""
    identities = [age.generate("x25519") for _ in range(2)]
    file_key = age.new_file_key()
    stanzas = age.wrap(file_key, [one.recipient for one in identities])
    head = header.write([*stanzas, age.Stanza(("hauberk/recipients",), bytes(96))], file_key)
    data = head + age_files.sealed_stream(bytes(file_key), bytes(16), b"weights")
    for identity in identities:
        assert pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(identity.written())]) == b"weights"


def test_age_opens_a_passphrase_of_ours() -> None:
    file_key = age.new_file_key()
    phrase = age.Passphrase(Secret(b"correct horse"), work_factor=10)
    data = header.write(age.wrap(file_key, [phrase]), file_key)
    data += age_files.sealed_stream(bytes(file_key), bytes(16), b"weights")
    assert pyrage.passphrase.decrypt(data, "correct horse") == b"weights"


@pytest.mark.parametrize("kind", ["hybrid", "x25519"])
def test_only_the_named_can_unwrap(kind: str) -> None:
    identities = [age.generate(kind) for _ in range(3)]
    file_key = age.new_file_key()
    data = header.write(age.wrap(file_key, [one.recipient for one in identities]), file_key)
    for identity in identities:
        assert age.unwrap(header.parse(data), [age.generate(kind), identity]).same(file_key)
    with pytest.raises(NoIdentityMatched, match="none of the given keys"):
        age.unwrap(header.parse(data), [age.generate(kind)])
    with pytest.raises(NoIdentityMatched):
        age.unwrap(header.parse(data), [])


def test_every_byte_of_a_header_counts() -> None:
    identity = age.generate("x25519")
    file_key = age.new_file_key()
    data = header.write(age.wrap(file_key, [identity.recipient]), file_key)
    for place in range(len(data)):
        for bit in (1, 32):
            changed = data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]
            with pytest.raises(IntegrityError):
                age.unwrap(header.parse(changed), [identity])


def test_key_files(tmp_path: Path) -> None:
    identity = age.generate()
    path = tmp_path / "me.key"
    made = age.write_key(path, identity, clock=lambda: datetime(2026, 1, 31, tzinfo=UTC))
    assert [one.name for one in made] == ["me.key", "me.key.pub"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text().splitlines()[0] == "# created: 2026-01-31T00:00:00Z"
    assert age.read_identities(path)[0].secret.same(identity.secret)
    assert age.read_recipients(f"{path}.pub") == [identity.recipient]
    for taken in (path, tmp_path / "other"):
        (tmp_path / "other.pub").touch()
        with pytest.raises(ConfigError, match="never replaced"):
            age.write_key(taken, age.generate())


def test_what_is_no_key_is_refused_without_being_repeated(tmp_path: Path) -> None:
    path = tmp_path / "key"
    spoilt = SPEC_IDENTITY[:-1] + "Q"
    for text, what in (
        (f"# mine\n{spoilt}\n", "line 2: a key has a letter wrong"),
        (SPEC_RECIPIENT, "public key"),
        ("# nothing\n", "holds no key"),
        ("\x80", "not a key file"),
        (SPEC_IDENTITY.lower(), "not known here"),
        ("AGE-PLUGIN-X-1QQQQQQQQ", "not a key|letter wrong"),
    ):
        path.write_text(text, "latin-1")
        with pytest.raises(DataError, match=what) as caught:
            age.read_identities(path)
        assert SPEC_IDENTITY[20:40] not in str(caught.value)
    path.write_text(SPEC_IDENTITY)
    with pytest.raises(DataError, match="secret key") as caught:
        age.read_recipients(path)
    assert SPEC_IDENTITY[20:40] not in str(caught.value)
    with pytest.raises(DataError, match="no key file"):
        age.read_identities(tmp_path / "none")
    with pytest.raises(DataError, match="not a key file"):
        age.read_identities(tmp_path)


def test_recipients_that_do_not_belong_together() -> None:
    hybrid, curve = age.generate().recipient, age.generate("x25519").recipient
    phrase = age.Passphrase(Secret(b"x"))
    with pytest.raises(ConfigError, match="nobody"):
        wrapping.check_recipients([])
    with pytest.raises(ConfigError, match="twice"):
        wrapping.check_recipients([curve, curve])
    with pytest.raises(ConfigError, match="quantum"):
        wrapping.check_recipients([hybrid, curve])
    wrapping.check_recipients([hybrid, curve], mixed=True)
    with pytest.raises(ConfigError, match="alone"):
        wrapping.check_recipients([curve, phrase], mixed=True)
    with pytest.raises(UnknownName, match="x25519"):
        age.generate("x2559")


def test_secrets_do_not_show_and_are_wiped() -> None:
    secret = Secret(b"hidden bytes")
    identity = age.parse_identity(SPEC_IDENTITY)
    for shown in (repr(secret), str(secret), f"{secret}", repr(identity), repr(age.Passphrase(secret))):
        assert "hidden" not in shown
        assert identity.secret.hex() not in shown
        assert SPEC_IDENTITY not in shown
    for leave in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not pickled"):
            leave(secret)
    with secret:
        kept = memoryview(secret)
    assert bytes(kept) == bytes(12)
    identity.wipe()
    assert not any(identity.secret)
