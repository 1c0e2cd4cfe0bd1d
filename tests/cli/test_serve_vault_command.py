"""``hauberk serve --vault``: who has no key gets nothing, decisions are written down, a revocation counts."""

from __future__ import annotations

import json
from pathlib import Path

from served_vaults import ask, house_with
from test_serve_command import command
from transcripts import Call

from hauberk.access import check_trail
from hauberk.vault import open_vault


def test_a_vault_is_served_to_those_it_knows(
    hauberk_command: Call, tmp_path: Path, plain_package: Path
) -> None:
    house = house_with(hauberk_command, tmp_path, plain_package)
    done, owner = house.done, house.owner
    ward, guest = house.caller("ward"), house.caller("guest")
    done("access", "grant", "predictor", "--to", "ward", "--on", "digits")
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
        done("access", "revoke", "predictor", "--from", "ward", "--on", "digits")
        assert ask(url, ward)[0] == 403  # at once, in another process
        done("access", "grant", "predictor", "--to", "ward", "--on", "digits")
        assert ask(url, ward)[0] == 200
        done("vault", "revoke", "digits@1", "--reason", "leaks")
        status, refused = ask(url, ward)  # at once, too
        assert (status, refused["detail"]) == (410, "digits version 1 was revoked: leaks")
        assert ask(url, guest)[0] == 403
    log = (tmp_path / "log").read_text()
    assert ward not in log
    assert guest not in log
    with open_vault(house.path) as vault:
        check_trail(vault)
    lines = json.loads(done("access", "log", "--json"))
    text = json.dumps(lines)
    assert "model.predict" in text
    assert "guest" in text
    assert ward not in text


def test_strangers_are_kept_out_without_a_vault(
    hauberk_command: Call, tmp_path: Path, plain_package: Path
) -> None:
    tls = (tmp_path / "server.crt", tmp_path / "server.key")
    for words, says in (
        (("--models", f"net={plain_package}", "--host", "0.0.0.0", "--tls", *tls), "anybody could ask"),
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
