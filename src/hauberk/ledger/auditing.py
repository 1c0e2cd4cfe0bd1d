"""A whole log read again: every entry, every stored hash, the head's signature, an older head if one was kept.

Nothing of what makes logs is used here but the two hashes and the forms of the files, so that a mistake there
is found and not repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hauberk.core.errors import IntegrityError
from hauberk.crypto.notes import Checkpoint, Note
from hauberk.ledger.hashing import EMPTY_ROOT, leaf_hash, node_hash
from hauberk.ledger.policy import Policy
from hauberk.ledger.reading import Reader
from hauberk.ledger.tiles import WIDTH, Tile


@dataclass(frozen=True)
class Audited:
    """What was found to be in order.

    Args:
        head: the newest head.
        note: the same as it was signed.
        tiles: stored tiles that were compared with the entries.
        since: the older head that this one continues, or None where none was given.
    """

    head: Checkpoint
    note: Note
    tiles: int
    since: Checkpoint | None


def audit(log: Reader, policy: Policy, since: bytes | Note | None = None) -> Audited:
    """Read a log from beginning to end and compare all that it says.

    Args:
        policy: whose head is believed.
        since: an older signed checkpoint that somebody kept; a log of the policy must have signed it.

    Raises:
        IntegrityError: an entry or a hash was changed, removed, added or moved; the head is not believed; or
            the log does not continue the older head.

    Cost: reads every entry and every hash once; memory for 256 entries and 256 hashes a level.
    """
    note = Note.parse(log.head())
    head = policy.check(note)
    older = policy.check_log(since) if since is not None else None
    if older is not None and older.origin != head.origin:
        raise IntegrityError(f"the older head is of another log: {older.origin}, and not {head.origin}")
    if older is not None and older.size > head.size:
        raise IntegrityError(f"{log.where} has {head.size} entries and had {older.size}: it was cut short")
    tree = _Rebuilt(log)
    if older is not None:
        tree.read(older.size)
    before = tree.root()
    tree.read(head.size)
    tree.compare_edge()  # first, since it says which entry
    if older is not None:
        _compare(before, older, "the log was rewritten since then")
    _compare(tree.root(), head, "entries were changed, or the head is another log's")
    return Audited(head, note, tree.tiles, older)


def _compare(root: bytes, head: Checkpoint, why: str) -> None:
    if root != head.root:
        raise IntegrityError(f"the entries do not give the root of the head of {head.size} entries: {why}")


class _Rebuilt:
    """The tree, hashed anew from the entries; of each level only the tile that is being filled is kept."""

    def __init__(self, log: Reader) -> None:
        self._log = log
        self._size = 0
        self._rows: list[list[bytes]] = [[]]
        self._done: list[int] = [0]  # full tiles of each level
        self.tiles = 0

    def read(self, size: int) -> None:
        for entry in self._log.entries(self._size, size):
            self._add(0, leaf_hash(entry))
            self._size += 1
        if self._size != size:
            raise IntegrityError(f"{self._log.where} has {self._size} entries and its head says {size}")

    def _add(self, level: int, value: bytes) -> None:
        if level == len(self._rows):
            self._rows.append([])
            self._done.append(0)
        row = self._rows[level]
        row.append(value)
        if len(row) == WIDTH:
            self._compare_tile(level)
            self._done[level] += 1
            self._rows[level] = []
            self._add(level + 1, _over(row))

    def compare_edge(self) -> None:
        """Compare the tiles at the right edge, which are not full."""
        for level, row in enumerate(self._rows):
            if row:
                self._compare_tile(level)

    def _compare_tile(self, level: int) -> None:
        row, number = self._rows[level], self._done[level]
        stored = self._log.tile(Tile(level, number, len(row)))
        self.tiles += 1
        if stored == b"".join(row):
            return
        differing = (at for at, value in enumerate(row) if stored[32 * at : 32 * at + 32] != value)
        first = (number * WIDTH + next(differing, 0)) * WIDTH**level
        what = f"entry {first} is" if level == 0 else f"entries {first} to {first + WIDTH**level - 1} are"
        raise IntegrityError(f"{what} not what was logged: {self._log.where} holds another hash of it")

    def root(self) -> bytes:
        """The root over what was read: each row, and behind it what is not yet a full tile of the row below."""
        right: list[bytes] = []
        for row in self._rows:
            right = [_over([*row, *right])] if row or right else []
        return right[0] if right else EMPTY_ROOT


def _over(hashes: Sequence[bytes]) -> bytes:
    """The root over hashes of equal subtrees, of which the last may be smaller (RFC 6962, section 2.1)."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(_over(hashes[:half]), _over(hashes[half:]))
