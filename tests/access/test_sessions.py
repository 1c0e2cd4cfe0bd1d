"""Sessions of the console: kept as digests, shared by all processes, ended in every way that they should."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from access_stores import Hands, connect
from sqlalchemy import select

from hauberk.access import schema
from hauberk.access.entering import Access
from hauberk.access.identities import add, set_disabled
from hauberk.access.sessions import Sessions
from hauberk.core.database import Database
from hauberk.core.errors import AccessDenied, ConfigError

PASSWORD = "correct horse battery"


@pytest.fixture
def sessions(database: Database, clock: Hands) -> Sessions:
    add(database, "ada")
    add(database, "eve")
    return Sessions(database, idle=timedelta(minutes=30), longest=timedelta(hours=12), clock=clock)


def rows(database: Database) -> list[dict[str, object]]:
    with database.read() as connection:
        return [dict(one._mapping) for one in connection.execute(select(schema.sessions))]


def test_only_a_digest_is_kept(sessions: Sessions, database: Database) -> None:
    token = sessions.begin("ada", "password and code", "192.0.2.1")
    assert len(token) == 43
    (row,) = rows(database)
    assert bytes(row["digest"]) == hashlib.sha256(token.encode()).digest()  # type: ignore[call-overload]
    assert token not in str(row)
    found = sessions.find(token)
    assert found is not None
    assert (found.identity, found.how, found.source) == ("ada", "password and code", "192.0.2.1")
    assert token not in repr(found)
    assert found.form_token not in repr(found)
    assert found.form_token != token


@pytest.mark.parametrize("given", ["", "x", "a" * 43, "a" * 44, "ä" * 43, "../../../etc", "\x00" * 43])
def test_what_is_no_token_is_nobodys(sessions: Sessions, given: str) -> None:
    sessions.begin("ada", "password", "")
    assert sessions.find(given) is None


def test_one_changed_letter_is_another_token(sessions: Sessions) -> None:
    token = sessions.begin("ada", "password", "")
    for at in (0, 20, 41):
        other = "A" if token[at] != "A" else "B"
        assert sessions.find(token[:at] + other + token[at + 1 :]) is None


def test_it_ends_when_it_was_idle(sessions: Sessions, clock: Hands) -> None:
    token = sessions.begin("ada", "password", "")
    for _ in range(5):
        clock.move(minutes=29)
        assert sessions.find(token) is not None
    clock.move(minutes=31)
    assert sessions.find(token) is None


def test_a_page_that_renews_itself_keeps_no_session_alive(sessions: Sessions, clock: Hands) -> None:
    token = sessions.begin("ada", "password", "")
    for _ in range(29):
        clock.move(minutes=1)
        assert sessions.find(token, by_person=False) is not None
    clock.move(minutes=2)
    assert sessions.find(token, by_person=False) is None


def test_it_ends_when_it_is_too_old_however_much_it_is_used(sessions: Sessions, clock: Hands) -> None:
    token = sessions.begin("ada", "password", "")
    for _ in range(71):
        clock.move(minutes=10)
        assert sessions.find(token) is not None
    clock.move(minutes=11)
    assert sessions.find(token) is None


def test_signing_in_anew_ends_the_session_of_before(sessions: Sessions) -> None:
    first = sessions.begin("ada", "password", "")
    second = sessions.begin("ada", "password", "", instead_of=first)
    assert second != first
    assert sessions.find(first) is None
    assert sessions.find(second) is not None


def test_signing_out_ends_one_and_everywhere_ends_all(sessions: Sessions) -> None:
    first, second, other = (sessions.begin(name, "password", "") for name in ("ada", "ada", "eve"))
    sessions.end(first)
    assert sessions.find(first) is None
    assert len(sessions.of("ada")) == 1
    assert sessions.people() == 2
    assert sessions.end_all("ada") == 1
    assert sessions.find(second) is None
    assert sessions.find(other) is not None
    with pytest.raises(ConfigError):
        sessions.end_all("nobody")


def test_whoever_is_disabled_or_gets_another_secret_is_signed_out(
    sessions: Sessions, database: Database, access: Access
) -> None:
    ends = [
        lambda: set_disabled(database, "ada", True),
        lambda: access.accounts.set_password("ada", PASSWORD),
        lambda: access.accounts.enrol("ada"),
        lambda: access.accounts.drop_factor("ada"),
    ]
    for end in ends:
        token, other = sessions.begin("ada", "password", ""), sessions.begin("eve", "password", "")
        end()
        assert sessions.find(token) is None
        assert sessions.find(other) is not None
        set_disabled(database, "ada", False)
        assert sessions.find(token) is None, "it does not come back"


def test_nobody_signs_in_who_was_disabled_meanwhile(sessions: Sessions, database: Database) -> None:
    set_disabled(database, "ada", True)
    with pytest.raises(AccessDenied):
        sessions.begin("ada", "password", "")


def test_another_process_and_a_restart_know_the_session(sessions: Sessions, url: str, clock: Hands) -> None:
    token = sessions.begin("ada", "password", "")
    with_others = connect(url)
    try:
        other = Sessions(with_others, clock=clock)
        found = other.find(token)
        assert found is not None
        assert found == sessions.find(token)
        assert found.has_form_token(sessions.find(token).form_token)  # type: ignore[union-attr]
        other.end(token)
        assert sessions.find(token) is None
    finally:
        with_others.close()


def test_forms_of_one_session_are_no_others(sessions: Sessions) -> None:
    first, second = (sessions.find(sessions.begin("ada", "password", "")) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.has_form_token(first.form_token)
    for wrong in (second.form_token, "", first.form_token[:-1], first.form_token + "x", "ä", "\ud800"):
        assert not first.has_form_token(wrong)
    (listed, _) = sessions.of("ada")
    assert not listed.has_form_token(""), "a session that is only listed takes no form"


def test_rows_of_the_past_are_cleared(sessions: Sessions, database: Database, clock: Hands) -> None:
    for _ in range(3):
        sessions.begin("ada", "password", "")
    clock.move(hours=13)
    sessions.begin("eve", "password", "")
    assert [row["identity"] for row in rows(database)] == ["eve"]


def test_a_password_alone_is_not_enough_where_both_are_asked_for(
    access: Access, database: Database, clock: Hands
) -> None:
    add(database, "ada")
    access.accounts.set_password("ada", PASSWORD)
    assert access.by_password("ada", PASSWORD).name == "ada"
    for code in (None, "", "000000"):
        with pytest.raises(AccessDenied, match="the name, the password or the code is wrong"):
            access.by_password("ada", PASSWORD, code, both=True)
    made = access.accounts.enrol("ada")
    assert access.by_password("ada", PASSWORD, made.recovery[0], both=True).how == "password and code"


def test_who_signed_in_stands_in_the_trail(access: Access, database: Database) -> None:
    from hauberk.access.trail.ocsf import event

    add(database, "ada")
    access.accounts.set_password("ada", PASSWORD)
    made = access.accounts.enrol("ada")
    caller = access.by_password("ada", PASSWORD, made.recovery[0])
    line = access.signed_in(caller)
    assert (line.who, line.action, line.allowed, line.how) == ("ada", "enter", True, "password and code")
    assert event(line)["class_uid"] == 3002
    assert event(line)["status"] == "Success"
