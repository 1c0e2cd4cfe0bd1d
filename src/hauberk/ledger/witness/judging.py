"""The witness itself: it cosigns a head that continues the last one of a known log, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from hauberk.core.clock import Clock, now
from hauberk.core.errors import ConfigError, IntegrityError
from hauberk.crypto.notes import Checkpoint, Note, Signer, Verifier, verify
from hauberk.ledger import forks
from hauberk.ledger.checking import verify_consistency
from hauberk.ledger.witness.heads import Heads, Kept, Turn
from hauberk.ledger.witness.protocol import Reply, Request


class Witness:
    """Judges requests, as many at once as come.

    Args:
        signers: its keys, cosigning kinds only; each cosigns every head.
        logs: public keys of the logs that it watches. A key's name is the log's; several keys may bear one
            name.
        heads: what it cosigned last.
        evidence: a folder for pairs of heads that show a fork.
        tell: hears of refusals that an operator should look at.

    Limits: the first head of a log is taken as it is; a witness vouches for nothing before it began to watch.
    It does not look at entries: that is a monitor's work.
    """

    def __init__(
        self,
        signers: Sequence[Signer],
        logs: Iterable[Verifier],
        heads: Heads,
        *,
        evidence: Path,
        clock: Clock = now,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        if not signers or not all(one.verifier.COSIGNS for one in signers):
            raise ConfigError("a witness has one key or more, all of them of a kind that cosigns")
        self._signers, self._heads, self._clock = tuple(signers), heads, clock
        self._evidence, self.tell = evidence, tell
        self._logs: dict[str, list[Verifier]] = {}
        for log in logs:
            self._logs.setdefault(log.name, []).append(log)

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """Its public keys."""
        return tuple(one.verifier for one in self._signers)

    @property
    def origins(self) -> tuple[str, ...]:
        """The logs that it watches, by name."""
        return tuple(self._logs)

    def last(self, origin: str) -> Kept:
        """The newest head that it cosigned for a log."""
        return self._heads.last(origin)

    def add_checkpoint(self, body: bytes) -> Reply:
        """Answer one request; the head is on disk before the answer has a cosignature in it.

        Raises:
            EnvironmentFailure: the disk fails; nothing was cosigned.

        Cost: one durable write. Source: c2sp.org/tlog-witness, in the order of its paragraphs.
        """
        try:
            request = Request.parse(body)
            note = Note.parse(request.checkpoint)
            head = Checkpoint.parse(note.text)
        except IntegrityError as error:
            return Reply.refused(HTTPStatus.BAD_REQUEST, str(error))
        if head.origin not in self._logs:
            return Reply.refused(HTTPStatus.NOT_FOUND, "this log is not watched here")
        try:
            verify(note, self._logs[head.origin])
        except IntegrityError:
            return Reply.refused(HTTPStatus.FORBIDDEN, "no key of this log signed the checkpoint")
        if request.old > head.size:
            return Reply.refused(HTTPStatus.BAD_REQUEST, "the old size is above the checkpoint's")
        with self._heads.turn(head.origin) as turn:
            return self._judge(turn, request, note, head)

    def _judge(self, turn: Turn, request: Request, note: Note, head: Checkpoint) -> Reply:
        last = turn.last
        if head.size == last.size and head.root != last.root:
            self._forked(last, request.checkpoint, head)
            return Reply.conflict(last.size)
        if request.old != last.size:
            return Reply.conflict(last.size)
        try:
            verify_consistency(last.size, last.root, head.size, head.root, request.proof)
        except IntegrityError as error:
            self.tell(f"refused a head of {head.origin}: {error}")
            return Reply.refused(
                HTTPStatus.UNPROCESSABLE_ENTITY, "no proof that the head continues the last one"
            )
        return self._cosign(turn, request, note, head)

    def _cosign(self, turn: Turn, request: Request, note: Note, head: Checkpoint) -> Reply:
        # the time is taken in the same turn, and never runs back: no head of an earlier time is larger
        time = max(int(self._clock().timestamp()), turn.last.time)
        signatures = [
            one.sign(note.text, clock=lambda: datetime.fromtimestamp(time, UTC)) for one in self._signers
        ]
        turn.keep(head, request.checkpoint, time)
        return Reply(HTTPStatus.OK, "".join(one.line for one in signatures).encode())

    def _forked(self, last: Kept, checkpoint: bytes, head: Checkpoint) -> None:
        if last.checkpoint:
            where = forks.keep(self._evidence, last.checkpoint, checkpoint)
            self.tell(f"{head.origin} has forked at size {head.size}: both signed heads are in {where}")
