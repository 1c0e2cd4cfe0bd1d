"""Access in a browser: each thing that is done there, and that it is refused to whoever may not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from asking import as_
from conftest import PASSWORD, House, Visit, serious

from hauberk.access import accounts, granting, identities, key_store, open_access, totp
from hauberk.access.deciding import Caller, Question
from hauberk.core.clock import now
from hauberk.core.errors import AccessDenied


def confirm(visit: Visit, id_: str) -> None:
    """Open a question and say yes to it."""
    visit.page.click(f"button[popovertarget='{id_}']:not([popovertargetaction])")
    visit.page.wait_for_selector(f"#{id_}:popover-open")
    assert serious(visit) == []
    visit.page.click(f"#{id_} button[type=submit]")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_somebody_is_added_granted_something_and_loses_it(visit: Callable[..., Visit], lang: str) -> None:
    ada = visit("ada", lang=lang, width=390 if lang == "zh" else 1280)
    page, house, name = ada.page, ada.house, f"paul-{lang}"
    ada.go("/access")
    page.fill("main [name=name]", name)
    page.click("main button.main")
    page.wait_for_url(f"**/access/people/{name}?said=added")
    assert page.is_visible("[role=status]")
    assert identities.one(house.vault.database, name).kind == "person"
    page.select_option("#f-what", "predictor")
    page.fill("#f-pattern", "digits")
    page.click("form.inline:has(#f-what) button.main")
    page.wait_for_url("**?said=granted")
    question = Question("model.predict", "digits", ("1", "production"))
    assert house.access.preview(Caller(name, ""), question).allowed
    page.select_option("#f-what", "model.predict")
    page.fill("#f-pattern", "digits@production")
    page.select_option("#f-effect", "deny")
    page.click("form.inline:has(#f-what) button.main")
    page.wait_for_url("**?said=granted")
    assert not house.access.preview(Caller(name, ""), question).allowed
    grants = [one for one in granting.all_grants(house.vault.database) if one.identity == name]
    confirm(ada, f"grant-{grants[1].id}")
    page.wait_for_url("**?said=taken_back")
    assert house.access.preview(Caller(name, ""), question).allowed
    said = {line.detail for line in house.lines(who="ada", action="access.manage") if name in line.detail}
    assert said == {
        f"add person {name}",
        f"grant predictor to {name} on digits",
        f"grant model.predict to {name} on digits@production (denied)",
        f"take back model.predict from {name} on digits@production (denied)",
    }


def test_what_cannot_be_is_said_and_nothing_is_done(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    ada.go("/access")
    ada.page.fill("main [name=name]", "Not A Name")
    ada.page.click("main button.main")
    ada.page.wait_for_selector("[role=alert]")
    assert "is no name for an identity" in ada.page.inner_text("[role=alert]")
    assert ada.page.input_value("main [name=name]") == "Not A Name", "what was typed is still there"
    assert serious(ada) == []
    asker = as_(ada.house, "ada")
    for path, act, form, says in (
        ("/access", "add", {"name": "ada", "kind": "person"}, "already"),
        ("/access", "add", {"name": "alien", "kind": "robot"}, "a person or a service"),
        ("/access/people/vera", "grant", {"what": "no-such-role", "pattern": "*"}, "unknown role"),
        ("/access/people/vera", "grant", {"what": "viewer", "pattern": "a b"}, "no pattern"),
        ("/access/people/vera", "take-back", {"what": "admin", "pattern": "*"}, "was not granted"),
        ("/access/people/vera", "new-key", {"days": "12345", "scopes": ""}, "choose one"),
        ("/access/people/vera", "new-key", {"days": "30", "scopes": "nonsense"}, "unknown action"),
        ("/access/people/vera", "revoke-key", {"key": "0123456789ab"}, "no such key"),
        ("/access/people/vera", "rotate-key", {"key": "x", "hours": "1"}, "no such key"),
        ("/access/people/vera", "password", {"password": "short", "again": "short"}, "12 to 256"),
        ("/access/people/vera", "password", {"password": PASSWORD, "again": "other"}, "differ"),
        ("/access/people/nightly", "password", {"password": PASSWORD, "again": PASSWORD}, "is a service"),
        ("/access/people/nightly", "factor", {}, "is a service"),
        ("/access/roles", "set", {"name": "viewer", "rules": "allow model.view"}, "built in"),
        ("/access/roles", "set", {"name": "empty", "rules": ""}, "needs a rule"),
        ("/access/roles", "set", {"name": "odd", "rules": "maybe model.view"}, "is no rule"),
        ("/access/roles", "set", {"name": "odd", "rules": "allow model.nothing"}, "unknown action"),
    ):
        told = asker.do(path, act, **form)
        assert told.status == 400, (path, act, form)
        assert says in told.text.replace("&#39;", "'"), (says, told.text)
        assert "short" not in told.text or act != "password"
    assert asker.get("/access/people/there-is-nobody").status == 404
    assert asker.do("/access/people/there-is-nobody", "disable").status in (400, 404)


def test_a_key_is_shown_once_rotated_and_revoked(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    page, house = ada.page, ada.house
    identities.add(house.vault.database, "keyed", "service")
    ada.go("/access/people/keyed")
    page.select_option("[name=days]", "30")
    page.fill("[name=scopes]", "model.predict:digits model.view")
    page.click("form.inline:has([name=days]) button.main")
    page.wait_for_selector(".secret")
    first = page.inner_text("#secret")
    assert house.access.by_key(first).name == "keyed"
    assert serious(ada) == []
    page.click("text=I have kept it")
    page.wait_for_url("**/access/people/keyed")
    assert first not in page.content()
    (key,) = key_store.listed(house.vault.database, "keyed")
    assert [str(one) for one in key.scopes] == ["model.predict:digits", "model.view:*"]
    page.click(f"button[popovertarget='rotate-{key.id}']:not([popovertargetaction])")
    page.select_option(f"#hours-{key.id}", "0")
    assert serious(ada) == []
    page.click(f"#rotate-{key.id} button[type=submit]")
    page.wait_for_selector(".secret")
    second = page.inner_text("#secret")
    assert second != first
    with pytest.raises(AccessDenied):
        open_access(house.vault).by_key(first)
    page.click("text=I have kept it")
    made = house.access.by_key(second)
    confirm(ada, f"revoke-{made.key}")
    page.wait_for_url("**?said=key_revoked")
    with pytest.raises(AccessDenied):
        open_access(house.vault).by_key(second)
    details = [line.detail for line in house.lines(who="ada", action="access.manage")]
    assert f"rotate key {key.id}" in details
    assert f"revoke key {made.key}" in details
    ada.go("/access/keys?all=1")
    assert key.id in ada.text
    ada.go("/access/keys")
    assert key.id not in ada.text


def test_a_page_changes_the_keys_of_whom_it_shows(house: House) -> None:
    identities.add(house.vault.database, "keeps", "service")
    made = key_store.new(house.vault.database, "keeps")
    told = as_(house, "ada").do("/access/people/vera", "revoke-key", key=made.id)
    assert told.status == 400
    assert house.access.by_key(made.text).name == "keeps"
    told = as_(house, "ada").do("/access/people/vera", "revoke-key", key=made.text)
    assert told.status == 400
    assert not any(made.text in line.detail for line in house.lines())


def test_a_person_is_let_in_and_put_out(visit: Callable[..., Visit]) -> None:
    """From nothing to a session and back, all in browsers."""
    ada = visit("ada")
    page, house = ada.page, ada.house
    identities.add(house.vault.database, "newcomer")
    ada.go("/access/people/newcomer")
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=again]", PASSWORD)
    page.click("form:has([name=again]) button[type=submit]")
    page.wait_for_url("**?said=password_set")
    confirm(ada, "factor")
    page.wait_for_selector(".qr")
    assert serious(ada) == []
    import base64

    text = page.inner_text("#secret")
    secret = base64.b32decode(text + "=" * (-len(text) % 8))
    assert len(page.query_selector_all("#recovery li")) == 10
    address = f"otpauth://totp/Hauberk%3Anewcomer?secret={text}&issuer=Hauberk"
    assert drawn_of(page, f"{address}&algorithm=SHA1&digits=6&period=30")
    assert accounts.having(house.vault.database)[1] >= {"newcomer"}
    newcomer = visit(None)
    newcomer.go("/")
    newcomer.page.fill("[name=name]", "newcomer")
    newcomer.page.fill("[name=password]", PASSWORD)
    newcomer.page.fill("[name=code]", totp.code(secret, totp.step_at(now().timestamp())))
    newcomer.page.keyboard.press("Enter")
    newcomer.page.wait_for_selector("text=Needs attention")
    ada.go("/access/people/newcomer")
    confirm(ada, "end")
    page.wait_for_url("**?said=sessions_ended")
    newcomer.go("/")
    assert "/sign-in" in newcomer.page.url
    token = house.sessions.begin("newcomer", "password and code", "")
    ada.go("/access/people/newcomer")
    confirm(ada, "disable")
    page.wait_for_url("**?said=disabled")
    assert house.sessions.find(token) is None
    page.click("text=Enable")
    page.wait_for_url("**?said=enabled")
    confirm(ada, "drop")
    page.wait_for_url("**?said=factor_dropped")
    assert "newcomer" not in accounts.having(house.vault.database)[1]


def drawn_of(page: Any, text: str) -> bool:
    """Whether the squares that the browser got are those of a text's QR code, each of them."""
    import segno

    found = re.findall(r"M(\d+) (\d+)h1v1h-1z", page.get_attribute(".qr path", "d"))
    rows = segno.make_qr(text, error="m").matrix_iter(border=4)
    meant = {(x, y) for y, row in enumerate(rows) for x, dark in enumerate(row) if dark}
    return {(int(x), int(y)) for x, y in found} == meant


