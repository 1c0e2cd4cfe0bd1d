"""The ledger: its head, who cosigned it, what it was told last, and the proofs that anybody can check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from starlette.responses import Response

from hauberk.core.errors import DataError, HauberkError
from hauberk.crypto.notes import Note, parse_verifier
from hauberk.crypto.notes.messages import COSIGNATURE, SIGNATURE_BYTES, SUBTREE, TIME_BYTES
from hauberk.ledger.auditing import audit
from hauberk.ledger.checkpoint import peek
from hauberk.ledger.policy import Policy
from hauberk.ledger.policy_text import NONE
from hauberk.ledger.proving import prove_inclusion
from hauberk.ledger.reading import Reader
from hauberk.ledger.statements import Statement
from hauberk.ledger.store.log import Log
from hauberk.serving.console.files import download
from hauberk.serving.console.moments import milliseconds
from hauberk.serving.console.pages import Act, Asked, Concern, Form, Page, Shown
from hauberk.serving.console.viewer import Viewer
from hauberk.vault import schema
from hauberk.vault.place import Vault

PAGE = 25  # entries on one page
_COSIGNATURES = [TIME_BYTES + SIGNATURE_BYTES[one] for one in (COSIGNATURE, SUBTREE)]


@dataclass(frozen=True)
class Witnessed:
    """What one witness said last.

    Args:
        name: as it stands in the signature; whether that key is a witness' whom you trust, a policy says.
        size: of the largest head that it cosigned.
        at_s: POSIX seconds of it; None where the line carries no time.
        newest: whether that is the newest head.
    """

    name: str
    size: int
    at_s: int | None
    newest: bool


@dataclass(frozen=True)
class Told:
    """One entry.

    Args:
        kind: of statement; None where the entry is something else.
        version: of which model's version it speaks, as NAME@NUMBER, or the name alone.
    """

    number: int
    kind: str | None
    name: str
    version: int | None
    created_ms: int | None


@dataclass(frozen=True)
class LedgerView:
    """The ledger now.

    Args:
        root: in hex.
        signed_ms: when its newest head was signed.
        problem: why the head is not to be believed; None where it verifies.
        waiting: entries that the vault has yet to tell it.
        before: where an older page of entries ends, or None; ``after`` the same for a newer one.
    """

    origin: str
    verifier: str
    size: int
    root: str
    signed_ms: int
    problem: str | None
    waiting: int
    witnesses: tuple[Witnessed, ...]
    entries: tuple[Told, ...]
    before: int | None
    after: int | None


@dataclass(frozen=True)
class Verified:
    """What came of reading the whole ledger again.

    Args:
        problem: None where everything is in order.
        entries, tiles: how many were read and compared.
    """

    problem: str | None
    entries: int = 0
    tiles: int = 0


def ledger(vault: Vault, stop: int | None = None) -> LedgerView:
    """The ledger with one page of its entries, the newest first.

    Args:
        stop: show entries before this one [default: the newest].

    Raises:
        IntegrityError, EnvironmentFailure: it cannot be read.
    """
    log = vault.ledger
    signed = log.head()
    head = peek(signed)
    try:
        _policy(vault).check(signed)
        problem = None
    except HauberkError as error:
        problem = str(error)
    last = head.size if stop is None else max(0, min(stop, head.size))
    first = max(0, last - PAGE)
    told = [_told(number, data) for number, data in enumerate(log.entries(first, last), first)]
    return LedgerView(
        origin=head.origin,
        verifier=vault.settings.ledger_verifier,
        size=head.size,
        root=head.root.hex(),
        signed_ms=log.signed_ms(),
        problem=problem,
        waiting=_waiting(vault),
        witnesses=witnesses(log),
        entries=tuple(reversed(told)),
        before=first if first > 0 else None,
        after=min(head.size, last + PAGE) if last < head.size else None,
    )


def witnesses(log: Reader) -> tuple[Witnessed, ...]:
    """Every key but the log's own that stands under a head, by name, with the largest head that it cosigned.

    Limits: lines are repeated, not verified: whose keys count is for a policy to say.
    """
    newest = peek(log.head())
    found: dict[str, Witnessed] = {}
    for data in log.cosigned_heads():
        note = Note.parse(data)
        size = peek(note).size
        for line in note.signatures:
            if line.name == newest.origin:
                continue
            found[line.name] = Witnessed(line.name, size, _time(line.data), size == newest.size)
    return tuple(sorted(found.values(), key=lambda one: one.name))


def verify(vault: Vault) -> Verified:
    """Read the whole ledger again, by the code that shares nothing with what wrote it.

    Cost: reads every entry and every hash once.
    """
    try:
        found = audit(vault.ledger, _policy(vault))
    except HauberkError as error:
        return Verified(str(error))
    return Verified(None, found.head.size, found.tiles)


def policy_file(vault: Vault) -> bytes:
    """The policy that believes this ledger's key and asks for no witness (c2sp.org/tlog-policy)."""
    return f"log {vault.settings.ledger_verifier}\nquorum {NONE}\n".encode()


