"""Signed notes and cosignatures: published examples, the messages rebuilt by hand, and every misuse."""

from __future__ import annotations

import base64
import hashlib
import stat
import struct
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import ConfigError, DataError, IntegrityError, UnknownName
from hauberk.crypto import notes
from hauberk.crypto.notes import Checkpoint, Note, Signature

# the example of golang.org/x/mod/sumdb/note
NEUMANN = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""

# the examples of c2sp.org/signed-note and c2sp.org/tlog-cosignature, which come without keys
QUASIMODO = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""  # noqa: E501
SOFA = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""  # noqa: E501

HEAD = Checkpoint("example.com/log", 5, bytes(range(32)))
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
KINDS = ("ed25519", "cosignature-ed25519", "cosignature-ml-dsa-44")


def key(kind: str = "ed25519", name: str = "example.com/log", seed: int = 1) -> notes.Signer:
    return notes.generate(name, kind, random=lambda size: bytes([seed]) * size)


def noon() -> datetime:
    return NOON


def test_go_s_example(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"{NEUMANN}\n")
    path.chmod(0o600)
    (signer,) = notes.read_signers(path)
    note = Note.parse(NEUMANN_NOTE.encode())
    assert bytes(note) == NEUMANN_NOTE.encode()
    assert signer.sign(note.text) == note.signatures[0]  # Ed25519 signs one text in one way
    assert str(signer.verifier) == NEUMANN_PUBLIC
    assert notes.verify(note, [notes.parse_verifier(NEUMANN_PUBLIC)])[0].time is None


@pytest.mark.parametrize("example", [QUASIMODO, SOFA])
def test_examples_of_the_specification_are_read_and_written(example: str) -> None:
    assert bytes(Note.parse(example.encode())) == example.encode()


def test_the_checkpoint_of_the_specification() -> None:
    note = Note.parse(SOFA.encode())
    head = Checkpoint.parse(note.text)
    assert (head.origin, head.size, head.extensions) == ("example.com/behind-the-sofa", 20852163, ())
    assert head.root == base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert head.text == note.text
    assert struct.unpack(">Q", note.signatures[1].data[:8]) == (1679315147,)  # said in its text too


def test_an_empty_line_belongs_to_the_text() -> None:
    assert Note.parse(QUASIMODO.encode()).text.count("\n\n") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_key_signs_its_public_half_verifies(kind: str) -> None:
    signer = key(kind)
    note = Note(HEAD.text, (signer.sign(HEAD.text, clock=noon),))
    again = Note.parse(bytes(note))
    (found,) = notes.verify(again, [notes.parse_verifier(str(signer.verifier))])
    assert found.verifier == signer.verifier
    assert found.time == (None if kind == "ed25519" else int(NOON.timestamp()))


def test_an_ed25519_cosignature_rebuilt_by_hand() -> None:
    signer = key("cosignature-ed25519", "w.example/1")
    line = signer.sign(HEAD.text, clock=noon)
    time, signature = struct.unpack(">Q64s", line.data)
    root = base64.b64encode(bytes(range(32))).decode()
    message = f"cosignature/v1\ntime {time}\nexample.com/log\n5\n{root}\n"
    public = signer.verifier.public
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message.encode())
    assert line.key_id == hashlib.sha256(b"w.example/1\n\x04" + public).digest()[:4]


def test_an_ml_dsa_cosignature_rebuilt_by_hand() -> None:
    signer = key("cosignature-ml-dsa-44", "w.example/2")
    line = signer.sign(HEAD.text, clock=noon)
    assert len(line.data) == 8 + 2420
    message = (
        b"subtree/v1\n\0" + b"\x0bw.example/2" + line.data[:8] + b"\x0fexample.com/log"
        + (0).to_bytes(8, "big") + (5).to_bytes(8, "big") + bytes(range(32))
    )  # fmt: skip
    public = signer.verifier.public
    MLDSA44PublicKey.from_public_bytes(public).verify(line.data[8:], message)
    with pytest.raises(InvalidSignature):
        MLDSA44PublicKey.from_public_bytes(public).verify(line.data[8:], message[:-1] + b"\0")
    assert line.key_id == hashlib.sha256(b"w.example/2\n\x06" + public).digest()[:4]


def test_extension_lines_are_signed_by_ed25519_alone() -> None:
    changed = Checkpoint(HEAD.origin, HEAD.size, HEAD.root, ("more",))
    for kind, covered in zip(KINDS, (True, True, False), strict=True):
        signer = key(kind)
        note = Note(changed.text, (signer.sign(HEAD.text, clock=noon),))
        if covered:
            with pytest.raises(IntegrityError, match="does not hold"):
                notes.verify(note, [signer.verifier])
        else:
            notes.verify(note, [signer.verifier])


