"""Decisions by Cedar against a reference that is written out: deny wins, patterns, scopes, versions."""

from __future__ import annotations

import re
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.access import cedar
from hauberk.access.cedar import NO_RULE, Named
from hauberk.access.granting import Grant
from hauberk.access.roles import BUILT_IN
from hauberk.access.words import ACTIONS, Rule, check_name, check_pattern, check_role, expand
from hauberk.core.errors import ConfigError, UnknownName

NAMES = ["face", "face-1", "face-secret", "text", "FACE", "f*", ""]
VERSIONS = ["1", "3", "production", "staging"]

actions = st.sampled_from([*ACTIONS[:6], "model.*", "access.manage", "*"])
models = st.sampled_from(["*", "face", "face-*", "*-secret", "f*e*", "text", "*e*"])
patterns = st.builds(
    lambda model, version: model + version, models, st.sampled_from(["", "", "@3", "@production"])
)
effects: st.SearchStrategy[Literal["allow", "deny"]] = st.sampled_from(["allow", "allow", "deny"])
rules = st.builds(Rule, effects, actions, patterns)
named = st.lists(st.tuples(rules, patterns), max_size=6).map(
    lambda found: [Named(f"rule {number}", rule, within) for number, (rule, within) in enumerate(found)]
)
scopes = st.lists(st.builds(Rule, st.just("allow"), actions, patterns), max_size=2)


def fits(pattern: str, model: str, versions: list[str]) -> bool:
    """The specification of a pattern, with nothing of the code's."""
    name, at, version = pattern.partition("@")
    expression = ".*".join(map(re.escape, name.split("*")))
    return re.fullmatch(expression, model, re.DOTALL) is not None and (not at or version in versions)


def speaks(rule: Rule, action: str) -> bool:
    return rule.action in ("*", action, action.split(".")[0] + ".*")


@settings(max_examples=300, deadline=None)
@given(
    rules=named,
    scopes=scopes,
    action=st.sampled_from(ACTIONS[:8]),
    model=st.sampled_from(NAMES),
    versions=st.lists(st.sampled_from(VERSIONS), max_size=2, unique=True),
)
def test_decisions_are_those_of_the_reference(
    rules: list[Named], scopes: list[Rule], action: str, model: str, versions: list[str]
) -> None:
    applying = [
        one
        for one in rules
        if speaks(one.rule, action)
        and fits(one.rule.pattern, model, versions)
        and fits(one.within, model, versions)
    ]
    denying = {one.name for one in applying if one.rule.effect == "deny"}
    outside = bool(scopes) and not any(
        speaks(one, action) and fits(one.pattern, model, versions) for one in scopes
    )
    allowing = {one.name for one in applying if one.rule.effect == "allow"}
    allowed = bool(allowing) and not denying and not outside
    why = allowing if allowed else denying | ({"scope"} if outside else set()) or {NO_RULE}

    policies = cedar.compiled(cedar.policies("ada", action, rules, scopes, "scope"))
    verdict = cedar.ask(policies, "ada", action, model, versions)
    assert verdict.allowed == allowed
    assert set(verdict.why) == why


def test_policies_of_one_identity_and_action_say_nothing_of_others() -> None:
    policies = cedar.compiled(cedar.policies("ada", "model.pull", [Named("all", Rule("allow", "*"))]))
    assert cedar.ask(policies, "ada", "model.pull", "face", []).allowed
    assert not cedar.ask(policies, "bob", "model.pull", "face", []).allowed
    assert not cedar.ask(policies, "ada", "model.push", "face", []).allowed


@pytest.mark.parametrize("model", ['"] || true', "face\n", 'x" like "*', "模型", "a" * 5000, "*", "\\*"])
def test_a_model_name_cannot_break_out_of_the_question(model: str) -> None:
    policies = cedar.compiled(
        cedar.policies("ada", "model.pull", [Named("one", Rule("allow", "model.pull", "face"))])
    )
    assert not cedar.ask(policies, "ada", "model.pull", model, [model]).allowed


def test_denying_a_role_denies_what_it_allows_and_keeps_what_it_denies() -> None:
    own = (Rule("allow", "model.pull"), Rule("deny", "model.push", "face"))
    grant = Grant(7, "ada", "deny", "mine", "face-*")
    assert grant.rules(own) == [Named("grant 7: mine 1", Rule("deny", "model.pull"), "face-*")]
    everything = Grant(8, "ada", "allow", "admin", "*").rules(BUILT_IN["admin"])
    policies = cedar.compiled(cedar.policies("ada", "model.pull", [*everything, *grant.rules(own)]))
    assert cedar.ask(policies, "ada", "model.pull", "text", []).allowed
    assert not cedar.ask(policies, "ada", "model.pull", "face-1", []).allowed


# role, and every action that it allows: written out a second time
ROLES = {
    "viewer": {"model.view"},
    "predictor": {"model.view", "model.predict"},
    "auditor": {"model.view", "model.evaluate", "access.view", "audit.read"},
    "trainer": {
        "model.view", "model.pull", "model.predict", "model.push", "model.evaluate", "ledger.append",
    },
    "release-manager": {
        "model.view", "model.pull", "model.evaluate", "model.promote", "model.revoke", "ledger.append",
    },
    "analyst": {"data.query"},
    "data-steward": {"data.manage", "data.query", "data.reidentify"},
    "admin": {
        "model.view", "model.pull", "model.predict", "model.push", "model.promote", "model.revoke",
        "model.evaluate", "access.manage", "access.view", "audit.read", "backup.run", "data.manage",
        "data.query", "data.reidentify", "ledger.append", "vault.admin",
    },
}  # fmt: skip


def test_built_in_roles_allow_what_the_table_says() -> None:
    assert {
        name: {one for rule in found for one in expand(rule.action)} for name, found in BUILT_IN.items()
    } == ROLES
    assert all(rule.effect == "allow" for found in BUILT_IN.values() for rule in found)


@pytest.mark.parametrize(
    "name", ["", "Ada", "ada ", "аda", "a" * 65, ".ada", "ada/", "owner", 'a"b', "a\nb", "ada."]
)
def test_names_that_look_like_others_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        check_name(name)


@pytest.mark.parametrize("pattern", ["", "a b", "face@", "face@*", "face@a@b", 'x"', "é", "@3", "a" * 129])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError):
        check_pattern(pattern)
    with pytest.raises(ConfigError):
        Rule("allow", "model.pull", pattern)


def test_misspelt_actions_are_told() -> None:
    with pytest.raises(UnknownName, match=r"model\.pull"):
        Rule("allow", "model.pul")
    with pytest.raises(UnknownName):
        Rule("allow", "models.*")
    with pytest.raises(ConfigError):
        check_role("Admin.1")
    assert check_name("ada@example.com") == "ada@example.com"
