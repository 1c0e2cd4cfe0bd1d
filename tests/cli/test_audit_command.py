"""``hauberk audit``, ``waive`` and ``verify`` as people and CI use them: answers, files, exit codes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from test_serve_command import command
from transcripts import Call

from hauberk.assurance.catalogue import CATALOGUE
from hauberk.cli.app import group

HEAD = 'format = "hauberk-policy/1"\nname = "Ours"\nprofile = "low"\n'
OFF = "".join(
    f'[rules.{name}]\nuse = false\nbecause = "not in this test"\n'
    for name in ("environment.hardening", "environment.file-rights", "environment.secrets-in-files")
)


@pytest.fixture
def package(tmp_path: Path, plain_package: Path) -> Path:
    return Path(shutil.copytree(plain_package, tmp_path / "models" / "net"))


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + OFF)
    return path


def test_a_model_s_way_to_a_yes(hauberk_command: Call, package: Path, policy: Path, tmp_path: Path) -> None:
    """No evaluation: no. Measured: no, it is weak. Waived by somebody who may: yes, and shown."""
    out, easy = tmp_path / "audit", tmp_path / "easy.toml"
    easy.write_text(
        'format = "hauberk-policy/1"\n[rules.robustness.worst-case]\nleast = 1.0\nsamples = 40\neps = 0.2\n'
        "[rules.robustness.clean]\nleast = 0.5\nsamples = 40\n"
        '[rules.robustness.flags]\nallowed = ["HB103", "HB111"]\n'
    )
    call = ("audit", package, "--policy", policy, "--policy", easy, "--out", out)
    code, text, _err = hauberk_command(*call)
    assert code == 1
    assert "UNKNOWN high  robustness.worst-case  net" in text
    assert "NO: net does not meet the policy 'Ours'" in text
    code, text, err = hauberk_command(*call, "--run", "--data", "digits", "--samples", 40, "--format", "json")
    assert code == 1, err
    assert "FAILED high  robustness.worst-case  net" in text
    assert len(list((package.parent / "evidence").glob("evaluation-net-*.json"))) == 1
    done = hauberk_command(
        "waive", "robustness.worst-case", "--audit", out / "audit.json", "--reason", "a demonstration only",
        "--key", tmp_path / "ann.key", "--new-key", "ann@bank", "--out", tmp_path / "ann.waiver",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert hauberk_command(*call, "--waiver", tmp_path / "ann.waiver").code == 1  # nobody trusts her yet
    easy.write_text(easy.read_text() + '[trust]\nwaivers = ["ann.key.pub"]\n')
    code, text, _err = hauberk_command(*call, "--waiver", tmp_path / "ann.waiver", "--lang", "zh")
    assert code == 0
    assert "a demonstration only" in text
    assert "通过：net 符合策略“Ours”" in text


def test_an_inventory_beside_the_verdict(
    hauberk_command: Call, package: Path, policy: Path, tmp_path: Path
) -> None:
    """Of the model that was judged; none of a package that cannot be believed, and none of other targets."""
    out, bom = tmp_path / "out", tmp_path / "out" / "bom.json"
    call = ("audit", package, "--policy", policy, "--format", "json", "--out", out, "--bom", bom)
    said = hauberk_command(*call)
    assert said.code == 1
    assert f"written: {bom}" in said.err
    verdict, document = json.loads((out / "audit.json").read_text()), json.loads(bom.read_text("utf-8"))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bom.read_text("utf-8")) is None
    (model,) = verdict["result"]["models"]
    component = document["metadata"]["component"]
    assert component["bom-ref"] == f"model:{model['digest']}"
    assert document["metadata"]["timestamp"][:19] == verdict["created"][:19]
    assert hauberk_command("bom", package, "--out", tmp_path / "alone.json").code == 0
    alone = json.loads((tmp_path / "alone.json").read_text("utf-8"))
    assert alone["components"] == document["components"]
    assert alone["metadata"]["component"] == component
    bom.unlink()
    weights = package / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    said = hauberk_command(*call)
    assert (said.code, bom.exists()) == (1, False)
    assert "no inventory: " in said.err
    said = hauberk_command("audit", tmp_path, "--bom", bom)
    assert (said.code, bom.exists()) == (2, False)
    assert "--bom belongs to a package, and TARGET is a repository" in said.err


def test_files_and_json(hauberk_command: Call, package: Path, policy: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = hauberk_command(
        "audit", package, "--policy", policy, "--format", "json,sarif,junit", "--out", out, "--json"
    )
    assert sorted(one.name for one in out.iterdir()) == ["audit.json", "audit.junit.xml", "audit.sarif"]
    assert json.loads(said.out) == json.loads((out / "audit.json").read_text())
    checked = hauberk_command("verify", out / "audit.json", "--evidence", package)
    assert checked.code == 0
    assert "the verdict follows from its findings: no" in checked.out
    told = json.loads(hauberk_command("verify", out / "audit.json", "--json").out)
    assert told["passed"] is False
    assert told["missing"]
    document = json.loads((out / "audit.json").read_text())
    document["result"]["passed"] = True
    (out / "forged.json").write_text(json.dumps(document))
    assert hauberk_command("verify", out / "forged.json").code == 1


def test_an_earlier_answer_is_not_taken_for_one_that_failed(
    hauberk_command: Call, package: Path, policy: Path, tmp_path: Path
) -> None:
    call = ("--policy", policy, "--out", tmp_path / "audit", "--format", "html,json")
    hauberk_command("audit", package, *call)
    assert sorted(one.name for one in (tmp_path / "audit").iterdir()) == ["audit.html", "audit.json"]
    code, _out, _err = hauberk_command("audit", tmp_path / "nothing", *call)
    assert code in (2, 3)
    assert list((tmp_path / "audit").iterdir()) == []


def test_a_verdict_goes_into_a_ledger(
    hauberk_command: Call, package: Path, policy: Path, tmp_path: Path
) -> None:
    hauberk_command("audit", package, "--policy", policy, "--format", "json", "--out", tmp_path / "out")
    hauberk_command("ledger", "init", "--ledger", tmp_path / "ledger")
    verdict, ledger = tmp_path / "out" / "audit.json", tmp_path / "ledger"
    said = hauberk_command("ledger", "append", verdict, "--ledger", ledger)
    assert said.code == 0, said.err
    proof, entry = tmp_path / "audit.proof", tmp_path / "audit.entry"
    said = hauberk_command("ledger", "prove", verdict, "--ledger", ledger, "--out", proof, "--entry-out", entry)
    assert said.code == 0, said.err
    assert json.loads(verdict.read_text())["digest"] in entry.read_text()
    said = hauberk_command("ledger", "verify", proof, "--entry", entry, "--policy", ledger / "policy")
    assert said.code == 0, said.err


def test_a_path_where_nothing_lies_is_a_wrong_call(
    hauberk_command: Call, package: Path, policy: Path, tmp_path: Path
) -> None:
    """One line that names option and path; what lies there and cannot be believed stays a no."""
    call = (
        "audit",
        package,
        "--policy",
        policy,
        "--profile",
        "standard",
        "--format",
        "json",
        "--out",
        tmp_path / "o",
    )
    for option, place in (("--osv", tmp_path / "al.zip"), ("--ledger", tmp_path / "ledgr"), ("--ledger", "")):
        said = hauberk_command(*call, option, place)
        assert (said.code, said.out) == (2, "")
        assert said.err.startswith(f"error: {option}: there is nothing at {place or repr('')}\nhint: ")
        assert not (tmp_path / "o" / "audit.json").exists()
    (tmp_path / "empty").mkdir()
    for option, place, rule in (
        ("--ledger", tmp_path / "empty", "integrity.ledger"),
        ("--ledger", "http://127.0.0.1:9/", "integrity.ledger"),
        ("--osv", tmp_path / "empty", "environment.vulnerable-packages"),
    ):
        said = hauberk_command(*call, option, place, "--json")
        assert said.code == 1, said.err
        found = {one["rule"]: one["state"] for one in json.loads(said.out)["result"]["findings"]}
        assert found[rule] == "unknown"


def test_code_hosts_are_told_the_path_as_given(
    hauberk_command: Call, package: Path, policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hauberk_command("audit", "models/net", "--policy", policy, "--format", "sarif", "--out", "o")
    (run,) = json.loads((tmp_path / "o" / "audit.sarif").read_text())["runs"]
    places = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert places == {"models/net"}


def test_a_key_of_another_kind_signs_no_waiver(hauberk_command: Call, tmp_path: Path) -> None:
    """The message speaks of the key that was asked for, and neither of logs nor of a file's rights."""
    (tmp_path / "release.pem").write_text("-----BEGIN PUBLIC KEY-----\nAAAA\n")  # others may read it
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("release.pem", "binary"):
        said = hauberk_command(
            "waive", "robustness.clean", "--subject", "sha256:" + "0" * 64, "--reason", "for a demonstration",
            "--key", tmp_path / name, "--out", tmp_path / "w",
        )  # fmt: skip
        assert (said.code, said.out) == (2, "")
        assert "of a person who signs waivers" in said.err
        assert not re.search(r"\blogs?\b|witness|chmod", said.err)
    made = hauberk_command(
        "waive", "robustness.clean", "--subject", "sha256:" + "0" * 64, "--reason", "for a demonstration",
        "--key", tmp_path / "ann.key", "--new-key", "ann", "--out", tmp_path / "w",
    )  # fmt: skip
    assert made.code == 0
    assert "signs waivers as ann" in (tmp_path / "ann.key").read_text()


