"""Policies: profiles grow stricter, files merge like paint, and nonsense is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.assurance.catalogue import CATALOGUE
from hauberk.assurance.layer import Layer, read_layer
from hauberk.assurance.policy import load_policy, resolve
from hauberk.assurance.rule import PROFILES
from hauberk.core.errors import ConfigError, DataError, UnknownName
from hauberk.crypto.notes import generate

HEAD = 'format = "hauberk-policy/1"\n'
NAMES = st.sampled_from([one.id for one in CATALOGUE][:8])
CHANGES = st.one_of(
    st.fixed_dictionaries({"use": st.just(False), "because": st.sampled_from(["a", "b"])}),
    st.fixed_dictionaries(
        {}, optional={"severity": st.sampled_from(["low", "high"]), "least": st.floats(0, 1)}
    ),
)
LAYERS = st.builds(
    Layer,
    plain=st.fixed_dictionaries(
        {}, optional={"name": st.sampled_from(["x", "y"]), "profile": st.sampled_from(PROFILES)}
    ),
    trust=st.dictionaries(
        st.sampled_from(["signers", "logs"]),
        st.lists(st.tuples(st.just(Path("/p")), st.text(max_size=2))).map(tuple),
    ),
    rules=st.dictionaries(NAMES, CHANGES, max_size=4),
)


@given(LAYERS, LAYERS, LAYERS)
def test_merging_is_associative(a: Layer, b: Layer, c: Layer) -> None:
    assert a.merge(b).merge(c) == a.merge(b.merge(c))


@given(LAYERS)
def test_the_empty_layer_changes_nothing_and_repeating_changes_nothing(one: Layer) -> None:
    assert Layer().merge(one) == one
    assert one.merge(Layer()) == one
    assert one.merge(one) == one


@given(LAYERS, LAYERS)
def test_the_later_word_wins_key_by_key(a: Layer, b: Layer) -> None:
    both = a.merge(b)
    for rule in {*a.rules, *b.rules}:
        for key, value in both.rules[rule].items():
            assert value == b.rules.get(rule, {}).get(key, a.rules.get(rule, {}).get(key))
        assert both.rules[rule].keys() == {*a.rules.get(rule, {}), *b.rules.get(rule, {})}


# parameters where more is stricter; of all others, less is
MORE_IS_STRICTER = {"eps", "least", "samples", "confidence", "k", "approvals", "share"}
REACH = {("operations.retention", "days"), ("serving.tls", "days")}


def test_each_profile_is_as_strict_as_the_one_below() -> None:
    for rule in CATALOGUE:
        for parameter in rule.parameters:
            values = [parameter.values[one] for one in PROFILES]
            more = parameter.name in MORE_IS_STRICTER or (rule.id, parameter.name) in REACH
            tolerated = [set(one) for one in values if isinstance(one, tuple)]
            if tolerated:
                assert tolerated[0] >= tolerated[1] >= tolerated[2], rule.id
            elif not isinstance(values[0], str | bool):
                assert values == sorted(values, reverse=not more), (rule.id, parameter.name)
    asked = [{one.id for one in CATALOGUE if one.asked_in(profile)} for profile in PROFILES]
    assert asked[0] <= asked[1] <= asked[2]
    assert asked[2] == {one.id for one in CATALOGUE}


def test_rules_are_told_in_both_languages_and_their_defaults_are_valid() -> None:
    assert len({one.id for one in CATALOGUE}) == len(CATALOGUE)
    areas = {one.area for one in CATALOGUE}
    assert areas == {
        "robustness", "privacy", "integrity", "property", "access", "serving", "data", "operations",
        "environment",
    }  # fmt: skip
    for rule in CATALOGUE:
        for text in (rule.title, rule.explanation, rule.gain, *(one.title for one in rule.parameters)):
            assert text.en.isascii() or "–" in text.en, rule.id
            assert any("\u4e00" <= letter <= "\u9fff" for letter in text.zh), rule.id
        assert rule.names.eu, rule.id
        names = rule.names
        assert names.owasp or names.atlas or names.nist or names.eu or names.china, rule.id
        for profile in PROFILES:
            for parameter in rule.parameters:
                assert parameter.check(parameter.values[profile], rule.id) == parameter.values[profile]


def test_without_a_file_it_is_the_standard_profile() -> None:
    policy = load_policy()
    assert policy.profile == "standard"
    assert "robustness.worst-case" in policy.settings
    assert "property.watermark" not in policy.settings  # asked for from high on
    assert load_policy(profile="high").settings["property.watermark"].off is None
    assert policy.digest == load_policy().digest != load_policy(profile="low").digest


def write(path: Path, text: str) -> Path:
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def test_a_file_changes_what_it_names_and_extends_what_it_stands_on(tmp_path: Path) -> None:
    write(tmp_path / "house.toml", 'profile = "high"\n[rules.robustness.worst-case]\nleast = 0.3\neps = 0.02\n')
    own = write(
        tmp_path / "own.toml",
        'extends = "house.toml"\nname = "Ours"\nfail_at = "medium"\n'
        '[rules.robustness.worst-case]\nleast = 0.45\nseverity = "critical"\n'
        '[rules.property.traceable]\nuse = false\nbecause = "it never leaves"\n',
    )
    policy = load_policy([own])
    worst = policy.settings["robustness.worst-case"]
    assert (policy.name, policy.profile, policy.fail_at) == ("Ours", "high", "medium")
    assert (worst.values["least"], worst.values["eps"], worst.severity) == (0.45, 0.02, "critical")
    assert policy.settings["property.traceable"].off == "it never leaves"
    assert not policy.counts("low")
    assert policy.counts("medium")
    again = load_policy([own, write(tmp_path / "more.toml", "[rules.property.traceable]\nuse = true\n")])
    assert again.settings["property.traceable"].off is None


def test_a_rule_that_is_named_is_asked_for_whatever_the_profile(tmp_path: Path) -> None:
    own = write(tmp_path / "p.toml", 'profile = "low"\n[rules.robustness.certified]\nleast = 0.1\n')
    assert "robustness.certified" in load_policy([own]).settings
    assert "robustness.certified" not in load_policy(profile="low").settings


def test_the_digest_names_figures_and_keys_and_not_places(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    text = '[trust]\nsigners = ["key.pem"]\n'
    for name, key in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "key.pem").write_text(key)
        write(tmp_path / name / "p.toml", text)
    a, b, c = (load_policy([tmp_path / name / "p.toml"]).digest for name in "abc")
    assert a == b
    assert a != c
    named = write(tmp_path / "a" / "q.toml", 'name = "other words"\n' + text)
    assert load_policy([named]).digest == a


def test_keys_are_written_out_or_lie_in_files(tmp_path: Path) -> None:
    key = generate("alice@bank.example").verifier
    (tmp_path / "alice.pub").write_text(f"{key}\n")
    for text in (str(key), "alice.pub"):
        policy = load_policy([write(tmp_path / "p.toml", f'[trust]\nwaivers = ["{text}"]\n')])
        assert policy.trust.waivers == (str(key),)


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("[rules.robustness.worst-cas]\n", UnknownName, "robustness.worst-case"),
        ("[rules.robustness.worst-case]\nleats = 1\n", UnknownName, "least"),
        ("[rules.robustness.worst-case]\nleast = 1.5\n", ConfigError, r"\[0, 1\]"),
        ("[rules.robustness.worst-case]\nleast = true\n", ConfigError, "number"),
        ("[rules.robustness.worst-case]\nsamples = 10.5\n", ConfigError, "whole number"),
        ("[rules.robustness.worst-case]\nnorm = 2\n", ConfigError, "text"),
        ("[rules.robustness.flags]\nallowed = 'HB101'\n", ConfigError, "list"),
        ("[rules.robustness.worst-case]\nuse = false\n", ConfigError, "says why"),
        ("[rules.robustness.worst-case]\nuse = false\nbecause = ' '\n", ConfigError, "says why"),
        ("[rules.robustness.worst-case]\nuse = false\nbecause = 'x'\nleast = .5\n", ConfigError, "TOML"),
        (
            "[rules.robustness.worst-case]\nuse = false\nbecause = 'x'\nleast = 0.5\n",
            ConfigError,
            "contradicts",
        ),
        ("[rules.robustness.worst-case]\nbecause = 'x'\n", ConfigError, "use = false"),
        ("[rules.robustness.worst-case]\nseverity = 'serious'\n", UnknownName, "severity"),
        ("[rules]\nrobustness = 3\n", ConfigError, "tables"),
        ("profile = 'medium'\n", UnknownName, "profile"),
        ("fail_at = 'never'\n", UnknownName, "severity"),
        ("waivers_at_most_days = -1\n", ConfigError, "waivers_at_most_days"),
        ("policy = 1\n", UnknownName, "policy"),
        ("name = ''\n", ConfigError, "name"),
        ("[trust]\nsigner = []\n", UnknownName, "signers"),
        ("[trust]\nsigners = 'a'\n", ConfigError, "list"),
        ("[trust]\nsigners = ['none.pem']\n", DataError, "none.pem"),
        ("[trust]\nlogs = ['a+b+c']\n", DataError, "public key"),
        ("extends = 3\n", ConfigError, "extends"),
        ("extends = 'none.toml'\n", DataError, "none.toml"),
        ("extends = 'p.toml'\n", ConfigError, "extends itself"),
        ("rules = [\n", ConfigError, "TOML"),
    ],
)
def test_nonsense_is_refused_with_its_place(
    tmp_path: Path, text: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        load_policy([write(tmp_path / "p.toml", text)])


@pytest.mark.parametrize("values", [
    {"robustness.certified": {"least": 0.6, "eps": 0.1}, "robustness.worst-case": {"least": 0.5, "eps": 0.05}},
    {"access.stale-keys": {"unused_days": 500, "age_days": 100}},
    {"privacy.membership": {"advantage": 0.05, "tpr": 0.5}},
])  # fmt: skip
def test_a_policy_that_contradicts_itself_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="contradicts itself"):
        resolve(Layer(rules=values))


def test_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text('format = "hauberk-policy/2"\n')
    with pytest.raises(ConfigError, match="hauberk-policy/1"):
        read_layer(tmp_path / "p.toml")
    with pytest.raises(DataError, match="no policy"):
        read_layer(tmp_path / "none.toml")


def test_a_rule_that_does_not_exist_is_named_with_its_file(tmp_path: Path) -> None:
    place = write(tmp_path / "typo.toml", "[rules.robustness.wurst-case]\nleast = 0.5\n")
    with pytest.raises(UnknownName, match=r"typo\.toml"):
        load_policy([place])
