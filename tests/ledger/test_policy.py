"""Policies: the example of the specification, every quorum by brute force, each line that is not in order."""

from __future__ import annotations

import itertools
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.core.errors import DataError, IntegrityError
from hauberk.crypto.notes import Checkpoint, Note, Signer, generate
from hauberk.ledger.checkpoint import open_checkpoint, peek, sign_checkpoint
from hauberk.ledger.policy import Policy

LOG = generate("log.example/a", random=lambda size: bytes([9]) * size)
PQ_LOG = generate("log.example/a", "cosignature-ml-dsa-44", random=lambda size: bytes([8]) * size)
WITNESSES = {
    name: generate(
        f"{name.lower()}.example",
        "cosignature-ml-dsa-44" if name.endswith("2") else "cosignature-ed25519",
        random=lambda size, number=number: bytes([number]) * size,
    )
    for number, name in enumerate(("X1", "X2", "X3", "Y1", "Y2", "Y3"))
}
HEAD = Checkpoint("log.example/a", 7, bytes(range(32)))
EXAMPLE = f"""
log {LOG.verifier}

witness X1 {WITNESSES["X1"].verifier} https://x1.example
witness X2 {WITNESSES["X2"].verifier}
witness X3 {WITNESSES["X3"].verifier}
group X-witnesses 2 X1 X2 X3

\t# the others
witness Y1 {WITNESSES["Y1"].verifier}
witness Y2\t{WITNESSES["Y2"].verifier}  \t
witness Y3 {WITNESSES["Y3"].verifier}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


@pytest.fixture(scope="module")
def policy() -> Policy:
    return Policy.parse(EXAMPLE)


@pytest.fixture(scope="module")
def lines() -> dict[str, Note]:
    return {name: Note(HEAD.text, (one.sign(HEAD.text),)) for name, one in WITNESSES.items()}


def signed(*others: Note, log: Signer = LOG, head: Checkpoint = HEAD) -> Note:
    note = Note(head.text, (log.sign(head.text),))
    return note.add(*(line for other in others for line in other.signatures))


def test_the_example_is_read(policy: Policy) -> None:
    assert [str(one.verifier) for one in policy.logs] == [str(LOG.verifier)]
    assert policy.witnesses["X1"].url == "https://x1.example"
    assert policy.witnesses["X2"].url is None
    assert policy.groups["X-witnesses"].threshold == 2
    assert policy.groups["X-and-Y"].threshold == 2
    assert policy.quorum == "X-and-Y"


def test_the_quorum_of_the_example_for_every_set_of_witnesses(policy: Policy, lines: dict[str, Note]) -> None:
    for count in range(7):
        for names in itertools.combinations(WITNESSES, count):
            enough = sum(one[0] == "X" for one in names) >= 2 and any(one[0] == "Y" for one in names)
            assert policy.reached(set(names)) is enough
            note = signed(*(lines[one] for one in names))
            if enough:
                assert policy.check(bytes(note)) == HEAD
                assert len(policy.cosignatures(note)) == count
            else:
                with pytest.raises(IntegrityError, match="lacks the witnesses"):
                    policy.check(note)


def test_a_witness_counts_once_however_often_it_signs(policy: Policy, lines: dict[str, Note]) -> None:
    from datetime import UTC, datetime

    again = WITNESSES["X1"].sign(HEAD.text, clock=lambda: datetime(2030, 1, 1, tzinfo=UTC))
    with pytest.raises(IntegrityError, match="cosigned by 'X1', 'Y1'"):
        policy.check(signed(lines["X1"], lines["Y1"]).add(again))


def test_a_cosignature_of_another_head_spoils_the_note(policy: Policy, lines: dict[str, Note]) -> None:
    other = Checkpoint(HEAD.origin, 8, HEAD.root)
    wrong = Note(other.text, (WITNESSES["Y3"].sign(other.text),))
    with pytest.raises(IntegrityError, match="does not hold"):
        policy.check(signed(lines["X1"], lines["X2"], lines["Y1"], wrong))


def test_the_log_must_sign_and_speak_of_itself(policy: Policy, lines: dict[str, Note]) -> None:
    cosigned = [lines[one] for one in ("X1", "X2", "Y1")]
    with pytest.raises(IntegrityError, match="none of the known keys"):
        policy.check(Note(HEAD.text, tuple(line for one in cosigned for line in one.signatures)))
    other = generate("log.example/b")
    with pytest.raises(IntegrityError, match="none of the known keys"):
        policy.check(signed(*cosigned, log=other))
    both = Policy.parse(f"log {LOG.verifier}\nlog {other.verifier}\nquorum none\n")
    with pytest.raises(IntegrityError, match="did not sign it"):
        both.check(signed(log=other))
    with pytest.raises(IntegrityError, match="names no log"):
        Policy.parse("quorum none\n").check(signed())


def test_a_log_may_sign_with_ml_dsa_and_change_its_key() -> None:
    both = Policy.parse(f"log {LOG.verifier}\nlog {PQ_LOG.verifier}\nquorum none\n")
    for log in (LOG, PQ_LOG):
        assert both.check(signed(log=log)) == HEAD
        assert Policy.of_log(log.verifier).check(signed(log=log)) == HEAD


def test_heads_are_signed_in_the_log_s_own_name() -> None:
    from hauberk.core.errors import ConfigError

    note = sign_checkpoint(HEAD, [LOG, PQ_LOG])
    assert open_checkpoint(bytes(note), [LOG.verifier, PQ_LOG.verifier]) == HEAD == peek(bytes(note))
    with pytest.raises(ConfigError, match="does not sign heads of"):
        sign_checkpoint(HEAD, [generate("another")])


L, W, V = LOG.verifier, WITNESSES["X1"].verifier, WITNESSES["Y1"].verifier
SAME_KEY = f"other.example+{generate('other.example', random=lambda n: bytes([9]) * n).verifier.key_id.hex()}"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum line"),
        (f"log {L}\n", "no quorum line"),
        ("quorum none\nquorum none\n", "line 2: there is a second quorum"),
        ("quorum none", "does not end"),
        ("quorum a\n", "no witness or group 'a'"),
        (f"quorum a\nwitness a {W}\n", "no witness or group 'a'"),
        ("quorum none none\n", "a line is one of"),
        ("log\nquorum none\n", "a line is one of"),
        ("hello\nquorum none\n", "a line is one of"),
        (f"Log {L}\nquorum none\n", "a line is one of"),
        (f"log {L} url more\nquorum none\n", "a line is one of"),
        ("log abc\nquorum none\n", "line 1: 'abc' is no public key"),
        (f"log {W}\nquorum none\n", "this is a witness' key"),
        (f"witness a {L}\nquorum none\n", "this is a log's key"),
        (f"log {L}\nlog {L} url\nquorum none\n", "line 2: this log's key stands twice"),
        (f"witness a {W}\nwitness b {W}\nquorum none\n", "line 2: this witness' key stands twice"),
        (f"witness a {W}\nwitness a {V}\nquorum none\n", "the name 'a' is taken"),
        (f"witness none {W}\nquorum none\n", "the name 'none' is taken"),
        (f"witness a {W}\ngroup a any a\nquorum a\n", "the name 'a' is taken"),
        (f"witness a {W}\ngroup g any\nquorum none\n", "a line is one of"),
        (f"witness a {W}\ngroup g any b\nquorum g\n", "no witness or group 'b'"),
        (f"witness a {W}\ngroup g any g\nquorum g\n", "no witness or group 'g'"),
        (f"witness a {W}\ngroup g any none\nquorum g\n", "no witness or group 'none'"),
        (f"witness a {W}\ngroup g any a a\nquorum g\n", "is a member already"),
        (f"witness a {W}\ngroup g any a\ngroup h any a\nquorum g\n", "is a member already"),
        (f"witness a {W}\ngroup g 0 a\nquorum g\n", "1 to 1 of its members"),
        (f"witness a {W}\ngroup g 2 a\nquorum g\n", "1 to 1 of its members"),
        (f"witness a {W}\ngroup g ²  a\nquorum g\n", "1 to 1 of its members"),
        (f"witness a {W}\ngroup g -1 a\nquorum g\n", "1 to 1 of its members"),
        (f"witness a {W}\ngroup g 01 a\nquorum g\n", "1 to 1 of its members"),
        (f"witness a {W}\ngroup g {'9' * 5000} a\nquorum g\n", "1 to 1 of its members"),
        (f"witness a {W}\r\nquorum a\n", "control characters"),
        ("quorum none\n\x7f", "control characters"),
        ("#" * 1_000_001, "too long"),
    ],
)
def test_a_line_that_is_not_in_order_is_named(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why) as refusal:
        Policy.parse(text)
    assert "\n" not in str(refusal.value)


def test_names_are_octets() -> None:
    """The Kelvin sign is no K, and what is no UTF-8 is a name too; U+00A0 does not part words."""
    kelvin = "\u212a".encode()
    text = b"witness %s %s\nwitness K %s\nwitness \xff\xa0 %s\ngroup g all %s \xff\xa0\nquorum g\n" % (
        kelvin, str(W).encode(), str(V).encode(), str(WITNESSES["Y3"].verifier).encode(), kelvin,
    )  # fmt: skip
    policy = Policy.parse(text)
    assert len(policy.witnesses) == 3
    assert policy.groups["g"].members == ("\u212a", "\udcff\udca0")
    with pytest.raises(DataError, match="no witness or group") as refusal:
        Policy.parse(b"quorum \xff\n")
    str(refusal.value).encode()  # can be printed
    odd = Policy.parse(b"log %s\nwitness \xff %s\nquorum \xff\n" % (str(L).encode(), str(W).encode()))
    with pytest.raises(IntegrityError, match="lacks the witnesses") as lacking:
        odd.check(signed())
    str(lacking.value).encode()


def test_as_many_as_the_specification_asks_for() -> None:
    def vkey(kind: str, number: int) -> str:
        return str(generate(f"n{number}", kind, random=lambda size: number.to_bytes(size, "big")).verifier)

    text = [f"log {vkey('ed25519', one)}" for one in range(32)]
    text += [f"witness w{one} {vkey('cosignature-ed25519', one)}" for one in range(32)]
    text += [f"group g{one} all w{one}" + (f" g{one - 1}" if one else "") for one in range(32)]
    policy = Policy.parse("\n".join([*text, "quorum g31", ""]))
    assert policy.reached({f"w{one}" for one in range(32)})
    assert not policy.reached({f"w{one}" for one in range(1, 32)})


WORDS = st.sampled_from(
    ["log", "witness", "group", "quorum", "none", "a", "b", "all", "any", "1", "#", str(L), str(W)]
)


@given(st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=8).map("\n".join) | st.text(), st.binary())
@settings(max_examples=300, deadline=None)
def test_garbage_is_refused_in_one_way(text: str, data: bytes) -> None:
    for one in (f"{text}\n".encode("utf-8", "replace"), data):
        with suppress(DataError):
            Policy.parse(one)