def test_a_repository_and_a_vault(hauberk_command: Call, package: Path, policy: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "people.csv").write_text("name\nann\n")
    said = hauberk_command("audit", tmp_path / "models", "--policy", policy, "--profile", "standard")
    assert said.code == 1
    assert "FAILED medium  data.encrypted" in said.out
    assert "people.csv" in said.out
    house = tmp_path / "house"
    hauberk_command("vault", "init", "--vault", house)
    hauberk_command("vault", "push", package, "net", "--vault", house)
    said = hauberk_command("audit", house, "--policy", policy, "--all")
    assert said.code == 1
    assert "access.trail" in said.out
    assert "net@1" in said.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("audit", "NONE"), 2, "nothing at"),
        (("audit", "PKG", "--format", "pdf"), 2, "unknown format"),
        (("audit", "PKG", "--run"), 2, "--data"),
        (("audit", "PKG", "--samples", "3"), 2, "go together"),
        (("audit", "PKG", "--ca", "x"), 2, "belong to a server"),
        (("audit", "PKG", "--as", "ann"), 2, "--as says who enters a vault, and TARGET is a package"),
        (("audit", ".", "--as", "owner"), 2, "--as says who enters a vault, and TARGET is a repository"),
        (("audit", "http://127.0.0.1:9", "--as", "ann"), 2, "name its vault with --vault DIR"),
        (("audit", "PKG", "--api-key-file", "x"), 2, "--api-key-file is for a vault or a server"),
        (("audit", "PKG", "--policy", "none.toml"), 2, "no policy"),
        (("audit", "PKG", "--waiver", "none"), 2, "no waiver"),
        (("audit", "PKG", "--osv", "x", "--online"), 2, "one of"),
        (("audit", "PKG", "--against", "none.json"), 2, "no evidence"),
        (("audit", "https://user:secret@host/"), 2, "no address"),
        (("waive", "robustness.worst", "--reason", "long enough", "--key", "k", "--out", "o"), 2, "worst-case"),
        (("waive", "robustness.clean", "--reason", "long enough", "--key", "k", "--out", "o"), 2, "--subject"),
        (("verify", "PKG"), 2, "--signature"),
    ],
)
def test_wrong_calls(
    hauberk_command: Call, package: Path, words: tuple[str, ...], code: int, says: str
) -> None:
    said = hauberk_command(*(str(package) if one == "PKG" else one for one in words))
    assert (said.code, said.out) == (code, "")
    assert says in said.err


