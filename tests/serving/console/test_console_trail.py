"""The trail in a browser: searched, verified, handed out; and what it says when somebody changed a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from asking import as_
from conftest import House, Visit, house_in, serious

from hauberk.access.deciding import Caller, Question
from hauberk.access.trail.counting import HOUR_MS, by_hour
from hauberk.serving.console.bars import bars, top_of

WORDS = {"en": ("Unchanged and in order.", "The trail is not what the ledger was told."),
         "zh": ("完整无误，顺序正确。", "审计记录与账本所载不符。")}  # fmt: skip


@pytest.fixture
def own_house(tmp_path: Path, nets: tuple[Path, Path]) -> Iterator[House]:
    """One whose trail may be spoilt."""
    with house_in(tmp_path, nets) as found:
        yield found


def ask(house: House, name: str, model: str, times: int = 1) -> None:
    for _ in range(times):
        house.access.decide(Caller(name, "test"), Question("model.predict", model, ("1",)))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_lines_are_searched(visit: Callable[..., Visit], lang: str) -> None:
    otto = visit("otto", lang=lang, width=390 if lang == "zh" else 1280)
    page, model = otto.page, f"searched-{lang}"
    ask(otto.house, "ada", model, 3)
    ask(otto.house, "vera", model, 2)
    otto.go("/trail")
    page.fill("[name=model]", f"sear*{lang}")
    page.click("form[role=search] button")
    page.wait_for_url("**model=sear*")
    assert len(page.query_selector_all("table.trail tbody tr")) == 5
    page.select_option("[name=answer]", "refused")
    page.click("form[role=search] button")
    page.wait_for_url("**answer=refused*")
    rows = page.query_selector_all("table.trail tbody tr")
    assert len(rows) == 2
    assert all("vera" in row.inner_text() for row in rows)
    page.fill("[name=who]", "ada")
    page.click("form[role=search] button")
    page.wait_for_url("**who=ada*")
    assert page.query_selector_all("table.trail tbody tr") == []
    assert serious(otto) == []
    page.click("a.clear")
    page.wait_for_url("**/console/trail")
    assert otto.page.query_selector_all("table.trail tbody tr") != []


def test_pages_are_turned_without_losing_a_line(house: House, visit: Callable[..., Visit]) -> None:
    ask(house, "mia", "turned", 120)
    otto = visit("otto")
    otto.go("/trail?model=turned")
    seen = []
    for expected in (50, 50, 20):
        cells = otto.page.query_selector_all("table.trail tbody tr td:first-child")
        assert len(cells) == expected
        seen += [int(one.inner_text().replace(",", "")) for one in cells]
        if expected == 50:
            otto.page.click("text=Older lines")
            otto.page.wait_for_url("**below=*")
    assert otto.page.query_selector("text=Older lines") is None
    assert seen == sorted(seen, reverse=True)
    assert seen == [line.number for line in house.lines(model="turned")][::-1]


@pytest.mark.parametrize(
    ("query", "says"),
    [("since=yesterday", "is no day"), ("until=2026-02-30", "is no day"), ("below=-1", "is no number"),
     ("below=" + "9" * 40, "is no number")],
)  # fmt: skip
def test_a_search_that_cannot_be_is_said(house: House, query: str, says: str) -> None:
    told = as_(house, "otto").get(f"/trail?{query}")
    assert told.status == 400
    assert says in told.text
    assert as_(house, "otto").get(f"/trail/export?{query}").status == 400


def test_days_are_whole(house: House) -> None:
    from hauberk.core.clock import now

    ask(house, "mia", "today")
    otto, day = as_(house, "otto"), now().strftime("%Y-%m-%d")
    assert "today" in otto.get(f"/trail?model=today&since={day}&until={day}").text
    assert "No line fits." in otto.get("/trail?model=today&until=2026-01-01").text


@pytest.mark.parametrize("kind", ["ocsf", "lines"])
def test_the_trail_is_handed_out(visit: Callable[..., Visit], kind: str) -> None:
    otto = visit("otto")
    ask(otto.house, "ada", f"exported-{kind}", 4)
    otto.go(f"/trail?model=exported-{kind}")
    with otto.page.expect_download() as waiting:
        otto.page.click("text=OCSF" if kind == "ocsf" else "text=JSON lines with hashes")
    rows = [json.loads(one) for one in Path(waiting.value.path()).read_text().splitlines()]
    assert waiting.value.suggested_filename == ("trail.ocsf.jsonl" if kind == "ocsf" else "trail.jsonl")
    assert len(rows) == 4
    meant = otto.house.lines(model=f"exported-{kind}")
    if kind == "ocsf":
        assert [row["metadata"]["sequence"] for row in rows] == [line.number for line in meant]
        assert {row["class_uid"] for row in rows} == {6003}
    else:
        assert [{key: row[key] for key in row if key != "hash"} for row in rows] == [
            one._asdict() for one in meant
        ]
        assert all(len(row["hash"]) == 64 for row in rows)
    assert otto.house.lines(who="otto", detail="export the trail")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_trail_is_verified_and_published(visit: Callable[..., Visit], lang: str) -> None:
    otto = visit("otto", lang=lang, width=390 if lang == "zh" else 1280)
    ask(otto.house, "ada", "published")
    otto.go("/trail")
    otto.page.click("main section button.quiet")
    otto.page.wait_for_url("**?said=published")
    otto.page.click("main .tools button.main")
    otto.page.wait_for_selector(".figure")
    assert WORDS[lang][0] in otto.text
    assert serious(otto) == []
    assert otto.across() <= (390 if lang == "zh" else 1280)
    found = {one.inner_text() for one in otto.page.query_selector_all(".figure")}
    assert f"{otto.house.lines(detail='verify the trail')[-1].number:,}" in found


def test_a_changed_line_is_found(own_house: House) -> None:
    ask(own_house, "vera", "secret", 3)
    publisher = own_house.access.publisher
    assert publisher is not None
    publisher.publish()
    otto = as_(own_house, "otto")
    good = otto.do("/trail", "verify")
    assert good.status == 200
    assert WORDS["en"][0] in good.text
    with own_house.vault.database.write() as connection:
        connection.exec_driver_sql("UPDATE access_trail SET who = 'mia' WHERE number = 2")
    bad = otto.do("/trail", "verify")
    assert WORDS["en"][1] in bad.text
    assert "line 2 of the trail" in bad.text


@pytest.mark.parametrize("act", ["verify", "publish"])
def test_whoever_may_not_read_it_may_not_verify_it(house: House, act: str) -> None:
    vera = as_(house, "vera")
    vera.token()
    before = len(house.lines(who="vera", action="audit.read", allowed=False))
    assert vera.do("/trail", act).status == 403
    assert vera.get("/trail/export?format=lines").status == 403
    assert len(house.lines(who="vera", action="audit.read", allowed=False)) == before + 2


def test_strangers_who_try_are_told_of(own_house: House) -> None:
    for _ in range(10):
        own_house.server.ask("GET", "/v2/models", None, {"authorization": "Bearer hbk_nothing"})
    text = as_(own_house, "otto").get("/").text
    assert "10 attempts to enter failed in the last day" in text
    assert "attempts to enter" not in as_(own_house, "vera").get("/").text


def test_hours_are_counted_as_they_are(own_house: House) -> None:
    ask(own_house, "ada", "counted", 7)
    ask(own_house, "vera", "counted", 2)
    hours = by_hour(own_house.vault.database, own_house.vault.now_ms(), 24)
    lines = own_house.lines()
    assert len(hours) == 24
    assert sum(one.allowed for one in hours) == sum(line.allowed for line in lines)
    assert sum(one.refused for one in hours) == sum(not line.allowed for line in lines)
    assert all(later.begin_ms - one.begin_ms == HOUR_MS for one, later in pairwise(hours))
    for one in hours:
        within = [line for line in lines if one.begin_ms <= line.time_ms < one.begin_ms + HOUR_MS]
        assert (one.allowed, one.refused) == (
            sum(line.allowed for line in within),
            sum(not line.allowed for line in within),
        )


def test_bars_are_as_tall_as_their_figures() -> None:
    from xml.etree import ElementTree

    rows = [(hour * HOUR_MS, yes, no) for hour, (yes, no) in enumerate([(0, 0), (3, 1), (40, 0), (20, 20)])]
    made = bars(rows)
    assert (made.allowed, made.refused) == (63, 21)
    for text, base in ((made.wide, 180 - 24), (made.narrow, 160 - 24)):
        root = ElementTree.fromstring(str(text))
        found = [one for one in root.iter("rect")]
        tall = [float(one.get("height", "0")) for one in found]
        unit = (base - 14) / 40
        assert tall == pytest.approx([3 * unit, 1 * unit, 40 * unit, 20 * unit, 20 * unit], abs=0.06)
        assert [one.get("class") for one in found] == ["yes", "no", "yes", "yes", "no"]
    assert [top_of(one) for one in (0, 4, 5, 11, 21, 41, 101, 999)] == [4, 4, 10, 20, 40, 100, 200, 1000]
