"""The frame of the console in a browser: signing in, navigation, languages, appearance, keyboard, renewal."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import PASSWORD, Visit, serious

from hauberk.access.identities import add, set_disabled

PATHS = ("/", "/access", "/access/people/ada", "/access/people/nightly", "/access/roles", "/access/keys",
         "/access/explain?name=mia&action=model.promote&model=digits&version=production",
         "/trail", "/nowhere")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("lang", "width", "theme"),
    [("zh", 390, "dark"), pytest.param("en", 1280, "light", marks=pytest.mark.slow)],
)
def test_pages_can_be_read(visit: Callable[..., Visit], path: str, lang: str, width: int, theme: str) -> None:
    ada = visit("ada", lang=lang, width=width, theme=theme)
    ada.go(path)
    assert ada.page.get_attribute("html", "lang") == {"en": "en", "zh": "zh-Hans"}[lang]
    assert ada.page.inner_text("h1")
    assert ada.across() <= width
    assert serious(ada) == []
    assert [one for one in ada.said if "404" not in one] == []


@pytest.mark.parametrize(("lang", "width", "theme"), [("en", 390, "light"), ("zh", 1280, "dark")])
def test_signing_in_and_out(visit: Callable[..., Visit], lang: str, width: int, theme: str) -> None:
    stranger = visit(None, lang=lang, width=width, theme=theme)
    house, name = stranger.house, f"ina-{lang}"
    add(house.vault.database, name)
    house.access.accounts.set_password(name, PASSWORD)
    made = house.access.accounts.enrol(name)
    stranger.go("/trail")
    page = stranger.page
    assert page.url.endswith("/console/sign-in?next=%2Fconsole%2Ftrail")
    assert serious(stranger) == []
    assert stranger.across() <= width
    page.fill("[name=name]", name)
    page.fill("[name=password]", "not the password")
    page.fill("[name=code]", made.recovery[0])
    page.keyboard.press("Enter")
    page.wait_for_selector("[role=alert]")
    assert (
        page.inner_text("[role=alert]").strip()
        == {
            "en": "The name, the password or the code is wrong.",
            "zh": "用户名、密码或验证码有误。",
        }[lang]
    )
    assert page.input_value("[name=name]") == name
    assert page.input_value("[name=password]") == ""
    assert serious(stranger) == []
    page.fill("[name=password]", PASSWORD)
    page.fill("[name=code]", made.recovery[1])
    page.keyboard.press("Enter")
    page.wait_for_url("**/console/trail")
    assert {"en": "You may not see or do this", "zh": "您无权查看或执行此操作"}[lang] == page.inner_text("h1")
    page.goto(f"{house.url}/console/")
    if width < 860:
        page.click(".menu")
    page.click({"en": "text=Sign out", "zh": "text=退出登录"}[lang])
    page.wait_for_url("**/console/sign-in")
    page.goto(f"{house.url}/console/")
    assert "/sign-in" in page.url


def test_the_cookie_is_out_of_reach_for_scripts(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    ada.go("/")
    ada.page.context.clear_cookies()
    ada.page.context.add_cookies(
        [{"name": "hauberk-session", "value": ada.house.cookie("ada"), "url": ada.house.url, "httpOnly": True}]
    )
    ada.go("/")
    assert ada.page.evaluate("document.cookie") == ""


def test_each_sees_the_pages_that_he_may(visit: Callable[..., Visit]) -> None:
    found = {}
    for name in ("ada", "otto", "vera", "nobody"):
        someone = visit(name)
        someone.go("/")
        links = someone.page.query_selector_all(".side nav a")
        found[name] = {one.inner_text().strip() for one in links}
    assert {"Overview", "Access", "Audit trail"} <= found["ada"]
    assert {"Overview", "Access", "Audit trail"} <= found["otto"]
    assert found["vera"].isdisjoint({"Access", "Audit trail"})
    assert found["nobody"].isdisjoint({"Access", "Audit trail"})


@pytest.mark.parametrize("path", ["/access", "/access/people/ada", "/access/roles", "/access/keys",
                                  "/access/explain", "/trail", "/trail/export"])  # fmt: skip
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_page_that_one_may_not_see_says_so(visit: Callable[..., Visit], path: str, lang: str) -> None:
    vera = visit("vera", lang=lang, width=390 if lang == "zh" else 1280)
    before = len(vera.house.lines(who="vera", allowed=False))
    assert vera.go(path).status == 403
    assert (
        vera.page.inner_text("h1")
        == {
            "en": "You may not see or do this",
            "zh": "您无权查看或执行此操作",
        }[lang]
    )
    assert len(vera.house.lines(who="vera", allowed=False)) == before + 1
    assert serious(vera) == []
    assert vera.page.query_selector("main table") is None


def test_language_and_appearance_are_chosen_and_kept(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    ada.go("/trail?who=ada")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = ada.page.evaluate(paper)
    ada.page.click("[name=theme][value=dark]")
    ada.page.wait_for_load_state()
    assert ada.page.url.endswith("/console/trail?who=ada")
    assert ada.page.evaluate(paper) != light
    ada.page.click("[name=lang]")
    ada.page.wait_for_load_state()
    assert ada.page.inner_text("h1") == "审计记录"
    ada.go("/access")
    assert ada.page.inner_text("h1") == "访问权限"
    assert ada.page.get_attribute("html", "data-theme") == "dark"
    ada.page.click("[name=lang]")
    ada.page.wait_for_load_state()
    assert ada.page.inner_text("h1") == "Access"


def test_the_keyboard_goes_everywhere(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    ada.go("/access")
    ada.page.keyboard.press("Tab")
    assert ada.page.evaluate("document.activeElement.className") == "skip"
    ada.page.keyboard.press("Enter")
    assert ada.page.evaluate("document.activeElement.id") == "main"
    ada.page.keyboard.press("j")
    ada.page.wait_for_url("**/console/trail")
    ada.page.keyboard.press("/")
    assert ada.page.evaluate("document.activeElement.name") == "who"
    ada.page.keyboard.press("j")  # typed, not followed
    assert ada.page.input_value("[name=who]") == "j"
    ada.page.evaluate("document.activeElement.blur()")
    ada.page.keyboard.press("?")
    assert ada.page.is_visible("#keys")
    assert serious(ada) == []
    ada.page.keyboard.press("Escape")
    assert not ada.page.is_visible("#keys")
    ada.page.keyboard.press("k")
    ada.page.wait_for_url("**/console/access")


def test_everything_that_can_be_pressed_shows_where_the_focus_is(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    ada.go("/access")
    seen = 0
    for _ in range(40):
        ada.page.keyboard.press("Tab")
        style = ada.page.evaluate(
            "(() => { const at = document.activeElement; if (at === document.body) return null;"
            "const s = getComputedStyle(at); return [s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
        )
        if style is None:
            break
        assert style[0] != "none"
        assert style[1] >= 2
        seen += 1
    assert seen > 15


def test_a_phone_has_a_menu(visit: Callable[..., Visit]) -> None:
    ada = visit("ada", width=390)
    ada.go("/")
    assert not ada.page.is_visible("#side")
    ada.page.click(".menu")
    assert ada.page.is_visible("#side")
    assert serious(ada) == []
    ada.page.click("#side nav >> text=Audit trail")
    ada.page.wait_for_url("**/console/trail")
    assert not ada.page.is_visible("#side")


def test_pages_work_without_a_script(visit: Callable[..., Visit]) -> None:
    ada = visit("ada", script=False, width=390)
    ada.go("/access")
    ada.page.fill("main [name=name]", "noscript")
    ada.page.click("main button.main")
    ada.page.wait_for_url("**/access/people/noscript?said=added")
    ada.page.click("text=Disable")
    assert ada.page.is_visible("#disable")
    ada.page.click("#disable button[type=submit]")
    ada.page.wait_for_url("**?said=disabled")
    assert "disabled" in ada.text


def test_parts_renew_themselves_without_reloading(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    house = ada.house
    ada.page.clock.install()
    ada.go("/")
    ada.page.evaluate("window.still = true")
    before = len(house.lines(who="ada"))
    add(house.vault.database, "forgetful")
    house.access.accounts.set_password("forgetful", PASSWORD)
    assert "forgetful" not in ada.text
    ada.page.clock.run_for(16_000)
    ada.page.wait_for_selector("text=forgetful has a password")
    assert ada.page.evaluate("window.still")
    assert len(house.lines(who="ada")) == before
    set_disabled(house.vault.database, "forgetful", True)
    ada.page.clock.run_for(16_000)
    ada.page.wait_for_selector("text=forgetful has a password", state="detached")
    assert serious(ada) == []


def test_a_page_that_renews_itself_goes_when_the_session_is_gone(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    add(ada.house.vault.database, "brief")
    ada.page.context.clear_cookies()
    token = ada.house.cookie("brief")
    ada.page.context.add_cookies([{"name": "hauberk-session", "value": token, "url": ada.house.url}])
    ada.page.clock.install()
    ada.go("/")
    ada.house.sessions.end(token)
    ada.page.clock.run_for(16_000)
    ada.page.wait_for_url("**/sign-in?next=%2Fconsole%2F")


def test_it_says_when_it_is_no_longer_renewed(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    ada.page.clock.install()
    ada.go("/")
    ada.page.route("**/console/", lambda route: route.abort())
    for _ in range(3):
        ada.page.clock.run_for(60_000)
    ada.page.wait_for_selector("text=No longer renewed")
    ada.page.unroute("**/console/")


def test_motion_is_reduced_where_that_is_asked_for(visit: Callable[..., Visit]) -> None:
    ada = visit("ada")
    ada.page.emulate_media(reduced_motion="reduce")
    ada.go("/")
    assert (
        ada.page.evaluate("getComputedStyle(document.querySelector('.side nav a')).transitionDuration") == "0s"
    )
    ada.page.emulate_media(media="print")
    assert not ada.page.is_visible(".side")
