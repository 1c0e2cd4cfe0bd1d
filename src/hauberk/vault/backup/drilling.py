"""A drill: a backup is put into an empty place, judged, and thrown away. Nothing else shows that it is one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hauberk.core.canonical import digest
from hauberk.core.clock import Clock, now, timestamp
from hauberk.core.errors import IntegrityError, NoIdentityMatched
from hauberk.core.evidence import Evidence, software_versions
from hauberk.crypto.age import Identity
from hauberk.vault.backup.copying import empty_postgres
from hauberk.vault.backup.judging import Check, Judged
from hauberk.vault.backup.restic import Repository
from hauberk.vault.backup.restoring import LATEST, Target, choose, restore

KIND = "backup-drill"


@dataclass(frozen=True)
class Drill:
    """How it went.

    Args:
        passed: everything was compared, the ledger verified, and one model opened.
        reason: what was wrong, in one line; None where it passed.
        evidence: the record of it.
    """

    passed: bool
    reason: str | None
    evidence: Evidence


def drill(
    repository: Repository,
    identities: Sequence[Identity],
    *,
    snapshot: str = LATEST,
    work: Path | None = None,
    target: Target | None = None,
    checks: Sequence[Check] = (),
    clock: Clock = now,
) -> Drill:
    """Restore, judge, throw away.

    Args:
        work: folder in which there is room for all of it [default: the machine's folder for temporary files].
        target: empty PostgreSQL databases, where the vault needs them; they are emptied again.
        checks: as of ``restore``.

    Raises:
        NoIdentityMatched, DataError, ConfigError, EnvironmentFailure: it could not be tried. A backup that is
            damaged or not whole raises nothing: the drill has not passed.
    """
    started = time.monotonic()
    chosen = choose(repository, snapshot)
    judged: Judged | None = None
    reason = manifest = None
    with tempfile.TemporaryDirectory(prefix="hauberk-drill-", dir=work) as folder:
        try:
            restored = restore(
                repository,
                Path(folder) / "vault",
                identities,
                snapshot=chosen.id,
                target=target,
                checks=checks,
                open_model=True,
            )
            judged, manifest = restored.judged, restored.manifest
        except NoIdentityMatched:
            raise
        except IntegrityError as error:
            reason = str(error)
        finally:
            if target is not None and judged is not None:
                for url in (target.database, target.ledger):
                    if url is not None:
                        empty_postgres(url)
    evidence = Evidence(
        kind=KIND,
        subject={"name": chosen.vault, "digest": digest(vars(manifest)) if manifest else None},
        parameters={"snapshot": chosen.id, "repository": repository.address.written},
        result={
            "passed": reason is None,
            "reason": reason,
            "backup_created": chosen.time,
            **(asdict(judged) if judged else {}),
        },
        duration_s=time.monotonic() - started,
        created=timestamp(clock),
        versions=software_versions(("hauberk", "torch")),
    )
    return Drill(reason is None, reason, evidence)
