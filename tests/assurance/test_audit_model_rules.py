"""Every rule about a model: a package that meets it, and one for each way not to."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from audit_packages import BORN, DATA, THREAT, Made, ask, evaluation, facts, make, states

from hauberk.assurance.finding import Finding
from hauberk.assurance.target import Scanned, Sealing
from hauberk.assurance.trust import KeyFile, Trust
from hauberk.core.evidence import Evidence
from hauberk.ledger.documents import evidence_entry
from hauberk.ledger.opening import create_ledger

SHARE = {"samples": 500, "flags": []}


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return make(tmp_path / "models" / "net")


def only(made: Made, rule: str, **settings: Any) -> Finding:
    (finding,) = ask(facts(made.path), rule, **settings)
    return finding


# robustness


def test_the_worst_that_anybody_found_at_a_radius_counts(made: Made) -> None:
    evaluation(made, name="good")
    assert only(made, "robustness.worst-case").state == "passed"
    evaluation(made, robust_accuracy=0.2, robust_interval=[0.15, 0.25], name="bad")
    finding = only(made, "robustness.worst-case")
    assert (finding.state, finding.figures["low"]) == ("failed", 0.15)
    assert any(one.startswith("hauberk harden") for one in finding.fix)


def test_the_lower_end_of_the_interval_counts(made: Made) -> None:
    evaluation(made, robust_accuracy=0.5, robust_interval=[0.39, 0.61])
    assert only(made, "robustness.worst-case", least=0.4).state == "failed"
    assert only(made, "robustness.worst-case", least=0.39).state == "passed"


def test_what_holds_in_a_larger_ball_holds_in_a_smaller_one(made: Made) -> None:
    evaluation(made, parameters={"threat": {**THREAT, "eps": 0.3}})
    assert only(made, "robustness.worst-case", eps=0.1).state == "passed"
    evaluation(made, robust_accuracy=0.1, robust_interval=[0.05, 0.15], name="smaller")  # at 0.1
    assert only(made, "robustness.worst-case", eps=0.1).state == "passed"
    assert only(made, "robustness.worst-case", eps=0.31).state == "unknown"


@pytest.mark.parametrize("parameters", [
    {"attacks": [{"name": "FGSM"}]},
    {"threat": {**THREAT, "norm": "l2"}},
    {"threat": {**THREAT, "targeted": True}},
    {"threat": {**THREAT, "knowledge": "labels"}},
    {"threat": {**THREAT, "queries": 100}},
    {"threat": {**THREAT, "eps": 0.001}},
    {"threat": None},
])  # fmt: skip
def test_weaker_attackers_answer_nothing(made: Made, parameters: dict[str, Any]) -> None:
    evaluation(made, parameters=parameters)
    assert only(made, "robustness.worst-case").state == "unknown"


def test_few_samples_answer_nothing(made: Made) -> None:
    evaluation(made, samples=299)
    assert only(made, "robustness.worst-case").state == "unknown"
    assert only(made, "robustness.worst-case", samples=299).state == "passed"


def test_radii_are_shares_of_the_input_range(tmp_path: Path, made: Made) -> None:
    evaluation(made)
    (model,) = facts(made.path).models
    wide = replace(model, manifest={**model.manifest, "input": {"bounds": [-1.0, 1.0]}})
    target = replace(facts(made.path), models=(wide,))
    assert states(target, "robustness.worst-case", eps=0.05) == ["passed"]
    assert states(target, "robustness.worst-case", eps=0.0501) == ["unknown"]


def test_clean_accuracy_is_the_lowest_that_was_measured(made: Made) -> None:
    evaluation(made)
    assert only(made, "robustness.clean").state == "passed"
    made.add(
        "corruptions", {**SHARE, "clean_accuracy": 0.5, "clean_interval": [0.4, 0.6], "mean_accuracy": 0.4}
    )
    assert only(made, "robustness.clean").state == "failed"


def test_certificates(made: Made) -> None:
    shown = {**SHARE, "certified_accuracy": 0.4, "certified_interval": [0.3, 0.5], "confidence": None}
    made.add("certificates", {**shown, "confidence": 0.9}, parameters={"threat": THREAT}, name="unsure")
    assert only(made, "robustness.certified").state == "unknown"
    made.add("certificates", shown, parameters={"threat": THREAT}, name="sure")
    assert only(made, "robustness.certified").state == "passed"
    assert only(made, "robustness.certified", least=0.31).state == "failed"
    assert only(made, "robustness.certified", norm="l2").state == "unknown"


def test_flags(made: Made) -> None:
    assert only(made, "robustness.flags").state == "not-applicable"
    evaluation(made, flags=[{"code": "HB113", "message": "", "tried": []}], name="a")
    assert only(made, "robustness.flags").state == "passed"  # declared, and answered by the cascade
    evaluation(made, flags=[{"code": "HB101", "message": "", "tried": ["Square"]}], name="b")
    assert only(made, "robustness.flags").state == "passed"
    assert only(made, "robustness.flags", answered_closed=False).state == "failed"
    evaluation(made, flags=[{"code": "HB102", "message": "", "tried": []}], name="c")
    finding = only(made, "robustness.flags")
    assert (finding.state, finding.figures["codes"]) == ("failed", ["HB102"])
    assert only(made, "robustness.flags", allowed=["HB102", "HB113"]).state == "passed"


def test_corruptions(made: Made) -> None:
    made.add("corruptions", {**SHARE, "mean_accuracy": 0.5})
    assert only(made, "robustness.corruptions").state == "passed"
    assert only(made, "robustness.corruptions", least=0.51).state == "failed"


def test_an_old_evaluation(made: Made) -> None:
    evaluation(made)  # 28.5 days before
    assert only(made, "robustness.fresh", days=29).state == "passed"
    assert only(made, "robustness.fresh", days=28).state == "failed"


def test_what_mends_an_evaluation_is_a_whole_command(made: Made) -> None:
    """The attacker of the last measurement; where there is none, the one that the profile standard asks of."""
    place = made.path
    assert only(made, "robustness.fresh").fix == (
        f"hauberk evaluate {place} --data digits --norm linf --eps 0.01569",
    )
    evaluation(made, parameters={"threat": {**THREAT, "norm": "l2; reboot", "eps": 0.5}})
    again = (
        f"hauberk evaluate {place} --data digits --norm 'l2; reboot' --eps 0.5"  # a document says what it likes
    )
    assert only(made, "robustness.fresh", days=28).fix == (again,)
    evaluation(made, flags=[{"code": "HB102", "message": "", "tried": []}], name="flagged")
    assert only(made, "robustness.flags").fix == (
        f"hauberk evaluate {place} --data digits --norm linf --eps 0.1 --samples 1000",
    )


@pytest.mark.parametrize("profile", ["low", "standard", "high"])
def test_what_is_measured_as_told_counts(made: Made, profile: Any) -> None:
    """A radius that is rounded for a command must not come out smaller than the one that is asked for."""
    (finding,) = ask(facts(made.path), "robustness.worst-case", profile)
    words = finding.fix[0].split()
    eps = float(words[words.index("--eps") + 1])
    evaluation(made, samples=1000, parameters={"threat": {**THREAT, "eps": eps}})
    assert states(facts(made.path), "robustness.worst-case", profile) == ["passed"]


# privacy


def test_every_inference_attack_counts(made: Made) -> None:
    made.add("membership", {"attacks": [{"advantage": 0.1, "tpr_at_0.01": 0.02}]}, name="a")
    assert only(made, "privacy.membership").state == "passed"
    made.add("membership", {"attacks": [{"advantage": 0.1, "tpr_at_0.01": 0.11}]}, name="b")
    assert only(made, "privacy.membership").state == "failed"
    assert only(made, "privacy.membership", tpr=0.11).state == "passed"
    assert only(made, "privacy.membership", tpr=0.11, advantage=0.11).state == "passed"
    made.add("membership", {"attacks": [{"advantage": 0.1}, {"advantage": 0.3}]}, name="c")
    assert only(made, "privacy.membership", tpr=0.11).state == "failed"


PRIVACY = {"epsilon": 3.0, "delta": 1e-5, "noise": "AES-256-CTR"}


def private(path: Path, **changes: Any) -> Made:
    return make(path / "net", born={"result": {"privacy": {**PRIVACY, **changes}}})


def test_a_promise_of_privacy_needs_an_audit(tmp_path: Path) -> None:
    made = private(tmp_path)
    assert only(made, "privacy.epsilon").state == "unknown"
    made.add("privacy-audit", {"lower_bound": 1.2, "holds": True}, name="a")
    assert only(made, "privacy.epsilon").state == "passed"
    assert only(made, "privacy.epsilon", epsilon=2.9).state == "failed"
    made.add("privacy-audit", {"lower_bound": 3.4, "holds": False}, name="b")
    assert only(made, "privacy.epsilon").state == "failed"


def test_noise_for_tests_is_no_privacy(tmp_path: Path) -> None:
    made = private(tmp_path, noise="for tests")
    made.add("privacy-audit", {"lower_bound": 0.0, "holds": True})
    assert only(made, "privacy.epsilon").state == "failed"


def test_no_promise_is_asked_for_only_where_the_policy_says_so(made: Made) -> None:
    assert only(made, "privacy.epsilon").state == "not-applicable"
    assert only(made, "privacy.epsilon", required=True).state == "failed"


def test_de_identified_data(made: Made) -> None:
    subject = {"name": "notes.txt", "digest": "sha256:" + "7" * 64}
    leak = {"looked": 1000, "left": 10, "left_share": 0.01, "left_interval": [0.005, 0.02]}
    made.add("deidentification", {"leak": leak}, subject=subject)
    finding = only(made, "privacy.deidentified")
    assert (finding.state, finding.subject.digest) == ("passed", subject["digest"])
    assert only(made, "privacy.deidentified", left=0.019).state == "failed"
    made.add("deidentification", {"leak": None}, subject=subject, name="blind", created="2026-02-02T00:00:00Z")
    assert sorted(states(facts(made.path), "privacy.deidentified")) == ["passed", "unknown"]


def test_anonymised_tables(made: Made) -> None:
    subject = {"name": "t.csv", "digest": "sha256:" + "6" * 64}
    result = {"after": {"k": 5}, "risk": {"prosecutor": {"highest": 0.2}}}
    made.add("anonymization", result, subject=subject)
    assert only(made, "privacy.anonymous").state == "passed"
    assert only(made, "privacy.anonymous", k=6).state == "failed"
    assert only(made, "privacy.anonymous", risk=0.19).state == "failed"
    made.add("anonymization", {"after": {}}, subject=subject, name="odd", created="2026-02-02T00:00:00Z")
    assert "unknown" in states(facts(made.path), "privacy.anonymous")


# integrity


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two signers' keys."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        private_key = folder / f"{name}.pem"
        subprocess.run(
            ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", private_key], check=True
        )
        subprocess.run(
            ["openssl", "ec", "-in", private_key, "-pubout", "-out", folder / f"{name}.pub"],
            check=True, capture_output=True,
        )  # fmt: skip
    return folder


def test_a_signature_of_somebody_who_is_trusted(made: Made, keys: Path) -> None:
    from hauberk.protection.sign import KeySigner, sign

    ours = Trust(signers=(KeyFile.of(keys / "ours.pub"),))
    both = Trust(signers=(KeyFile.of(keys / "theirs.pub"), KeyFile.of(keys / "ours.pub")))
    assert states(facts(made.path, trust=ours), "integrity.signature") == ["failed"]
    sign(made.path, KeySigner(keys / "ours.pem"), made.path.with_name("net.sig"))
    for trust in (ours, both):
        (finding,) = ask(facts(made.path, trust=trust), "integrity.signature")
        assert finding.state == "passed"
        assert re.fullmatch("signed by the key sha256:[0-9a-f]{64}", finding.seen.en)
        assert re.fullmatch("签名者：密钥 sha256:[0-9a-f]{64}", finding.seen.zh)
    theirs = Trust(signers=(KeyFile.of(keys / "theirs.pub"),))
    for trust in (theirs, Trust()):
        (finding,) = ask(facts(made.path, trust=trust), "integrity.signature")
        assert (finding.state, finding.severity, finding.figures["signed"]) == (
            "failed",
            "high",
            "unknown signer",
        )
    (made.path / "more.txt").write_text("added after it was signed")
    (finding,) = ask(facts(made.path, trust=both), "integrity.signature")
    assert (finding.state, finding.severity, finding.figures["signed"]) == ("failed", "critical", "broken")


def test_proofs_of_the_ledger(made: Made, tmp_path: Path) -> None:
    with create_ledger(tmp_path / "ledger", origin="example.com/audit") as log:
        trust = Trust(logs=(str(log.verifier),))
        where = {"trust": trust, "ledger": str(tmp_path / "ledger")}
        assert states(facts(made.path, trust=trust), "integrity.ledger") == ["unknown"]
        assert states(facts(made.path, ledger=where["ledger"]), "integrity.ledger") == ["unknown"]
        target = facts(made.path, **where)  # type: ignore[arg-type]
        assert states(target, "integrity.ledger") == ["failed"]
        log.append([evidence_entry(one) for one in target.models[0].evidence])
        target = facts(made.path, **where)  # type: ignore[arg-type]
        assert states(target, "integrity.ledger") == ["passed"]
        evaluation(made)
        (finding,) = ask(facts(made.path, **where), "integrity.ledger")  # type: ignore[arg-type]
        assert (finding.state, finding.figures["missing"]) == ("failed", 1)
    (model,) = target.models
    forged = replace(model.logged, proofs=dict.fromkeys(model.logged.proofs, "fails"))
    (finding,) = ask(replace(target, models=(replace(model, logged=forged),)), "integrity.ledger")
    assert (finding.state, finding.severity) == ("failed", "critical")


def test_another_log_s_head_is_not_believed(made: Made, tmp_path: Path) -> None:
    with (
        create_ledger(tmp_path / "a", origin="example.com/a") as a,
        create_ledger(tmp_path / "b", origin="example.com/b") as b,
    ):
        a.append([evidence_entry(one) for one in facts(made.path).models[0].evidence])
        trust = Trust(logs=(str(b.verifier),))
    target = facts(made.path, trust=trust, ledger=str(tmp_path / "a"))
    assert states(target, "integrity.ledger") == ["unknown"]


def test_what_could_run_code(made: Made) -> None:
    assert only(made, "integrity.scan").state == "passed"
    (made.path / "extra.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    finding = only(made, "integrity.scan")
    assert (finding.state, finding.severity) == ("failed", "critical")
    target = facts(made.path)
    odd = Scanned(clean=False, counts={"high": 0, "medium": 1, "low": 0}, worst="x")
    (model,) = target.models
    (finding,) = ask(replace(target, models=(replace(model, scanned=odd),)), "integrity.scan")
    assert (finding.state, finding.severity) == ("failed", "high")


@pytest.mark.parametrize(
    ("born", "before", "says"),
    [
        ({"inputs": {}}, (), "data"),
        ({"subject": {"name": "net", "digest": "sha256:" + "5" * 64}}, (), "other weights"),
        ({"parents": ("sha256:" + "4" * 64,)}, (), "missing"),
        ({"kind": "hardening"}, (), "neither"),
    ],
)
def test_gaps_in_a_model_s_life(tmp_path: Path, born: Any, before: Any, says: str) -> None:
    made = make(tmp_path / "net", born=born, before=before)
    finding = only(made, "integrity.provenance")
    assert finding.state == "failed"
    assert says in finding.seen.en


def test_a_model_s_life_without_a_gap(made: Made) -> None:
    assert only(made, "integrity.provenance").state == "passed"


def test_a_backdoor_that_was_found_and_left(made: Made) -> None:
    assert only(made, "integrity.backdoor").state == "not-applicable"
    found = {"classes": [{"suspected": True}], "flagged": 9, "before": {"accuracy": 0.9}}
    same = {"inputs": {"model": {"digest": made.model}}}
    made.add("cleansing", {**found, "after": {"accuracy": 0.8}}, **same)
    assert only(made, "integrity.backdoor").state == "failed"


def test_a_backdoor_that_was_mended_or_not_found(made: Made) -> None:
    other = {"inputs": {"model": {"digest": "sha256:" + "3" * 64}}}
    made.add("cleansing", {"classes": [], "flagged": 0}, name="none", **other)
    result = {"classes": [{"suspected": True}], "before": {"accuracy": 0.9}, "after": {"accuracy": 0.8}}
    made.add("cleansing", result, name="mended", **other)
    assert states(facts(made.path), "integrity.backdoor") == ["passed", "passed"]


# property


def test_a_sealed_file_counts_where_evidence_binds_it(made: Made) -> None:
    assert only(made, "property.sealed").state == "failed"
    target = facts(made.path)
    (model,) = target.models
    sealing = Sealing(file="net.sealed", digest="sha256:1", kinds=("X25519",), post_quantum=False, known=True)
    with_file = replace(target, models=(replace(model, sealed=(sealing,)),))
    assert states(with_file, "property.sealed") == ["passed"]
    assert states(with_file, "property.sealed", post_quantum=True) == ["failed"]
    hybrid = replace(sealing, post_quantum=True)
    assert states(replace(target, models=(replace(model, sealed=(hybrid,)),)), "property.sealed", "high") == [
        "passed"
    ]
    loose = replace(sealing, known=False)
    assert states(replace(target, models=(replace(model, sealed=(loose,)),)), "property.sealed") == ["failed"]


def test_a_really_sealed_file(made: Made) -> None:
    from hauberk.crypto import age
    from hauberk.protection.seal import seal
    from hauberk.protection.seal.recording import sealed_evidence

    done = seal(made.path, made.path.with_name("net.sealed"), [age.generate().recipient])
    (loose,) = facts(made.path).models[0].sealed
    assert (loose.file, loose.known, loose.post_quantum) == ("net.sealed", False, True)
    sealed_evidence(done).save(made.evidence)
    assert [one.known for one in facts(made.path).models[0].sealed] == [True]


def test_a_mark_that_was_committed_to(made: Made) -> None:
    assert only(made, "property.watermark").state == "failed"
    commitment = {
        "format": "hauberk-watermark-commitment/1", "kind": "whitebox", "settings": {}, "model": made.model,
        "created": BORN, "places": [], "commitment": "sha256:" + "2" * 64,
    }  # fmt: skip
    (made.path.parent / "mark.json").write_text(json.dumps({**commitment, "model": "sha256:" + "1" * 64}))
    assert only(made, "property.watermark").state == "failed"
    (made.path.parent / "mark.json").write_text(json.dumps(commitment))
    assert only(made, "property.watermark").state == "passed"
    made.add("watermark-verification", {"found": True}, name="a")
    assert only(made, "property.watermark").state == "passed"
    made.add("watermark-verification", {"found": False}, name="b", created="2026-02-02T00:00:00Z")
    assert only(made, "property.watermark").state == "failed"


def test_copies_that_tell_whose_they_are(made: Made) -> None:
    assert only(made, "property.traceable").state == "failed"
    copy = {"name": "copy", "digest": "sha256:" + "c" * 64}
    model = {"inputs": {"model": {"name": "net", "digest": made.model}}}
    made.add("trace", {}, subject=copy, parameters={"action": "accuse"}, name="a", **model)
    assert only(made, "property.traceable").state == "failed"
    made.add("trace", {}, subject=copy, parameters={"action": "issue"}, name="b", **model)
    assert only(made, "property.traceable").state == "passed"


def test_evidence_of_copies_is_none_of_the_original(made: Made) -> None:
    """A surrogate's or a copy's figures say nothing of the model that went in."""
    evaluation(made, subject={"name": "copy", "digest": "sha256:" + "c" * 64}, name="x")
    one = Evidence(
        kind="evaluation", subject={"name": "copy", "digest": "sha256:" + "c" * 64}, created=BORN,
        inputs={"model": {"digest": made.model}, "dataset": DATA},
        parameters={"threat": THREAT, "attacks": "standard"},
        result={"samples": 500, "robust_accuracy": 0.9, "robust_interval": [0.8, 0.95]},
    )  # fmt: skip
    one.save(made.evidence, "y")
    assert only(made, "robustness.worst-case").state == "unknown"


def test_a_mend_leads_on_and_never_to_a_stranger_s_key(made: Made, keys: Path) -> None:
    assert only(made, "integrity.signature").fix[0].startswith("hauberk sign")
    sign_with = made.path.with_name("net.sig")
    sign_with.write_text("{}")
    assert "[trust] signers" in only(made, "integrity.signature").fix[0]  # nobody is trusted yet
    other = Trust(signers=(KeyFile.of(keys / "theirs.pub"),))
    (finding,) = ask(facts(made.path, trust=other), "integrity.signature")
    assert "[trust]" not in finding.fix[0]


def test_evidence_that_was_edited_is_named_where_it_lies(made: Made) -> None:
    evaluation(made, name="edited")
    place = made.path.parent / "evidence" / "edited.json"
    place.write_text(place.read_text().replace("0.", "0.1", 1))
    assert only(made, "integrity.evidence").fix == (f"rm {place}",)
