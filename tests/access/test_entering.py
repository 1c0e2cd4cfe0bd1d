"""Keys from their first to their last day, and changes that count at once in every process."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from access_stores import START, Hands, connect
from sqlalchemy import text

from hauberk.access import granting, identities, key_store
from hauberk.access.deciding import Caller, Question
from hauberk.access.entering import Access, Circumstances
from hauberk.access.explaining import explain
from hauberk.access.gate import AccessGate
from hauberk.access.trail.reading import lines
from hauberk.access.words import Rule
from hauberk.core.database import Database
from hauberk.core.errors import AccessDenied, ConfigError, UnknownName
from hauberk.vault.keys import VaultKeys

PULL = Question("model.pull", "face-1")
NO_KEY = "the API key is not valid"


@pytest.fixture
def ada(access: Access) -> str:
    identities.add(access.database, "ada")
    granting.grant(access.database, "trainer", "ada", "face-*")
    return "ada"


def allowed(access: Access, caller: Caller, question: Question = PULL) -> bool:
    return access.decide(caller, question).allowed


class TestKeys:
    def test_a_key_is_its_owner_within_its_scopes(self, access: Access, ada: str, clock: Hands) -> None:
        scopes = [Rule("allow", "model.pull", "face-*"), Rule("allow", "model.revoke")]
        key = key_store.new(access.database, ada, scopes=scopes, clock=clock)
        caller = access.by_key(key.text)
        assert (caller.name, caller.key) == (ada, key.id)
        assert allowed(access, caller)
        assert not allowed(access, caller, Question("model.push", "face-1")), (
            "its owner may, its scopes say nothing"
        )
        assert not allowed(access, caller, Question("model.revoke", "face-1")), (
            "its scopes do, its owner may not"
        )

    def test_it_ends_on_the_millisecond(self, access: Access, ada: str, clock: Hands) -> None:
        key = key_store.new(access.database, ada, lifetime=timedelta(days=90), clock=clock)
        caller = access.by_key(key.text)
        clock.move(days=90, milliseconds=-1)
        assert allowed(access, caller)
        assert access.by_key(key.text)
        clock.move(milliseconds=1)
        assert access.decide(caller, PULL).why == "the key has expired"
        with pytest.raises(AccessDenied, match=NO_KEY):
            access.by_key(key.text)

    def test_rotation_overlaps(self, access: Access, ada: str, clock: Hands) -> None:
        scopes = [Rule("allow", "model.pull")]
        old = key_store.new(access.database, ada, scopes=scopes, lifetime=timedelta(days=90), clock=clock)
        clock.move(days=80)
        new = key_store.rotate(access.database, old.id, overlap=timedelta(days=3), clock=clock)
        assert allowed(access, access.by_key(old.text))
        assert allowed(access, access.by_key(new.text))
        with pytest.raises(ConfigError, match="replaced"):
            key_store.rotate(access.database, old.id, overlap=timedelta(days=3), clock=clock)
        clock.move(days=3)
        with pytest.raises(AccessDenied, match=NO_KEY):
            access.by_key(old.text)
        found = {one.id: one for one in key_store.listed(access.database, ada)}
        assert found[old.id].successor == new.id
        assert found[new.id].scopes == tuple(scopes)
        clock.move(days=87, seconds=-1)
        assert access.by_key(new.text), "it lives as long as the old one was made for"

    def test_an_overlap_never_prolongs_the_old_key(self, access: Access, ada: str, clock: Hands) -> None:
        old = key_store.new(access.database, ada, lifetime=timedelta(days=1), clock=clock)
        key_store.rotate(access.database, old.id, overlap=timedelta(days=30), clock=clock)
        clock.move(days=1)
        with pytest.raises(AccessDenied):
            access.by_key(old.text)

    def test_all_that_is_no_key_is_refused_in_the_same_words_and_written_down(
        self, access: Access, ada: str, clock: Hands
    ) -> None:
        key, other = (
            key_store.new(access.database, ada, clock=clock),
            key_store.new(access.database, ada, clock=clock),
        )
        key_store.revoke(access.database, other.id, clock=clock)
        from hauberk.access import keys as forms

        same_id = forms.make(random=lambda count: bytes(count))
        with access.database.write() as connection:  # a key whose identifier is known and whose secret is not
            connection.execute(
                text("UPDATE access_keys SET id = :id WHERE id = :old"), {"id": same_id.id, "old": key.id}
            )
        wrong = ["", "hbk_", "\ud800", key.text[:-1], forms.make().text, same_id.text, other.text]
        said = set()
        for one in wrong:
            with pytest.raises(AccessDenied) as caught:
                access.by_key(one, Circumstances("192.0.2.7"))
            said.add((str(caught.value), caught.value.hint))
        assert said == {(NO_KEY, None)}
        written = [one for one, _ in lines(access.database)]
        assert [one.action for one in written] == ["enter"] * len(wrong)
        assert [one.who for one in written] == [""] * (len(wrong) - 1) + [ada]
        assert written[-1].why == "the key is revoked"
        assert not any(one in str(written) for one in wrong if len(one) > 4)

    @pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(days=-1)])
    def test_a_key_that_is_over_before_it_begins_is_refused(
        self, access: Access, ada: str, lifetime: timedelta
    ) -> None:
        with pytest.raises(ConfigError):
            key_store.new(access.database, ada, lifetime=lifetime)
        with pytest.raises(ConfigError):
            key_store.new(access.database, ada, scopes=[Rule("deny", "model.pull")])
        with pytest.raises(ConfigError, match="no identity"):
            key_store.new(access.database, "nobody")

    def test_keys_are_not_in_the_tables(self, access: Access, ada: str) -> None:
        key = key_store.new(access.database, ada)
        with access.database.read() as connection:
            assert key.text not in str(connection.execute(text("SELECT * FROM access_keys")).all())


class TestAtOnce:
    """Two processes: each has its own connections and remembers for itself."""

    @pytest.fixture
    def other(self, url: str, keeper: VaultKeys, clock: Hands) -> Access:
        self.database = connect(url)
        return Access(self.database, keeper, START, clock=clock)

    @pytest.fixture(autouse=True)
    def closed(self) -> object:
        yield
        if hasattr(self, "database"):
            self.database.close()

    def test_what_one_takes_away_the_other_no_longer_allows(
        self, access: Access, other: Access, ada: str, clock: Hands
    ) -> None:
        key = key_store.new(access.database, ada, clock=clock)
        caller = other.by_key(key.text)
        changes = [
            (lambda: identities.set_disabled(access.database, ada, True),
             lambda: identities.set_disabled(access.database, ada, False)),
            (lambda: granting.take_back(access.database, "trainer", ada, "face-*"),
             lambda: granting.grant(access.database, "trainer", ada, "face-*")),
            (lambda: granting.grant(access.database, "model.pull", ada, "face-1", "deny"),
             lambda: granting.take_back(access.database, "model.pull", ada, "face-1", "deny")),
        ]  # fmt: skip
        for take, give in changes:
            for _ in range(3):
                assert allowed(other, caller)
            take()
            assert not allowed(other, caller)
            give()
            assert allowed(other, caller)
        key_store.revoke(access.database, key.id, clock=clock)
        assert other.decide(caller, PULL).why == "the key is revoked"

    def test_a_role_that_changes_binds_all_who_have_it(self, access: Access, other: Access, ada: str) -> None:
        granting.set_role(access.database, "mine", [Rule("allow", "model.promote")])
        granting.grant(access.database, "mine", ada)
        question = Question("model.promote", "face-1")
        caller = Caller(ada, "password")
        assert allowed(other, caller, question)
        granting.set_role(access.database, "mine", [Rule("allow", "model.view")])
        assert not allowed(other, caller, question)

    def test_a_new_key_is_known_at_once(self, access: Access, other: Access, ada: str, clock: Hands) -> None:
        first = other.by_key(key_store.new(access.database, ada, clock=clock).text)
        assert allowed(other, first)
        assert allowed(other, other.by_key(key_store.new(access.database, ada, clock=clock).text))

    def test_no_decision_after_a_revocation_allows(
        self, access: Access, other: Access, ada: str, clock: Hands
    ) -> None:
        """Many ask without a pause while somebody revokes: whoever asks after that is refused."""
        key = key_store.new(access.database, ada, clock=clock)
        caller = other.by_key(key.text)
        revoked = threading.Event()
        begun: list[int] = []
        wrong: list[int] = []

        def ask() -> None:
            after = 0
            while after < 5:
                late = revoked.is_set()
                after += late
                begun.append(1)
                if allowed(other, caller) and late:
                    wrong.append(after)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for one in threads:
            one.start()
        while len(begun) < 20:
            time.sleep(0.001)
        key_store.revoke(access.database, key.id, clock=clock)
        revoked.set()
        for one in threads:
            one.join()
        assert wrong == []


def test_the_owner_may_everything_and_is_written_down(access: Access) -> None:
    gate = AccessGate(access, access.owner())
    assert gate.actor == "owner"
    gate.check("model.promote", "face", ("3", "production"), detail="promote face@3 to production")
    (line,) = [one for one, _ in lines(access.database)]
    assert (line.who, line.action, line.model, line.version) == (
        "owner",
        "model.promote",
        "face",
        "3 production",
    )
    with pytest.raises(ConfigError):
        identities.add(access.database, "owner")


def test_a_gate_lets_only_the_allowed_through(access: Access, ada: str) -> None:
    gate = AccessGate(access, Caller(ada, "password"))
    gate.check("model.pull", "face-1")
    with pytest.raises(AccessDenied, match=r"'ada' is refused model\.pull on text: no rule allows it"):
        gate.check("model.pull", "text")
    with pytest.raises(UnknownName):
        gate.check("model.pul", "face-1")


def test_a_version_is_denied_by_any_of_its_names(access: Access, ada: str) -> None:
    granting.grant(access.database, "model.pull", ada, "face-1@3", "deny")
    caller = Caller(ada, "password")
    assert allowed(access, caller, Question("model.pull", "face-1", ("2", "staging")))
    assert not allowed(access, caller, Question("model.pull", "face-1", ("3", "production")))


@pytest.mark.parametrize("model", ["\ud800", "a\nb", '"', "x" * 300])
def test_names_that_no_model_has_are_refused_and_not_repeated(access: Access, ada: str, model: str) -> None:
    granting.grant(access.database, "admin", ada)
    line = access.decide(Caller(ada, "password"), Question("model.pull", model))
    assert not line.allowed
    assert line.model == "(not shown)"


def test_explain_says_which_rule_decided(access: Access, ada: str, clock: Hands) -> None:
    granting.grant(access.database, "model.pull", ada, "face-secret", "deny")
    found = explain(access.database, ada, Question("model.pull", "face-secret"))
    assert (found.verdict.allowed, found.verdict.why) == (False, ("grant 2",))
    assert [(str(one), one.decided) for one in found.rules] == [
        ("grant 2: deny model.pull on face-secret", True),
        ("grant 1: trainer 2: allow model.pull on * and within face-*", False),
    ]
    key = key_store.new(access.database, ada, scopes=[Rule("allow", "model.view")], clock=clock)
    scoped = explain(access.database, ada, PULL, key=key.id, clock=clock)
    assert scoped.verdict.why == (f"scope of key {key.id}",)
    with pytest.raises(ConfigError):
        explain(access.database, "nobody", PULL)


def test_grants_are_undone_as_they_were_done(database: Database, ada: str) -> None:
    first = granting.grant(database, "viewer", ada, "x*")
    assert granting.grant(database, "viewer", ada, "x*") == first
    with pytest.raises(ConfigError, match="was not granted viewer on"):
        granting.take_back(database, "viewer", ada)
    assert granting.take_back(database, "viewer", ada, "x*") == first
    assert granting.grant(database, "viewer", ada, "x*").id > first.id, (
        "a number that the trail names is not reused"
    )
    with pytest.raises(UnknownName, match="viewer"):
        granting.grant(database, "viewr", ada)
    with pytest.raises(ConfigError, match="built in"):
        granting.set_role(database, "admin", [Rule("allow", "model.view")])
