"""Two servers, as on two machines, that share nothing but a vault in PostgreSQL: they behave as one."""

from __future__ import annotations

import uuid
from pathlib import Path

from postgres_server import Server
from served_vaults import House, ask
from test_serve_command import command, eventually
from transcripts import Call

from hauberk.access import check_trail
from hauberk.vault import open_vault


def test_what_one_server_learns_the_other_acts_upon(
    hauberk_command: Call, tmp_path: Path, plain_package: Path, postgres: Server
) -> None:
    house = House(hauberk_command, tmp_path)
    url = postgres.database(f"house_{uuid.uuid4().hex[:12]}")
    assert hauberk_command("vault", "init", "--vault", house.path, "--database", url)[0] == 0
    house.done("vault", "push", plain_package, "digits")
    house.done("vault", "promote", "digits@1", "--to", "production")
    ward, probe = house.caller("ward", "predictor"), house.caller("probe", "predictor")
    policy = tmp_path / "guard.toml"
    policy.write_text('[guard]\nbudget = "block"\nqueries = 20\n')
    places = [tmp_path / one for one in ("here", "there")]
    for one in places:
        one.mkdir()
    words = (*house.owner, "--models", "digits", "--poll", "0.2", "--guard", policy)
    with command(places[0], *words) as (_, here), command(places[1], *words) as (_, there):
        assert [ask(one, ward)[0] for one in (here, there)] == [200, 200]
        eventually(lambda: ask(here, probe)[0] == 403)  # more than it may
        eventually(lambda: ask(there, probe)[0] == 403)  # which the other server was told
        assert ask(there, ward)[0] == 200
        house.done("access", "revoke", "predictor", "--from", "ward")
        assert [ask(one, ward)[0] for one in (here, there)] == [403, 403]
        house.done("guard", "lift", "probe")
        eventually(lambda: ask(there, probe)[0] == 200)
        house.done("vault", "revoke", "digits@1", "--reason", "leaks")
        assert [ask(one, probe)[0] for one in (here, there)] == [410, 410]
    with open_vault(house.path) as vault:
        check_trail(vault)