def proof_file(log: Log, number: int) -> bytes:
    """The proof that entry ``number`` is in the ledger (c2sp.org/tlog-proof).

    Raises:
        ConfigError: there is no such entry.
    """
    return bytes(prove_inclusion(log, number))


def _policy(vault: Vault) -> Policy:
    return Policy.of_log(parse_verifier(vault.settings.ledger_verifier))


def _told(number: int, data: bytes) -> Told:
    try:
        said = Statement.parse(data)
    except DataError:
        said = None
    if said is None:
        return Told(number, None, "", None, None)
    number_of = said.facts.get("version")
    version = number_of if isinstance(number_of, int) else None
    return Told(number, said.kind, said.name or "", version, milliseconds(said.created or ""))


def _time(data: bytes) -> int | None:
    """POSIX seconds at which a witness signed, as its line says."""
    return int.from_bytes(data[:TIME_BYTES], "big") or None if len(data) in _COSIGNATURES else None


def _waiting(vault: Vault) -> int:
    table = schema.events
    with vault.database.read() as connection:
        query = select(func.count()).select_from(table).where(table.c.waiting.is_not(None))
        return int(connection.execute(query).scalar_one())


def _view(viewer: Viewer, asked: Asked) -> LedgerView:
    stop = asked.query["before"]
    return ledger(viewer.vault, int(stop) if stop.isascii() and stop.isdigit() and len(stop) < 16 else None)


def _verify(viewer: Viewer, _asked: Asked, _form: Form) -> Shown:
    return Shown("ledger_verified", verify(viewer.vault))


def _head(viewer: Viewer, _asked: Asked) -> Response:
    return download(viewer.vault.ledger.head(), "checkpoint.txt")


def _policy_file(viewer: Viewer, _asked: Asked) -> Response:
    return download(policy_file(viewer.vault), "policy")


def _entry(viewer: Viewer, asked: Asked) -> Response:
    number = int(asked.path["number"])
    return download(viewer.vault.ledger.entry(number), f"entry-{number}.entry")


def _proof(viewer: Viewer, asked: Asked) -> Response:
    number = int(asked.path["number"])
    return download(proof_file(viewer.vault.ledger, number), f"entry-{number}.tlog-proof")


def _concerns(viewer: Viewer) -> Sequence[Concern]:
    found = []
    try:
        _policy(viewer.vault).check(viewer.vault.ledger.head())
    except HauberkError:
        found.append(Concern("bad", "ledger.concern.head", "/ledger"))
    waiting = _waiting(viewer.vault)
    if waiting:
        found.append(Concern("warn", "ledger.concern.waiting", "/ledger", {"count": waiting}))
    return found


PAGES = (
    Page(
        name="ledger",
        path="/ledger",
        view=_view,
        action="audit.read",
        acts={"verify": Act(_verify, "audit.read", lambda _asked, _form: "read the whole ledger again")},
        concerns=_concerns,
    ),
    Page(name="policy", path="/ledger/policy", view=_policy_file, action="audit.read", under="ledger"),
    Page(
        name="entry_bytes",
        path="/ledger/{number:int}/entry",
        view=_entry,
        action="audit.read",
        under="ledger",
    ),
    Page(name="head", path="/ledger/head", view=_head, action="audit.read", under="ledger"),
    Page(
        name="entry_proof",
        path="/ledger/{number:int}/proof",
        view=_proof,
        action="audit.read",
        under="ledger",
    ),
)
