"""A verdict with findings of many kinds, read in each language: Chinese holds no English sentence, and English
counts one thing in the singular."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from audit_packages import LATER, NOW, Made, evaluation, facts, make

from hauberk.assurance.auditing import judge
from hauberk.assurance.environment import Environment
from hauberk.assurance.environment.files import Exposed, Files
from hauberk.assurance.environment.looking import Known
from hauberk.assurance.environment.machine import Interpreter, look
from hauberk.assurance.environment.packages import named
from hauberk.assurance.environment.vulnerable import Vulnerability
from hauberk.assurance.finding import Subject
from hauberk.assurance.formats.html import to_html
from hauberk.assurance.formats.sarif import to_sarif
from hauberk.assurance.formats.text import to_text
from hauberk.assurance.policy import load_policy
from hauberk.assurance.target import (
    ApiKey,
    Budget,
    DataFile,
    Identity,
    Logged,
    Scanned,
    ServingFacts,
    Signed,
    Target,
    VaultFacts,
)
from hauberk.assurance.text import Text, many
from hauberk.assurance.verdict import Verdict
from hauberk.assurance.waiver import Given, make_waiver
from hauberk.core.evidence import Evidence
from hauberk.reports.words import CATALOGUE as SENTENCES

GOOD = Interpreter(
    version=(3, 12), optimize=0, path=(), environment={}, uid=1, core_limit=0, umask=0o022, ptrace=1,
    openssl=(3, 0, 0, 0, 0), tls=771,
)  # fmt: skip
BAD = Interpreter(
    version=(3, 8), optimize=1, path=(), environment={"LD_PRELOAD": "x"}, uid=0, core_limit=-1, umask=0,
    ptrace=0, openssl=(1, 1, 1), tls=769,
)  # fmt: skip
TLS = {"tls": "TLSv1.3", "certificate_until": NOW + timedelta(days=1), "old_tls": False}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path / "net")


def environment(machine: Interpreter, **changes: Any) -> Environment:
    own: dict[str, Any] = {
        "packages": (named("torch", "2.6.0", "installed"),),
        "locks": (),
        "known": Known("all.zip", age_days=1.0, advisories=9),
        "flaws": (),
        "unjudged": (),
        "unread": (),
        "machine": tuple(look(machine, today=NOW.date())),
        "files": Files(1, ()),
    }
    return Environment(**{**own, **changes})


def key_of(days: int) -> ApiKey:
    """Made some days ago, and never used since."""
    made = NOW - timedelta(days=days)
    ends = NOW + timedelta(days=9)
    return ApiKey(id="k1", identity="ann", created=made, expires=ends, last_used=None, scopes=())


def vault(**changes: Any) -> VaultFacts:
    key = key_of(days=1)
    own: dict[str, Any] = {
        "subject": Subject("vault", "house", "sha256:" + "5" * 64),
        "place": "house",
        "policy": {"approvals": 1},
        "keys": (key,),
        "trail_logged": 1.0,
        "encrypted": True,
    }
    return VaultFacts(**{**own, **changes})


def serving(**changes: Any) -> ServingFacts:
    subject = Subject("deployment", "https://h", "sha256:" + "6" * 64)
    return ServingFacts(**{"subject": subject, "url": "https://h", "answers": True, **changes})


def whole(made: Made, *, good: bool) -> Target:
    """Everything that rules look at: in order with one of each, or wrong."""
    evaluation(made)
    papers: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "trace": ({"recipient": "a"}, {"action": "issue"}),
        "watermark": ({"commitment": "c"}, {}),
        "watermark-verification": ({"found": good}, {}),
        "corruptions": ({"mean_accuracy": 0.7 if good else 0.1, "flags": []}, {}),
        "membership": ({"attacks": [{"advantage": 0.05 if good else 0.9, "tpr_at_0.01": 0.01}]}, {}),
    }
    for kind, (result, parameters) in papers.items():
        made.add(kind, result, parameters=parameters)
    made.add(
        "evaluation", {"robust_accuracy": 0.987, "samples": 1}, name="older", created="2025-01-01T00:00:00Z"
    )
    found = facts(made.path)
    (model,) = found.models
    proofs = {one.digest: "holds" if good else "not logged" for one in model.evidence}
    signer = Text("the key sha256:ab", "密钥 sha256:ab")
    model = replace(
        model,
        signed=Signed(state="holds", signer=signer) if good else model.signed,
        logged=Logged(where="ledger", head=1, proofs=proofs),
        scanned=Scanned(clean=good, counts={}, worst="pickle: x.bin"),
        refused=() if good else model.refused,
    )
    drilled = Evidence(
        kind="backup-drill",
        subject={"name": "v"},
        result={"passed": True},
        created="2026-02-28T12:00:00Z",
    )
    anonymous = Evidence(
        kind="anonymization",
        subject={"name": "people.csv", "digest": "sha256:" + "7" * 64},
        result={"after": {"k": 1.0}, "risk": {"prosecutor": {"highest": 1.0}}},
        created=LATER,
    )
    flaw = Vulnerability(named("torch", "2.6.0", "installed"), "CVE-1", (), "", "high", "2.7.0")
    machine = environment(GOOD) if good else environment(
        BAD,
        flaws=(flaw,),
        known=Known("all.zip", age_days=400.0),
        files=Files(3, (Exposed("a.py", "secret", 1), Exposed("b.key", "readable-key"))),
        locks=("pyproject.toml",),
    )  # fmt: skip
    person = Identity(
        name="bob", kind="person", disabled=False, entries=("password",), factor=good,
        grants=(("allow", "access.manage", "*"),),
    )  # fmt: skip
    spent = 0.5 if good else 1.0
    bad_vault = {
        "policy": {"approvals": 0},
        "exposed": (Text("key: mode 644", "key：权限 644"),),
        "encrypted": False,
        "keys": (key_of(days=999),),
    }
    return replace(
        found,
        models=(model,),
        documents=(anonymous,),
        vault=vault(
            identities=(person,), drills=(drilled,), keep="--keep-daily 1", **({} if good else bad_vault)
        ),
        serving=serving(
            models=("net",), guard=good, refuses_huge=good, alerts=0 if good else 99,
            open_predictions=not good, **TLS,
        ),
        budgets=(Budget(subject=Subject("data", "people"), epsilon=1.0, delta=0.0, spent=spent),),
        data=(DataFile(file="people.csv", encrypted=good),),
        environment=machine,
    )  # fmt: skip


def verdicts(made: Made) -> Iterator[Verdict]:
    """In order and wrong; then what nobody can decide, with waivers of every standing."""
    strict = load_policy(profile="high")
    good = whole(made, good=True)
    yield judge(good, strict)
    yield judge(whole(made, good=False), strict)
    (model,) = good.models
    waiver = make_waiver("robustness.clean", made.model, "for a reason", days=30, clock=lambda: NOW)
    digest = "sha256:" + "8" * 64
    given = [
        Given(path="w", digest=digest, standing=one, waiver=waiver, by="ann", why="told in English")
        for one in ("unused", "expired", "not yet", "too long")
    ]
    bare = replace(
        model, evidence=model.born, related=(), commitments=(), refused=(),
        signed=Signed(state="absent"), logged=Logged(why=Text("no ledger was named", "未指定账本")),
    )  # fmt: skip
    unread = environment(GOOD, known=Known(failed=Text("no copy", "没有副本")), files=Files(1, (), beyond=1))
    yield judge(
        replace(
            good, models=(bare,), documents=(), environment=unread, vault=vault(encrypted=None),
            serving=serving(answers=False, why=Text("it answered 503", "返回状态码 503")),
        ),
        strict,
        given,
    )  # fmt: skip


# What is the same in both languages: names, formats, commands, and words that a report quotes.
NAMED = re.compile(
    r"hauberk [^\n<]*|pip install [^\n<]*|edit [^\n<]*|chmod [^\n<]*|--keep-daily \d+|\[trust\][^。\n<]*|"
    r"Hauberk (?:low|standard|high)|required = true|torch\.load|"
    r"[a-z]+(?:[.-][a-z-]+)+|core dumps|MITRE ATLAS|NIST AI|OSV|GB/T \d+|TC260|signers 与 authorities"
)
ENGLISH = re.compile(r"[A-Za-z]{2,}[ ,]+[A-Za-z]{2,}|(?<![\d.])\d+ [a-z]{3,}")


def sentences(verdict: Verdict) -> Iterator[str]:
    """All that a rule says in Chinese, and what the text around it says."""
    for one in verdict.findings:
        yield from (one.seen.zh, one.needed.zh, one.gain.zh)
    yield from (line for line in to_text(verdict, "zh", everything=True).splitlines() if "修复:" not in line)


def test_chinese_sentences_hold_no_english_ones(made: Made) -> None:
    for verdict in verdicts(made):
        assert [one for one in sentences(verdict) if ENGLISH.search(NAMED.sub("", one))] == []


def test_chinese_pages_hold_no_english_sentences(made: Made) -> None:
    for verdict in verdicts(made):
        page = to_html(verdict, "zh")
        body = re.sub(
            r"<pre>.*?</pre>|<style>.*?</style>|<section id=\"names\".*?</section>", "", page, flags=re.S
        )
        told = [html.unescape(one).strip() for one in re.findall(r">([^<>]+)<", body)]
        assert [one for one in told if ENGLISH.search(NAMED.sub("", one))] == []


def test_chinese_sarif_says_when_a_target_changed(made: Made) -> None:
    verdict = replace(next(verdicts(made)), changed=("model.json",))
    (notice, *_) = to_sarif(verdict, "zh")["runs"][0]["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"] == "目标在检查过程中发生了变化：model.json"


def test_one_of_a_thing_is_told_in_the_singular(made: Made) -> None:
    wrong = re.compile(
        r"\b1 (?:documents|files|days|packages|copies|keys|people|proofs|searches|commitments|measurements|"
        r"entries|published flaws|samples|identities|alerts|rules hold)\b|\((?:e?s)\)"
    )
    for verdict in verdicts(made):
        texts = [part.en for one in verdict.findings for part in (one.seen, one.needed)]
        for told in (*texts, html.unescape(to_html(verdict, "en"))):
            assert not wrong.search(told), wrong.search(told)
    assert [many(count, "entry", "entries") for count in (0, 1, 2)] == ["0 entries", "1 entry", "2 entries"]
    assert many(0.6, "day") == "1 day"


def test_a_text_within_a_text_keeps_its_language() -> None:
    inner = Text("nobody {x}", "无人 {x}")  # places of what is filled in are left alone
    assert Text("no: {why}", "否：{why}").format(why=inner) == Text("no: nobody {x}", "否：无人 {x}")


def test_units_and_reasons_of_a_page_are_in_both_languages() -> None:
    for prefix in ("audit.unit.", "audit.why."):
        english, chinese = ({one for one in words if one.startswith(prefix)} for words in SENTENCES.values())
        assert english == chinese
        assert english
