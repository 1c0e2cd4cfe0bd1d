"""``hauberk serve --vault``: who has no key gets nothing, decisions are written down, a revocation counts."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from test_serve_command import command, eventually
from transcripts import Call

from hauberk.access import check_trail
from hauberk.vault import open_vault

ZEROS = {"inputs": [{"name": "input", "shape": [1, 1, 8, 8], "datatype": "FP32", "data": [0.0] * 64}]}


def ask(url: str, key: str | None = None, model: str = "digits") -> tuple[int, dict[str, Any]]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body = json.dumps(ZEROS).encode()
    request = urllib.request.Request(f"{url}/v2/models/{model}/infer", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_a_vault_is_served_to_those_it_knows(
    hauberk_command: Call, tmp_path: Path, plain_package: Path
) -> None:
    house = tmp_path / "house"
    owner = ("--vault", house, "--as", "owner")

    def done(*words: object) -> str:
        code, out, err = hauberk_command(*words)
        assert code == 0, err
        return out

    done("vault", "init", "--vault", house)
    done("vault", "push", plain_package, "digits", *owner)
    done("vault", "promote", "digits@1", "--to", "production", *owner)
    for name in ("ward", "guest"):
        done("access", "user", "add", name, *owner)
        done("access", "key", "new", name, "--out", tmp_path / f"{name}.key", *owner)
    done("access", "grant", "predictor", "--to", "ward", "--on", "digits", *owner)
    ward, guest = ((tmp_path / f"{name}.key").read_text().strip() for name in ("ward", "guest"))
    with command(tmp_path, *owner, "--models", "digits", "--poll", "0.2") as (_process, url):
        status, found = ask(url, ward)
        assert status == 200, found
        assert found["model_version"] == "1"
        status, refused = ask(url)
        assert (status, refused["type"]) == (401, "urn:hauberk:problem:unknown")
        assert ask(url, ward[:-1] + "x")[0] == 401
        assert ask(url, "hbk_nothing")[0] == 401
        status, refused = ask(url, guest)
        assert (status, refused["type"]) == (403, "urn:hauberk:problem:refused")
        assert ask(url, ward, "other")[0] in (403, 404)
        done("access", "revoke", "predictor", "--from", "ward", "--on", "digits", *owner)
        assert ask(url, ward)[0] == 403  # at once, in another process
        done("access", "grant", "predictor", "--to", "ward", "--on", "digits", *owner)
        assert ask(url, ward)[0] == 200
        done("vault", "revoke", "digits@1", "--reason", "leaks", *owner)
        eventually(lambda: ask(url, ward)[0] == 410)
    log = (tmp_path / "log").read_text()
    assert ward not in log
    assert guest not in log
    with open_vault(house) as vault:
        check_trail(vault)
    lines = json.loads(done("access", "log", "--json", *owner))
    text = json.dumps(lines)
    assert "model.predict" in text
    assert "guest" in text
    assert ward not in text


def test_strangers_are_kept_out_without_a_vault(
    hauberk_command: Call, tmp_path: Path, plain_package: Path
) -> None:
    for words, says in (
        (("--models", f"net={plain_package}", "--host", "0.0.0.0", "--plain-network"), "anybody could ask"),
        (("--models", f"net={plain_package}", "--as", "owner"), "belong to a vault"),
        (("--vault", tmp_path / "none", "--models", "net"), "no vault"),
        ((), "nothing to serve"),
    ):
        code, _out, err = hauberk_command("serve", *words)
        assert code in (2, 3), err
        assert says in err


def test_the_guard_s_policy_is_a_table_of_its_own(hauberk_command: Call, tmp_path: Path) -> None:
    for text, says in (
        ("queries = 5", "one table, [guard]"),
        ("[guard]\nqueris = 5", "did you mean 'queries'"),
        ("[guard]\nqueries = 5", "no vault"),
        ("[guard", "not TOML"),
    ):
        file = tmp_path / "guard.toml"
        file.write_text(text)
        code, _out, err = hauberk_command(
            "serve", "--vault", tmp_path / "none", "--models", "net", "--guard", file
        )
        assert code in (2, 3), err
        assert says in err
