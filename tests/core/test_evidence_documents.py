"""Evidence: survives JSON, refuses every change, and is named by a digest that others can compute."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hauberk.core.canonical import canonical_bytes, digest
from hauberk.core.clock import now, timestamp
from hauberk.core.errors import ConfigError, DataError, IntegrityError, UnknownName
from hauberk.core.evidence import KINDS, SCHEMA, Evidence, load_folder, software_versions
from hauberk.core.seeds import derive_seed

texts = st.text(st.characters(codec="utf-8"), max_size=6)
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)
evidence = st.builds(
    Evidence,
    kind=st.sampled_from(KINDS),
    subject=objects,
    inputs=objects,
    parameters=objects,
    result=objects,
    seed=st.none() | st.integers(0, 2**53 - 1),
    parents=st.lists(texts, max_size=3).map(tuple),
    duration_s=st.floats(0, 1e6),
    created=st.just("2026-01-31T09:30:00Z"),
    versions=st.dictionaries(texts, texts, min_size=1, max_size=3),
)


def sample() -> Evidence:
    return Evidence(
        kind="evaluation",
        subject={"name": "hardened", "digest": "sha256:00"},
        parameters={"threat": {"norm": "linf", "eps": 0.25}},
        result={"samples": 3, "verdicts": ["robust", "broken", "robust"]},
        seed=7,
        parents=["sha256:aa", "sha256:bb"],
        duration_s=1.5,
        created="2026-01-31T09:30:00Z",
        versions={"python": "3.11"},
    )


def resealed(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose digest is right, whatever else is wrong with it."""
    body = {key: value for key, value in document.items() if key != "digest"}
    return {**body, "digest": digest(body)}


@settings(deadline=None, max_examples=60)
@given(evidence)
def test_evidence_survives_json(one: Evidence) -> None:
    text = json.dumps(one.to_json(), ensure_ascii=False)
    again = Evidence.from_json(json.loads(text))
    assert again.digest == one.digest
    assert again.to_json() == json.loads(text)


@settings(deadline=None, max_examples=60)
@given(evidence, st.data())
def test_changing_any_key_is_noticed(one: Evidence, data: st.DataObject) -> None:
    document = one.to_json()
    key = data.draw(st.sampled_from(sorted(document.keys() - {"schema"})))
    value = data.draw(values)
    assume(canonical_bytes(value) != canonical_bytes(document[key]))
    with pytest.raises(IntegrityError, match="changed after it was written"):
        Evidence.from_json({**document, key: value})


@pytest.mark.parametrize("key", sorted(sample().to_json().keys() - {"schema", "digest"}))
def test_a_lost_key_is_noticed(key: str) -> None:
    document = sample().to_json()
    del document[key]
    with pytest.raises(IntegrityError):
        Evidence.from_json(document)
    with pytest.raises(DataError, match=f"lacks '{key}'"):
        Evidence.from_json(resealed(document))


def test_a_lost_digest_is_noticed() -> None:
    document = sample().to_json()
    del document["digest"]
    with pytest.raises(DataError, match="lacks 'digest'"):
        Evidence.from_json(document)


def test_a_changed_key_name_is_damage_and_not_a_typing_error() -> None:
    document = sample().to_json()
    document["resalt"] = document.pop("result")
    with pytest.raises(IntegrityError):
        Evidence.from_json(document)


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'parents'"):
        Evidence.from_json(resealed({**sample().to_json(), "parent": []}), where="a.json")