def test_subtrees_are_cosigned_without_a_time() -> None:
    signer = key("cosignature-ml-dsa-44")
    assert isinstance(signer, notes.SubtreeSigner)
    verifier = signer.verifier
    assert isinstance(verifier, notes.SubtreeVerifier)
    root = bytes(32)
    for start, end in ((0, 0), (0, 7), (4, 8), (4, 6), (8, 13), (6, 7)):
        line = signer.sign_subtree("example.com/log", start, end, root)
        assert verifier.verify_subtree("example.com/log", start, end, root, line.data) == 0
        for other in ((start, end + 1), (start + 8, end + 8)):
            with pytest.raises(IntegrityError):
                verifier.verify_subtree("example.com/log", *other, root, line.data)
        timed = (1).to_bytes(8, "big") + line.data[8:]
        with pytest.raises(IntegrityError):
            verifier.verify_subtree("example.com/log", start, end, root, timed)
    for start, end in ((4, 9), (2, 5), (3, 5), (4, 4), (5, 4), (-1, 4)):
        with pytest.raises(ConfigError, match="no subtree"):
            signer.sign_subtree("example.com/log", start, end, root)
    with pytest.raises(ConfigError, match="255 bytes"):
        signer.sign_subtree("x" * 256, 0, 4, root)


def test_unknown_keys_are_ignored_and_a_known_one_that_fails_spoils_all() -> None:
    first, second, other = key(seed=1), key(seed=2), key("cosignature-ed25519", "w.example", 3)
    note = Note(HEAD.text, (first.sign(HEAD.text), other.sign(HEAD.text, clock=noon)))
    assert [one.verifier for one in notes.verify(note, [first.verifier])] == [first.verifier]
    assert len(notes.verify(note, [first.verifier, other.verifier])) == 2
    with pytest.raises(IntegrityError, match="none of the known keys"):
        notes.verify(note, [second.verifier])  # the same name with another id
    forged = Signature(second.name, second.verifier.key_id, first.sign(HEAD.text).data)
    with pytest.raises(IntegrityError, match="does not hold"):
        notes.verify(note.add(forged), [first.verifier, second.verifier])


@pytest.mark.parametrize("kind", KINDS)
def test_any_changed_bit_of_a_signed_note_is_found(kind: str) -> None:
    signer = key(kind)
    verifiers = [signer.verifier]
    whole = bytes(Note(HEAD.text, (signer.sign(HEAD.text, clock=noon),)))
    step = 1 if kind == "ed25519" else 5 if kind == "cosignature-ed25519" else 37
    for bit in range(0, 8 * len(whole), step):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(IntegrityError):
            notes.verify(Note.parse(bytes(changed)), verifiers)


@given(st.binary(max_size=400) | st.text().map(str.encode))
@settings(max_examples=300, deadline=None)
def test_garbage_is_refused_in_one_way(data: bytes) -> None:
    for read in (Note.parse, notes.parse_signatures, lambda one: Checkpoint.parse(one.decode("latin-1"))):
        with suppress(IntegrityError):
            read(data)
    with suppress(DataError):
        notes.parse_verifier(data.decode("latin-1"))


@given(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]) | st.just("\n"), max_size=80),
    st.lists(st.tuples(st.from_regex(r"[a-z.é/]{1,9}", fullmatch=True), st.binary(min_size=5)), min_size=1),
)
@settings(deadline=None)
def test_notes_come_back(text: str, lines: list[tuple[str, bytes]]) -> None:
    note = Note(f"{text}\n", tuple(Signature(name, data[:4], data[4:]) for name, data in lines))
    assert Note.parse(bytes(note)) == note


LINE = NEUMANN_NOTE.split("\n\n")[1]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (NEUMANN_NOTE.removesuffix("\n"), "does not end"),
        (NEUMANN_NOTE.replace("\n\n", "\n"), "no empty line"),
        ("text\n\n", "does not end"),
        (f"text\n\n{LINE}\n", "does not end"),
        (NEUMANN_NOTE.replace("problem", "pro\tblem"), "control"),
        (NEUMANN_NOTE.replace("— ", "- "), "no signature"),
        (NEUMANN_NOTE.replace("— Peter", "—  Peter"), "no signature"),
        (NEUMANN_NOTE.replace("PeterN", "Peter+N"), "no signature"),
        (NEUMANN_NOTE.replace("PeterN", "Peter\u00a0N"), "no signature"),
        (NEUMANN_NOTE.replace("AM=", "AN="), "one form"),
        (NEUMANN_NOTE.replace("AM=", "AM"), "not base64"),
        (NEUMANN_NOTE.replace("x08g", "x0-g"), "not base64"),
        ("text\n\n— name AAAA\n", "too short"),
        ("text\n\n" + LINE * 101, "more than 100"),
        ("x" * 1_000_001, "more than"),
    ],
)
def test_a_malformed_note_is_refused(data: str, why: str) -> None:
    with pytest.raises(IntegrityError, match=why):
        Note.parse(data.encode())


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a\n1\n", "a\n1\n\n", "\n1\nAAAA\n", "a\n01\n{root}\n", "a\n+1\n{root}\n", "a\n-1\n{root}\n",
        "a\n1\n{root}", "a\n1\n{root}\n\nmore\n", "a\n1\nAAAA\n", "a\n9223372036854775808\n{root}\n",
        "a\n١\n{root}\n", "a\n1\n{root} \n", "a\r\n1\n{root}\n",
    ],
)  # fmt: skip
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError):
        Checkpoint.parse(text.replace("{root}", base64.b64encode(bytes(32)).decode()))