def test_a_role_is_made_and_explained(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    page, house = ada.page, ada.house
    ada.go("/access/roles")
    page.fill("[name=name]", "night-watch")
    page.fill("[name=rules]", "allow model.predict:digits\n\ndeny model.predict:digits@2")
    page.click("main button.main")
    page.wait_for_url("**?said=role_set")
    assert "night-watch" in ada.text
    identities.add(house.vault.database, "watcher", "service")
    granting.grant(house.vault.database, "night-watch", "watcher")
    for version, answer, decided in (("1", "Yes.", "night-watch 1"), ("2", "No.", "night-watch 2")):
        ada.go("/access/explain")
        page.select_option("[name=name]", "watcher")
        page.select_option("[name=action]", "model.predict")
        page.fill("[name=model]", "digits")
        page.fill("[name=version]", version)
        page.click("main button.main")
        page.wait_for_selector("#answer")
        assert answer in page.inner_text("main [role=status]")
        assert decided in page.inner_text("main [role=status]")
        assert serious(ada) == []
    assert house.lines(who="ada", action="access.view", detail="explain watcher model.predict digits@2")


ACTS = [
    ("/access", "add", {"name": "sneaked", "kind": "person"}),
    ("/access/people/vera", "grant", {"what": "admin", "pattern": "*", "effect": "allow"}),
    ("/access/people/vera", "take-back", {"what": "viewer", "pattern": "*", "effect": "allow"}),
    ("/access/people/vera", "new-key", {"days": "30", "scopes": ""}),
    ("/access/people/vera", "rotate-key", {"key": "KEY", "hours": "1"}),
    ("/access/people/vera", "revoke-key", {"key": "KEY"}),
    ("/access/people/vera", "password", {"password": PASSWORD, "again": PASSWORD}),
    ("/access/people/vera", "factor", {}),
    ("/access/people/vera", "drop-factor", {}),
    ("/access/people/vera", "end-sessions", {}),
    ("/access/people/vera", "disable", {}),
    ("/access/people/vera", "enable", {}),
    ("/access/roles", "set", {"name": "sneaked", "rules": "allow *"}),
]


@pytest.mark.parametrize(("path", "act", "form"), ACTS, ids=[act for _, act, _ in ACTS])
@pytest.mark.parametrize("name", ["otto", "vera"])
def test_what_one_may_not_do_is_refused_and_written_down(
    house: House, name: str, path: str, act: str, form: dict[str, str]
) -> None:
    """Otto may look at all of it, Vera at nothing; neither may change it."""
    database = house.vault.database
    if "key" in form:
        keys = key_store.listed(database, "vera") or [key_store.new(database, "vera")]
        form = {**form, "key": keys[0].id}

    def state() -> object:
        return (
            identities.everybody(database),
            granting.all_grants(database),
            granting.all_roles(database),
            key_store.listed(database),
            accounts.having(database),
        )

    someone = as_(house, name)
    someone.token()
    before, lines = state(), len(house.lines(who=name, action="access.manage", allowed=False))
    told = someone.do(path, act, **form)
    assert told.status == 403
    assert "You may not see or do this" in told.text
    assert "hbk_" not in told.text
    assert state() == before
    assert len(house.lines(who=name, action="access.manage", allowed=False)) == lines + 1
    assert PASSWORD not in str(house.lines(who=name))


def test_whoever_may_only_look_is_offered_nothing_to_change(visit: Callable[..., Visit]) -> None:
    otto = visit("otto")
    for path in ("/access", "/access/people/ada", "/access/roles", "/access/keys"):
        assert otto.go(path).status == 200
        assert otto.page.query_selector_all("main form[method=post]") == []


def test_every_act_of_the_console_is_tried_by_whoever_may_not() -> None:
    from hauberk.serving.console import people, person, roles

    known = {(page.path.replace("{name}", "vera"), act) for page in (people.PAGE, person.PAGE, roles.PAGE)
             for act in page.acts}  # fmt: skip
    assert known == {(path, act) for path, act, _ in ACTS}


def test_what_needs_attention_is_told(house: House, visit: Callable[..., Visit]) -> None:
    from datetime import timedelta

    identities.add(house.vault.database, "lapsing", "service")
    made = key_store.new(house.vault.database, "lapsing", lifetime=timedelta(days=5))
    identities.add(house.vault.database, "careless")
    house.access.accounts.set_password("careless", PASSWORD)
    otto = visit("otto")
    otto.go("/")
    assert f"Key {made.id} of lapsing ends in 5 days" in otto.text
    assert "careless has a password and no second factor" in otto.text
    vera = visit("vera")
    vera.go("/")
    assert made.id not in vera.text
    assert "careless" not in vera.text
    otto.page.click(f"text=Key {made.id}")
    otto.page.wait_for_url("**/access/people/lapsing")
