"""Accidents, poison, theft, membership, inversion: each alone makes a page, and says what its evidence says."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_evidence import (
    OTHERS,
    attack_row,
    cascade,
    certificates,
    corruptions,
    evaluation,
    everything,
    extraction,
    guess,
    inversion,
    membership,
    poisoning,
    single,
    verdicts,
)

from hauberk.core.errors import DataError
from hauberk.core.evidence import Evidence
from hauberk.reports import render_html, render_json, save_pictures
from hauberk.reports.figures import roc_chart
from hauberk.reports.html import DARKEST
from hauberk.reports.summary import summarize
from hauberk.reports.words import Words

LANGS = ["en", "zh"]


def text_of(page: str) -> str:
    """What a reader sees, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u202f", " ")


def section(page: str, name: str) -> str:
    (found,) = re.findall(rf'<section id="{name}".*?</section>', page, flags=re.DOTALL)
    return str(found)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", OTHERS)
def test_one_kind_alone_makes_a_page_with_a_first_screen(kind: str, lang: str, tmp_path: Path) -> None:
    one = OTHERS[kind]()
    page = render_html([one], lang=lang)  # type: ignore[arg-type]
    assert page.count('<article class="card') == 1
    assert section(page, kind)
    assert section(page, "limits")
    assert "<script" not in page
    for address in re.findall(r'(?:src|href)="([^"]*)"', page):
        assert address.startswith(("data:image/png;base64,", "data:,", "#")), address
    document = render_json([one])
    assert json.loads(json.dumps(document)) == document
    save_pictures([one], tmp_path, lang=lang)  # type: ignore[arg-type]


def test_certificates_say_what_was_shown_and_how() -> None:
    seen = text_of(section(render_html([certificates()]), "certificates"))
    assert "82.0 %" in seen  # 291 of 355
    assert "ibp: 240 crown: 51" in seen
    assert "proof" in seen
    curve = [{"eps": 0.0, "certified_accuracy": 0.9}, {"eps": 0.25, "certified_accuracy": 0.61}]
    page = render_html([certificates(confidence=0.999, curve=curve)])
    seen = text_of(section(page, "certificates"))
    assert "each with confidence 99.9 %" in seen
    assert "0.25" in seen
    assert "61.0 %" in seen
    assert "a probability of 99.9 % or more" in text_of(page)


def test_certificates_that_contradict_their_figure_are_refused() -> None:
    with pytest.raises(DataError, match="291 of 355, as certified"):
        render_html([certificates(certified_accuracy=0.9)])
    with pytest.raises(DataError, match="as many as samples"):
        render_html([certificates(certificates=[])])


def test_terms_of_evasion_are_left_out_where_nobody_evades() -> None:
    assert "Gradient masking" not in render_html([membership()])
    assert "Gradient masking" in render_html([evaluation("hardened"), membership()])


def test_corruptions_say_each_figure() -> None:
    one = corruptions()
    page = render_html([one])
    shown = text_of(section(page, "corruptions"))
    for row in one.result["corruptions"]:
        for share in [row["accuracy"], *(point["accuracy"] for point in row["severities"])]:
            assert f"{100 * share:.1f} %" in shown
    assert "Gaussian noise" in shown
    assert all(figure in shown for figure in ("41.2 %", "63.3 %", "70.1 %", "325", "30°"))
    assert section(page, "corruptions").count("<img") == 5
    assert "JPEG compression" in text_of(section(page, "verdict"))  # the hardest
    (entry,) = render_json([one])["corruptions"]
    assert entry["spatial"]["worst"]["value"] == 0.412
    assert [row["name"] for row in entry["rows"]] == [row["name"] for row in one.result["corruptions"]]
    assert (
        entry["rows"][0]["severities"][4]["value"] == one.result["corruptions"][0]["severities"][4]["accuracy"]
    )


def test_corruptions_need_neither_the_common_ones_nor_placements_nor_pictures() -> None:
    bare = corruptions(mean_accuracy=None, spatial=None, original=None, gallery=[])
    page = render_html([bare])
    assert "lowest of the corruptions tried" in page
    assert "<img" not in section(page, "corruptions")


