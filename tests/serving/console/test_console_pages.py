"""Models, evaluations, traffic, ledger, budgets and backups in a browser: seen, done, and refused."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axed import found_by_axe
from stocked import As, evaluated

from hauberk.access.key_store import new
from hauberk.ledger.policy import Policy
from hauberk.ledger.proof import Proof
from hauberk.serving.guard import tables
from hauberk.serving.guard.lifting import held
from hauberk.vault import promote, push
from hauberk.vault.listing import known

PATHS = (
    "/models",
    "/models/digits",
    "/models/digits/2",
    "/models/flowers/1",
    "/evaluations",
    "/traffic",
    "/ledger",
    "/budgets",
    "/backups",
)
LOCKED = ("/traffic", "/ledger", "/ledger/head", "/ledger/0/proof", "/budgets", "/backups")
Visits = Callable[..., Any]


def put(house: Any, nets: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    """A model of two versions, the first in production."""
    vault = house.vault
    gate, vault.gate = vault.gate, As("tom")
    try:
        for number, net in enumerate(nets, 1):
            evaluated(net, 0.9, 0.4 + number / 10, number).save(tmp_path / str(number))
            push(vault, net, name, evidence=tmp_path / str(number))
        promote(vault, f"{name}@1", "production")
        vault.gate = As("tim")
        promote(vault, f"{name}@1", "production")
    finally:
        vault.gate = gate


def in_production(house: Any, name: str) -> int | None:
    return next((one.number for one in known(house.vault, name) if "production" in one.aliases), None)


@pytest.mark.parametrize(
    ("lang", "width", "theme"),
    [
        ("en", 1280, "light"),
        ("zh", 390, "dark"),
        pytest.param("zh", 1280, "light", marks=pytest.mark.slow),
        pytest.param("en", 390, "dark", marks=pytest.mark.slow),
    ],
)
def test_each_page_is_whole_in_both_languages_on_both_widths(
    visit: Visits, lang: str, width: int, theme: str
) -> None:
    ada = visit("ada", lang=lang, width=width, theme=theme)
    for path in PATHS:
        assert ada.go(path).status == 200, ada.text
        assert ada.page.get_attribute("html", "lang") == {"en": "en", "zh": "zh-Hans"}[lang]
        assert ada.across() <= width, path
        assert found_by_axe(ada.page) == [], path
    assert ada.said == [], "the page's policy refused nothing, and no script failed"


def test_pages_work_without_a_script(visit: Visits) -> None:
    ada = visit("ada", script=False)
    for path in PATHS:
        assert ada.go(path).status == 200
        assert ada.page.locator("main h1").count() == 1


def test_who_may_not_see_a_page_is_told_so_and_it_stands_in_the_trail(visit: Visits, house: Any) -> None:
    vera = visit("vera")
    before = len(house.lines(who="vera", allowed=False))
    for path in LOCKED:
        assert vera.go(path).status == 403
        assert "You may not see or do this" in vera.text
    assert len(house.lines(who="vera", allowed=False)) == before + len(LOCKED)
    vera.go("/models")
    assert vera.page.locator("nav a").all_inner_texts() == ["Overview", "Models", "Evaluations"]
    assert vera.page.locator("#models tbody tr").count() >= 2
    nobody = visit("nobody")
    nobody.go("/models")
    assert "There is no model yet that you may see." in nobody.text
    for path in ("/models/digits", "/models/digits/2", "/evaluations/digits/2", "/models/digits/1/proof"):
        assert nobody.go(path).status == 403
    assert nobody.go("/models/nothing").status == 403, "he does not learn what is there"
    assert vera.go("/models/nothing").status == 404
    assert vera.go("/models/digits/99").status == 404


def test_a_version_goes_into_production_when_a_second_person_agrees(
    visit: Visits, house: Any, nets: tuple[Path, Path], tmp_path: Path
) -> None:
    put(house, nets, tmp_path, "eyes")
    mia = visit("mia")
    mia.go("/models/eyes/2")
    mia.page.get_by_role("button", name="Make it production").click()
    mia.page.locator("#promote-production").get_by_role("button", name="Make it production").click()
    mia.page.get_by_text("You have asked. It is done when somebody else agrees.").wait_for()
    assert in_production(house, "eyes") == 1
    mia.go("/models/eyes")
    assert "You have asked; it takes somebody else." in mia.text
    assert mia.page.get_by_role("button", name="Agree").count() == 0
    vera = visit("vera")
    vera.go("/models/eyes")
    assert "Version 2 is to become production." in vera.text
    assert vera.page.get_by_role("button", name="Agree").count() == 0
    max_ = visit("max", lang="zh")
    max_.go("/")
    assert "mia 请求将 eyes@2 设为 production" in max_.text
    max_.go("/models/eyes")
    max_.page.get_by_role("button", name="批准").click()
    max_.page.locator("#agree-2-production").get_by_role("button", name="批准").click()
    max_.page.get_by_text("已完成。服务器将在数秒内跟进。").wait_for()
    assert in_production(house, "eyes") == 2
    told = house.lines(action="model.promote", model="eyes", allowed=True)
    assert [one.who for one in told] == ["mia", "max"]


def test_a_version_is_revoked_with_a_reason_and_not_without(
    visit: Visits, house: Any, nets: tuple[Path, Path], tmp_path: Path
) -> None:
    put(house, nets, tmp_path, "gone")
    max_ = visit("max")
    max_.go("/models/gone/1")
    max_.page.get_by_role("button", name="Revoke").click()
    question = max_.page.locator("#revoke")
    question.get_by_label("Reason").fill(" ")
    question.get_by_role("button", name="Revoke").click()
    max_.page.get_by_text("a reason has 1 to 500 characters").wait_for()
    assert known(house.vault, "gone")[0].revoked is None
    max_.page.get_by_role("button", name="Revoke").click()
    max_.page.locator("#revoke").get_by_label("Reason").fill("trained on the wrong data")
    max_.page.locator("#revoke").get_by_role("button", name="Revoke").click()
    max_.page.get_by_text("Revoked. It answers nothing any more.").wait_for()
    revoked = known(house.vault, "gone")[0].revoked
    assert revoked is not None
    assert (revoked.by, revoked.reason) == ("max", "trained on the wrong data")
    assert "Revoked by max: trained on the wrong data" in max_.text
    assert max_.page.get_by_role("button", name="Revoke").count() == 0
    max_.go("/")
    assert "gone@1 is called production and was revoked" in max_.text


@pytest.mark.parametrize(
    ("path", "fields", "action"),
    [
        ("/models/digits/2", {"do": "promote", "alias": "production"}, "model.promote"),
        ("/models/digits/2", {"do": "revoke", "reason": "spite"}, "model.revoke"),
        ("/traffic", {"do": "lift", "caller": "eve"}, "access.manage"),
    ],
)
def test_an_action_that_one_may_not_is_refused_however_it_is_sent(
    visit: Visits, house: Any, path: str, fields: dict[str, str], action: str
) -> None:
    otto = visit("otto")
    otto.go(path)
    for name in ("Make it production", "Revoke", "Let go"):
        assert otto.page.get_by_role("button", name=name).count() == 0
    before = len(house.lines(who="otto", action=action, allowed=False))
    status = otto.page.evaluate(
        """async (fields) => {
            const token = document.querySelector('input[name="form_token"]').value;
            const body = new URLSearchParams({...fields, form_token: token});
            return (await fetch(location.href, {method: 'POST', body})).status;
        }""",
        fields,
    )
    assert status == 403
    assert len(house.lines(who="otto", action=action, allowed=False)) == before + 1
    assert in_production(house, "digits") == 1
    assert known(house.vault, "digits")[1].revoked is None


def test_a_report_opens_and_shows_its_own_style(visit: Visits) -> None:
    vera = visit("vera", lang="zh")
    vera.go("/evaluations")
    with vera.page.context.expect_page() as opened:
        vera.page.get_by_role("link", name="digits@2 的报告").click()
    report = opened.value
    report.wait_for_load_state()
    said: list[str] = []
    report.on("console", lambda message: said.append(message.text))
    report.reload()
    assert "最坏情况准确率" in report.inner_text("body")
    assert report.evaluate("document.styleSheets.length") == 1
    assert said == [], "its policy lets its style through"
    assert report.evaluate("self.origin") == "null", "in an origin of nobody"


def test_proof_and_head_that_are_downloaded_hold_elsewhere(visit: Visits, house: Any) -> None:
    otto = visit("otto")
    policy = Policy.of_log(house.vault.ledger.verifier)
    otto.go("/models/digits/1")
    with otto.page.expect_download() as saved:
        otto.page.get_by_role("link", name="Proof", exact=True).click()
    assert saved.value.suggested_filename == "digits-1.tlog-proof"
    proof = Proof.parse(Path(saved.value.path()).read_bytes())
    assert proof.verify(house.vault.ledger.entry(0), policy).size >= 5
    otto.go("/ledger")
    with otto.page.expect_download() as saved:
        otto.page.get_by_role("link", name="Proof of entry 3").click()
    proof = Proof.parse(Path(saved.value.path()).read_bytes())
    assert proof.verify(house.vault.ledger.entry(3), policy)
    with otto.page.expect_download() as saved:
        otto.page.get_by_role("link", name="Keep this head").click()
    assert policy.check(Path(saved.value.path()).read_bytes()).size >= 5
    with otto.page.expect_download() as saved:
        otto.page.get_by_role("link", name="Policy with its key").click()
    own = Policy.parse(Path(saved.value.path()).read_bytes())
    with otto.page.expect_download() as saved:
        otto.page.get_by_role("link", name="Entry 3", exact=True).click()
    assert proof.verify(Path(saved.value.path()).read_bytes(), own)
    otto.page.get_by_role("button", name="Read all of it again").click()
    otto.page.get_by_text("Everything is in order").wait_for()
    assert house.lines(who="otto", action="audit.read", detail="read the whole ledger again")


def test_who_is_held_is_let_go(visit: Visits, house: Any) -> None:
    tables.make(house.vault.database)
    until = house.vault.now_ms() / 1000 + 3600
    with house.vault.database.write() as connection:
        row = {"worker": "w", "kind": "verdict", "subject": "mallory", "until": until, "body": b"block"}
        connection.execute(tables.news.insert().values(row))
    otto = visit("otto")
    otto.go("/")
    assert "The guard acts against 1 caller." in otto.text
    otto.go("/traffic")
    assert "mallory" in otto.page.locator("#held").inner_text()
    assert otto.page.get_by_role("button", name="Let go").count() == 0
    ada = visit("ada")
    ada.go("/traffic")
    ada.page.get_by_role("button", name="Let go").click()
    ada.page.locator(".ask:popover-open").get_by_role("button", name="Let go").click()
    ada.page.get_by_text("Let go. All processes know within about a second.").wait_for()
    assert held(house.vault.database) == []
    line = house.lines(who="ada", action="access.manage", allowed=True)[-1]
    assert line.detail == "guard: let 'mallory' go"


def test_traffic_is_shown_as_it_comes_without_loading_the_page_again(visit: Visits, house: Any) -> None:
    otto = visit("otto")
    otto.go("/traffic")
    otto.page.evaluate("window.mark = 'the same page'")
    key = new(house.vault.database, "nightly").text
    tensor = {"name": "input", "shape": [1, 1, 4, 4], "datatype": "FP32", "data": [0.5] * 16}
    request = urllib.request.Request(
        f"{house.url}/v2/models/digits/infer",
        json.dumps({"inputs": [tensor]}).encode(),
        {"authorization": f"Bearer {key}"},
    )
    for _ in range(5):
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200
    callers = otto.page.locator("#callers tbody tr", has_text="nightly")
    callers.wait_for()
    assert "5" in callers.inner_text()
    otto.page.locator("#now .figure").first.wait_for()
    assert otto.page.evaluate("window.mark") == "the same page"
    assert otto.page.locator("#rates svg.chart").count() == 2, "one for wide windows, one for phones"
    otto.page.locator("#rates summary").click()
    assert otto.page.locator("#rates table tbody tr").count() >= 1