@pytest.mark.parametrize(
    "vkey",
    [
        "", "a", "a+b", "a+b+c", NEUMANN, NEUMANN_PUBLIC + "A", NEUMANN_PUBLIC.replace("c74f20a3", "C74F20A3"),
        NEUMANN_PUBLIC.replace("Peter", "Paul"), NEUMANN_PUBLIC.replace("ARpc", "Ahpc"), "a+00000000+AQ==",
        "a+00000000+", f"a b{NEUMANN_PUBLIC}",
    ],
)  # fmt: skip
def test_a_malformed_public_key_is_refused(vkey: str) -> None:
    with pytest.raises(DataError) as refusal:
        notes.parse_verifier(vkey)
    assert "AYEKFALVFGy" not in str(refusal.value)


def test_keys_and_checkpoints_that_cannot_be() -> None:
    with pytest.raises(UnknownName, match="did you mean 'ed25519'"):
        notes.generate("a", "ed25591")
    for name in ("", "a b", "a+b", "a\nb"):
        with pytest.raises(ConfigError):
            notes.generate(name)
    with pytest.raises(ConfigError):
        Checkpoint("a\nb", 1, bytes(32))
    with pytest.raises(ConfigError):
        Checkpoint("a", -1, bytes(32))
    with pytest.raises(ConfigError):
        Note("no newline", ())
    with pytest.raises(IntegrityError):
        key("cosignature-ed25519").sign("no checkpoint\n")
    with pytest.raises(ConfigError, match="time of a cosignature"):
        key("cosignature-ed25519").sign(HEAD.text, clock=lambda: datetime(1969, 12, 31, tzinfo=UTC))


def test_key_files_are_private_say_what_they_are_and_are_never_replaced(tmp_path: Path) -> None:
    signers = [key(kind, seed=number) for number, kind in enumerate(KINDS)]
    secret, public = notes.write_signers(tmp_path / "log.key", signers, clock=noon)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    text = secret.read_text()
    assert "# created: 2026-01-31T12:00:00Z" in text
    assert "signs the heads of the log example.com/log" in text
    back = notes.read_signers(secret)
    assert [one.secret for one in back] == [one.secret for one in signers]
    assert [type(one) for one in back] == [type(one) for one in signers]
    assert notes.read_verifiers(public) == tuple(one.verifier for one in signers)
    for path in (secret, Path(f"{tmp_path}/log.key.pub")):
        with pytest.raises(ConfigError, match="exists already"):
            notes.write_signers(path.with_name("log.key"), signers)
    with pytest.raises(DataError, match="holds secret keys"):
        notes.read_verifiers(secret)
    public.chmod(0o600)
    with pytest.raises(DataError, match="line 1 is no secret key"):
        notes.read_signers(public)
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        notes.read_signers(secret)


@pytest.mark.parametrize(
    "line", ["PRIVATE+KEY+a", NEUMANN.replace("c74f", "c74e"), NEUMANN[:-4], NEUMANN.replace("+AY", "+BY"), "x"]
)
def test_a_broken_key_file_names_its_line_and_not_its_content(line: str, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"# comment\n{line}\n")
    path.chmod(0o600)
    with pytest.raises(DataError, match="line 2") as refusal:
        notes.read_signers(path)
    assert "FALVFGyN" not in str(refusal.value)


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda one: NEUMANN.encode() + one))
@settings(max_examples=200, deadline=None)
def test_garbage_in_a_key_file_is_refused_in_one_way(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        path.write_bytes(data)
        path.chmod(0o600)
        for read in (notes.read_signers, notes.read_verifiers):
            with suppress(DataError):
                read(path)


def test_a_key_shows_no_secret() -> None:
    signer = key(seed=0x41)
    assert "AAAA" not in repr(signer) + str(signer.secret)
    signer.wipe()
    assert signer.secret == bytes(32)