def test_a_package_that_changes_under_way_gets_no_yes(
    hauberk_command: Call, package: Path, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hauberk.assurance import auditing

    real = auditing.judge

    def meanwhile(*given: Any, **named: Any) -> Any:
        (package / "late.txt").write_text("somebody was here")
        return real(*given, **named)

    monkeypatch.setattr(auditing, "judge", meanwhile)
    said = hauberk_command("audit", package, "--policy", policy)
    assert said.code == 1
    assert "the target changed while it was looked at: package/late.txt" in said.out


def test_no_knowledge_of_flaws_is_no_yes(
    hauberk_command: Call, package: Path, policy: Path, tmp_path: Path
) -> None:
    (tmp_path / "osv.zip").write_bytes(b"not a zip")
    said = hauberk_command(
        "audit", package, "--policy", policy, "--profile", "standard", "--osv", tmp_path / "osv.zip"
    )
    assert said.code == 1
    assert "UNKNOWN high  environment.vulnerable-packages" in said.out


def test_it_starts_without_torch() -> None:
    program = (
        "import sys; import hauberk.assurance.auditing, hauberk.assurance.catalogue, hauberk.assurance.waiver; "
        "import hauberk.assurance.gathering.servers, hauberk.cli.audit_command, hauberk.cli.waive_command; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_every_fix_is_a_command_that_exists() -> None:
    """The options of each fix that rules write, looked up in the command line itself."""
    root = Path(__file__).parents[2] / "src" / "hauberk" / "assurance"
    found = set()
    for file in root.rglob("*.py"):
        source = re.sub(r'"\s*\n\s*f?"', "", file.read_text())
        found |= set(re.findall(r'f?"(hauberk [a-z][^"\n]*--[^"\n]*)"', source))
    assert len(found) > 15
    for line in found:
        words = re.sub(r"\{[^{}]*\}", "X", line).split()[1:]
        verb: Any = group
        context = click.Context(group)
        while isinstance(verb, click.Group):
            verb = verb.get_command(context, words.pop(0))
            assert verb is not None, line
        known = {name for one in verb.params for name in one.opts}
        asked = {one.opts[0] for one in verb.params if isinstance(one, click.Option) and one.required}
        given = {word.strip(",") for word in words}
        assert asked <= given | {"--data"}, line  # which data stands in a variable of some
        for word in words:
            if word.startswith("--"):
                assert word.strip(",") in known, f"{word} in: {line}"


def test_the_page_is_written_from_the_rules_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    import audit_rules

    page = (root / "docs" / "audit.md").read_text("utf-8")
    assert audit_rules.table() in page, "stale: python benchmarks/audit_rules.py"
    assert all(f"`{rule.id}`" in page for rule in CATALOGUE)


@pytest.mark.slow
def test_a_real_server_over_a_vault(hauberk_command: Call, package: Path, policy: Path, tmp_path: Path) -> None:
    """Guard, limits and TLS of the server itself, asked by an auditor with a key."""
    house, owner = tmp_path / "house", ("--vault", tmp_path / "house", "--as", "owner")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", tmp_path / "key", "-out", tmp_path / "crt", "-days", "60", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    (tmp_path / "key").chmod(0o600)
    hauberk_command("vault", "init", "--vault", house)
    hauberk_command("vault", "push", package, "digits", *owner)
    hauberk_command("vault", "promote", "digits@1", "--to", "production", *owner)
    hauberk_command("access", "user", "add", "ann", *owner)
    for role in ("auditor", "predictor"):
        hauberk_command("access", "grant", role, "--to", "ann", *owner)
    hauberk_command("access", "key", "new", "ann", "--expires", "30d", "--out", tmp_path / "ann.key", *owner)
    tls = ("--tls", tmp_path / "crt", tmp_path / "key")
    with command(tmp_path, *owner, "--models", "digits", *tls) as (_process, url):
        call = ("audit", url, "--ca", tmp_path / "crt", "--profile", "standard", "--all")
        said = hauberk_command(*call, "--api-key-file", tmp_path / "ann.key")
        assert said.code == 0, said.out + said.err
        for rule in ("reachable", "tls", "callers", "guard", "limits", "alerts"):
            assert f"passed         serving.{rule}" in said.out
        stranger = hauberk_command(*call)
        assert stranger.code == 1
        assert "UNKNOWN medium  serving.guard" in stranger.out
        behind = hauberk_command(*call, "--api-key-file", tmp_path / "ann.key", "--vault", house)
        assert "digits@1" in behind.out