def test_a_severity_that_was_not_measured_is_a_gap() -> None:
    rows = copy.deepcopy(corruptions().result["corruptions"])
    del rows[1]["severities"][2]
    page = render_html([corruptions(corruptions=rows, spatial=None)])
    assert text_of(section(page, "corruptions")).count("–") == 1


def test_tinted_cells_can_be_read() -> None:
    """Contrast of the text with the strongest tint, by the formula of WCAG 2, in the light and in the dark."""
    for paper, ink, heat in (
        ((253, 252, 250), (32, 36, 43), (201, 79, 0)),
        ((20, 23, 27), (230, 232, 235), (255, 138, 76)),
    ):
        css = render_html([corruptions()])
        assert all(f"#{bytes(colour).hex()}" in css for colour in (paper, ink))
        assert " ".join(map(str, heat)) in css
        ground = np.array(paper) * (1 - DARKEST) + np.array(heat) * DARKEST
        light, dark = sorted((luminance(ground), luminance(np.array(ink))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 4.5


def luminance(colour: np.ndarray) -> float:
    parts = colour / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_poisoning_says_what_changed() -> None:
    page = render_html([poisoning()])
    shown = text_of(section(page, "poisoning"))
    assert all(figure in shown for figure in ("96.7 %", "95.8 %", "1.3 %", "94.4 %", "72", "5.0 %", "BadNets"))
    assert "94.4 %" in text_of(section(page, "verdict"))
    assert section(page, "poisoning").count("<img") == 6
    (entry,) = render_json([poisoning()])["poisonings"]
    assert (entry["before"]["trigger_success"]["value"], entry["after"]["trigger_success"]["value"]) == (
        0.013,
        0.944,
    )
    assert entry["after"]["source_as_target"] is None


def test_poisoning_without_a_trigger_is_told_by_its_aim_or_by_its_damage() -> None:
    changed = copy.deepcopy(dict(poisoning().result))
    for side in ("before", "after"):
        changed[side] |= {"trigger_success": None, "trigger_success_interval": None}
    page = text_of(section(render_html([poisoning(**changed)]), "verdict"))
    assert "accuracy goes from 96.7 % to 95.8 %" in page
    changed["after"] |= {"source_as_target": 0.512, "source_as_target_interval": [0.4, 0.6]}
    assert "51.2 %" in text_of(section(render_html([poisoning(**changed)]), "verdict"))


def test_extraction_shows_agreement_against_queries() -> None:
    page = render_html([extraction()])
    shown = text_of(section(page, "extraction"))
    assert all(figure in shown for figure in ("91.7 %", "97.2 %", "89.7 %", "64.1 %", "2.0 %", "1,000"))
    assert 'class="band' in section(page, "extraction")
    (entry,) = render_json([extraction()])["extractions"]
    assert [point["queries"] for point in entry["points"]] == [125, 250, 500, 1000]
    # two thieves, one name: both are shown, told apart by who stole
    both = render_html([extraction(), extraction(thief="JacobianThief(rounds=3)")])
    assert "JacobianThief" in section(both, "extraction")
    assert both.count("stolen · JacobianThief") >= 1


def test_a_copy_of_a_victim_that_is_never_right_has_no_transfer() -> None:
    harm = {**extraction().result["transfer"], "attacked": 0, "fooled": 0, "share": None, "noise_share": None}
    assert "fool the victim" not in render_html([extraction(transfer=harm)])


def test_membership_shows_low_rates_and_caveats() -> None:
    page = render_html([membership()])
    shown = text_of(section(page, "membership"))
    for row in membership().result["attacks"]:
        assert f"{row['auc']:.3f}" in shown
        assert f"{100 * row['tpr_at_0.001']:.1f} %" in shown
        assert f"{100 * row['tpr_at_0.01']:.1f} %" in shown
    assert "0.503" in shown
    assert "HB303" in section(page, "flags")
    assert "rmia" in text_of(section(page, "verdict"))
    (entry,) = render_json([membership()])["memberships"]
    assert [one["rate"] for one in entry["attacks"][0]["found"]] == [0.001, 0.01]


def test_roc_axes_are_logarithmic_and_guessing_is_the_diagonal() -> None:
    guessing = [{**guess("loss", 1.0, 2000), "name": "guess"}]
    (one,) = summarize([membership(attacks=guessing)]).memberships
    drawing = roc_chart(one, Words("en")).svg(620, 480)
    (guide,) = re.findall(r'class="guide" points="([^"]+)"', drawing)
    (line,) = re.findall(r'class="line" points="([^"]+)"', drawing)
    (x0, y0), (x1, y1) = (tuple(map(float, place.split(","))) for place in guide.split())
    places = [tuple(map(float, place.split(","))) for place in line.split()]
    assert len(places) > 50
    for x, y in places:  # a line of slope one in log-log is straight
        assert y == pytest.approx(y0 + (x - x0) * (y1 - y0) / (x1 - x0), abs=0.3)
    steps = np.diff([x for x, _ in places])
    assert steps == pytest.approx(steps.mean(), abs=0.2)  # even ratios, even distances


def test_roc_starts_at_the_least_rate_that_can_be_seen() -> None:
    few = summarize([membership(people=50)]).memberships[0]
    chart = roc_chart(few, Words("en"))
    assert chart.log_x == 1 / 50
    assert not chart.marks  # neither 0.1 % nor 1 % can be seen with 50
    (first, *_) = chart.series[0].points
    assert first == (1 / 50, pytest.approx((1 / 50) ** 0.9))


def test_roc_of_an_attack_that_finds_nobody_does_not_break_the_chart() -> None:
    nobody = {**guess("loss", 1.0, 10), "roc": [[0, 0], [1, 0], [1, 1]]}
    page = render_html([membership(attacks=[nobody], members=1, non_members=1)])
    assert "nan" not in section(page, "membership")


def test_inversion_shows_the_pictures_with_the_judge() -> None:
    page = render_html([inversion()])
    shown = text_of(section(page, "inversion"))
    assert section(page, "inversion").count("<img") == 2 * 2 * 4
    assert all(figure in shown for figure in ("75.0 %", "25.0 %", "11.0 %", "0.71", "0.70", "96.1 %"))
    assert "75.0 %" in text_of(section(page, "verdict"))
    assert render_json([inversion()])["inversions"][0]["random"]["value"] == 0.11


def test_accuracy_against_queries_counts_the_verdicts() -> None:
    (model,) = render_json([cascade()])["models"]
    left = dict(map(tuple, model["accuracy_after_queries"]))
    assert left[1] == left[2] == 0.9
    assert all(left[queries] == 0.7 for queries in left if 3 <= queries < 200)
    assert all(left[queries] == 0.6 for queries in left if queries >= 200)
    assert max(left) == 2000
    assert section(render_html([cascade()]), "queries")


def test_accuracy_against_queries_is_left_out_where_verdicts_cannot_tell() -> None:
    rows = [attack_row("fgsm", 0.8, 0.8), attack_row("pgd", 0.6, 0.6)]  # each saw every sample
    found = verdicts(90, [83] * 30, 84, 100)
    both = evaluation("hardened", result_samples=100, result_attacks=rows, result_verdicts=found)
    assert 'id="queries"' not in render_html([both])
    alone = single("undefended")
    told = Evidence(**{**vars(alone), "result": {**alone.result, "verdicts": found}})
    assert section(render_html([told]), "queries")


def test_two_questions_about_one_model_are_two_answers() -> None:
    first = membership()
    parameters = {**first.parameters, "attacks": ["LOSS()"], "shadows": 0}
    second = Evidence(**{**vars(first), "parameters": parameters})
    assert len(render_json([first, second])["memberships"]) == 2
    later = Evidence(**{**vars(first), "created": "2026-02-01T00:00:00Z"})
    (only,) = render_json([first, later])["memberships"]
    assert only["evidence"] == later.digest


MALFORMED: list[tuple[str, str, Any]] = [
    ("corruptions", "mean_accuracy", 1.5),
    ("corruptions", "corruptions", []),
    ("corruptions", "corruptions", [{"name": "fog"}]),
    ("corruptions", "spatial", {"accuracy": 0.1}),
    ("corruptions", "original", {"shape": [1, 8, 8]}),
    ("corruptions", "gallery", [{"name": "fog", "severity": 9}]),
    ("poisoning", "rate", -0.1),
    ("poisoning", "touched", 1.5),
    ("poisoning", "after", {"accuracy": 0.5}),
    ("poisoning", "gallery", [{"index": 0}]),
    ("extraction", "fidelity", "high"),
    ("extraction", "points", [{"queries": -1}]),
    ("extraction", "points", {"queries": 1}),
    ("extraction", "transfer", None),
    ("extraction", "victim", {"accuracy": 2}),
    ("membership", "attacks", []),
    ("membership", "attacks", [{**guess("loss", 0.5, 100), "roc": [[0.5]]}]),
    ("membership", "attacks", [{**guess("loss", 0.5, 100), "roc": [[0.5, 2]]}]),
    ("membership", "attacks", [{**guess("loss", 0.5, 100), "auc": None}]),
    ("membership", "non_members", -3),
    ("membership", "flags", "none"),
    ("inversion", "attacks", [{"name": "gradient"}]),
    ("inversion", "random", {}),
    ("inversion", "judge_accuracy", None),
    ("inversion", "gallery", [{"picture": 5}]),
]


@pytest.mark.parametrize(("kind", "key", "value"), MALFORMED)
def test_malformed_evidence_gives_one_error_that_names_document_and_key(
    kind: str, key: str, value: Any
) -> None:
    bad = OTHERS[kind](**{key: value})
    for render in (render_html, render_json):
        with pytest.raises(DataError, match=key) as caught:
            render([bad])
        assert bad.digest in str(caught.value)


def complaint(evidence: Evidence) -> str | None:
    """The text of the one error that is allowed, or None where there is none."""
    try:
        render_json([evidence])
    except DataError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", OTHERS)
def test_every_key_that_is_missing_or_wrong_is_a_data_error_or_harmless(kind: str) -> None:
    """Each key in turn is removed, then made a null, a text, a huge number, a list, an object."""
    one = OTHERS[kind]()
    for part in ("result", "parameters", "inputs"):
        whole = getattr(one, part)
        for key in whole:
            changed = [{**whole, key: change} for change in (None, "<b>x</b>", 1e308, [], {})]
            for values in (*changed, {name: value for name, value in whole.items() if name != key}):
                bad = Evidence(**{**vars(one), part: values})
                said = complaint(bad)
                assert said is None or (key in said and bad.digest in said)


def test_verdicts_must_be_as_many_as_samples_and_say_what_became_of_them() -> None:
    found = verdicts(90, [3] * 30, 2000, 100)
    for wrong in (
        found[:-1],
        [{**found[0], "status": "fine"}, *found[1:]],
        [{**found[0], "queries": -1}, *found[1:]],
    ):
        with pytest.raises(DataError, match="verdicts"):
            render_html([cascade(result_verdicts=wrong)])


def test_texts_from_others_are_escaped() -> None:
    evil = "<script>alert(1)</script>"
    rows = [{**row, "name": evil} for row in corruptions().result["corruptions"]]
    people = [{**guess("loss", 0.5, 100), "name": evil, "recipe": evil}]
    shots = [
        {**one, "class": evil, "prediction_class": evil, "attack": evil}
        for one in inversion().result["gallery"]
    ]
    page = render_html(
        [
            corruptions(evil, corruptions=rows),
            poisoning(evil),
            extraction(evil, thief=evil),
            membership(evil, attacks=people),
            inversion(evil, gallery=shots),
        ]
    )
    assert evil not in page


def test_all_kinds_in_one_page_in_both_languages(tmp_path: Path) -> None:
    life = everything()
    english, chinese = render_html(life), render_html(life, lang="zh")
    for name in ("queries", "corruptions", "poisoning", "extraction", "membership", "inversion", "flags"):
        assert section(english, name)
        assert section(chinese, name)
    assert "Found at" not in chinese
    names = {path.name for path in save_pictures(life, tmp_path)}
    assert {"queries.svg", "extraction.svg", "membership.svg"} <= names
