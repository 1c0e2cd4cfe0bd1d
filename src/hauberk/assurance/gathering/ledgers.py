"""What a ledger proves of documents; nothing that it says is believed without a proof."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hauberk.assurance.target import Logged
from hauberk.assurance.text import Text, same
from hauberk.core.errors import HauberkError, IntegrityError
from hauberk.core.evidence import Evidence
from hauberk.crypto.notes import parse_verifier
from hauberk.ledger import merkle
from hauberk.ledger.checking import verify_inclusion
from hauberk.ledger.documents import evidence_entry
from hauberk.ledger.hashing import leaf_hash
from hauberk.ledger.opening import open_ledger
from hauberk.ledger.policy import Policy
from hauberk.ledger.policy_text import Party
from hauberk.ledger.reading import Reader
from hauberk.ledger.salting import opens
from hauberk.ledger.statements import Statement


class Ledger:
    """An open ledger with its verified head, or why there is none. Use it in a ``with`` block.

    Args:
        where: a folder, a URL, or a ``Log`` that is open and stays so.
        keys: verifiers of the logs that are believed.
    """

    def __init__(self, where: str | Path | Reader | None, keys: Iterable[str]) -> None:
        self._log: Reader | None = None
        self._opened = isinstance(where, str | Path)
        self.where, self.size = "", 0
        self.why: Text | None = None
        known = tuple(Party(parse_verifier(one)) for one in keys)
        if where is None:
            self.why = Text("no ledger was named", "未指定账本")
            return
        try:
            self._log = open_ledger(where) if isinstance(where, str | Path) else where
            self.where = self._log.where
            if not known:
                self.why = Text("the policy trusts no log", "策略未信任任何账本")
                return
            self._head = Policy(logs=known).check(self._log.head())
            self.size = self._head.size
        except HauberkError as error:
            self.why = same(str(error))

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._log is not None and self._opened:
            self._log.close()

    def proofs(self, documents: Iterable[Evidence]) -> Logged:
        """For each document whether the log is proven to hold it."""
        if self.why or self._log is None:
            return Logged(where=self.where, why=self.why)
        found = {one.digest: self._proof(one) for one in documents}
        return Logged(where=self.where, head=self.size, proofs=found)

    def _proof(self, one: Evidence) -> str:
        assert self._log is not None
        entry = evidence_entry(one)
        try:
            number = None if entry.openings else self._log.find(leaf_hash(entry.data))
            if number is None and entry.subject is not None:
                number = self._salted(one, entry.subject)
            if number is None or number >= self.size:
                return "not logged"
            data = self._log.entry(number)
            path = merkle.inclusion(number, self.size, self._log.hashes)
            verify_inclusion(leaf_hash(data), number, self.size, path, self._head.root)
        except IntegrityError:
            return "fails"
        except HauberkError:
            return "not logged"
        return "holds"

    def _salted(self, one: Evidence, subject: str) -> int | None:
        """The entry of a document whose digest was salted, as long as its opening is there."""
        assert self._log is not None
        for number in self._log.about(subject):
            said = Statement.parse(self._log.entry(number))
            opening = self._log.openings(number).get("document")
            if said is None or opening is None or opening.fact != one.digest:
                continue
            if opens(opening, said.salted.get("document", "")):
                return number
        return None