@pytest.mark.parametrize(
    "document", [None, [], "text", {}, {"schema": "hauberk-evidence/2"}, {**sample().to_json(), "schema": 1}]
)
def test_other_documents_are_refused(document: Any) -> None:
    with pytest.raises(DataError, match=f"not a {SCHEMA} document"):
        Evidence.from_json(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("subject", 5),
        ("subject", "text"),
        ("inputs", None),
        ("parameters", [1]),
        ("result", True),
        ("versions", 1.5),
        ("parents", 3),
        ("parents", None),
        ("kind", ["training"]),
        ("kind", "trainning"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_even_with_a_right_digest(key: str, value: Any) -> None:
    with pytest.raises((DataError, UnknownName)):
        Evidence.from_json(resealed({**sample().to_json(), key: value}))


def test_the_digest_is_the_one_anybody_can_compute() -> None:
    body = {key: value for key, value in sample().to_json().items() if key != "digest"}
    # for plain ASCII and such numbers, sorted compact JSON is RFC 8785
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    assert sample().digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert sample().digest == "sha256:dfba2b7189d553c11d28ad0b235d56a5b5c1131a5731037d7b0988a42abf05b0"


def test_parents_chain_one_document_to_the_next() -> None:
    first = sample()
    second = Evidence(kind="curve", subject={"name": "x"}, parents=[first.digest])
    assert second.parents == (first.digest,)
    assert Evidence.from_json(json.loads(json.dumps(second.to_json()))).parents == (first.digest,)


def test_a_misspelt_kind_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'training'"):
        Evidence(kind="trainng", subject={})


def test_evidence_cannot_be_reassigned() -> None:
    with pytest.raises(AttributeError):
        sample().seed = 8


def test_save_and_load_by_file_and_by_folder(tmp_path: Path) -> None:
    early = sample()
    late = Evidence(kind="attack", subject={"name": "模型"}, created="2026-02-01T00:00:00Z")
    path = early.save(tmp_path / "z")
    assert path.name == f"evaluation-{early.digest[7:19]}.json"
    assert Evidence.load(path).digest == early.digest
    late.save(tmp_path / "z", "a")
    assert [one.digest for one in load_folder(tmp_path / "z")] == [early.digest, late.digest]
    assert load_folder(tmp_path / "none") == []


def test_any_flipped_byte_of_a_saved_file_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = sample().save(tmp_path)
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            found = Evidence.load(path)
        except (IntegrityError, DataError):
            continue
        assert found.to_json() == sample().to_json()  # the flip hit white space


def test_duplicate_keys_in_a_file_are_refused(tmp_path: Path) -> None:
    text = json.dumps(sample().to_json())
    (tmp_path / "a.json").write_text(text[:-1] + ', "seed": 7}')
    with pytest.raises(DataError, match="'seed' stands twice"):
        Evidence.load(tmp_path / "a.json")


def test_versions_name_interpreter_and_packages() -> None:
    found = software_versions(("torch", "no-such-package-at-all"))
    assert {"python", "platform", "torch"} <= found.keys()
    assert found["no-such-package-at-all"] == "unknown"


class TestClock:
    def test_time_is_written_in_utc_whatever_the_zone(self) -> None:
        east = datetime(2026, 1, 31, 17, 30, 0, 999_999, tzinfo=timezone(timedelta(hours=8)))
        assert timestamp(lambda: east) == "2026-01-31T09:30:00Z"

    def test_the_present_is_aware_and_well_formed(self) -> None:
        assert now().tzinfo is UTC
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", timestamp())


class TestSeeds:
    def test_a_seed_is_the_one_anybody_can_compute(self) -> None:
        whole = hashlib.sha256(b"7\x1forder\x1f3").digest()
        assert derive_seed(7, "order", 3) == int.from_bytes(whole[:8], "big") >> 1

    @settings(deadline=None, max_examples=50)
    @given(st.integers(), st.lists(texts | st.integers(), max_size=3))
    def test_a_seed_fits_torch_and_repeats(self, seed: int, labels: list[Any]) -> None:
        assert 0 <= derive_seed(seed, *labels) < 2**63
        assert derive_seed(seed, *labels) == derive_seed(seed, *labels)

    def test_every_use_has_its_own(self) -> None:
        made = {
            derive_seed(seed, *use) for seed in (0, 1, -1) for use in ((), ("a",), ("b",), ("a", 0), ("a0",))
        }
        assert len(made) == 15

    @pytest.mark.parametrize("seed", [True, 1.0, "1", None])
    def test_what_is_not_an_integer_is_refused(self, seed: Any) -> None:
        with pytest.raises(ConfigError, match="a seed is an integer"):
            derive_seed(seed)


def test_tuples_become_lists_at_once() -> None:
    given = Evidence(
        kind="training", subject={"name": "a"}, parameters={"shape": (1, 2), "deep": [{"x": (3,)}]}
    )
    assert given.parameters == {"shape": [1, 2], "deep": [{"x": [3]}]}
    assert Evidence.from_json(given.to_json()) == given


def test_the_specification_names_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "spec" / "evidence.md").read_text("utf-8")
    row = next(line for line in page.splitlines() if line.startswith("| `kind` |"))
    headings = " ".join(line for line in page.splitlines() if line.startswith("## "))
    for kind in KINDS:
        assert f"`{kind}`" in row
        assert f"`{kind}`" in headings
