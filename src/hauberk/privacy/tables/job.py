"""From file to file: read, anonymise, measure, and write only what the measure confirms."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hauberk.core.canonical import file_digest
from hauberk.core.errors import ConfigError, PolicyViolation
from hauberk.core.evidence import Evidence, software_versions
from hauberk.core.files import refuse_overwrite
from hauberk.privacy.tables.anonymize import Anonymised, anonymize, hierarchies_of
from hauberk.privacy.tables.hierarchies import Hierarchy
from hauberk.privacy.tables.measure.meaning import Meaning
from hauberk.privacy.tables.measure.report import Asked, measure, shortfalls
from hauberk.privacy.tables.measure.usefulness import usefulness
from hauberk.privacy.tables.plan import Plan
from hauberk.privacy.tables.reading import PARQUET, column_names, encoding_of, header, read_table
from hauberk.privacy.tables.table import Table
from hauberk.privacy.tables.writing import write_table


@dataclass(frozen=True)
class Job:
    """Files and their dress.

    Args:
        source: the table.
        out: where the anonymised one goes; nothing is written unless it holds to the plan.
        population: a table of everybody who could be in ``source``; None without presence.
        encoding, delimiter: of CSV, in and out; found by themselves where None.
        target: a published column that a model is trained on, before and after; None: no model.
        force: replace an earlier file at ``out``.
    """

    source: Path
    out: Path
    population: Path | None = None
    encoding: str | None = None
    delimiter: str | None = None
    target: str | None = None
    seed: int = 0
    force: bool = False


def run(job: Job, plan: Plan) -> Evidence:
    """Do a job.

    Returns:
        Evidence of kind ``anonymization``: the plan, the file that came out, and the independent measure.

    Raises:
        PolicyViolation: the plan cannot be met, or the measure does not confirm it. Nothing was written.
        DataError, ConfigError: see ``read_table``, ``hierarchies_of`` and ``anonymize``.
    """
    began = time.monotonic()
    refuse_overwrite(job.out, force=job.force)
    if job.out.exists() and job.out.resolve() == job.source.resolve():
        raise ConfigError("--out is the table itself", hint="choose another file")
    codec = encoding_of(job.source, job.encoding)
    where = job.source.name
    table = _in_file_order(
        read_table(job.source, plan.columns, encoding=codec, delimiter=job.delimiter), _names(job, codec)
    )
    population = None
    if job.population is not None:
        population = read_table(job.population, plan.quasi, encoding=job.encoding, delimiter=job.delimiter)
    hierarchies = hierarchies_of(table, plan, population, where=where)
    made = anonymize(table, plan, hierarchies, population=population, where=where)
    result = _measured(table, made, plan, hierarchies, population, job)
    write_table(job.out, made.table, encoding=codec, delimiter=_delimiter(job, codec))
    return Evidence(
        kind="anonymization",
        subject={"name": job.out.name, "digest": file_digest(job.out)},
        inputs=_inputs(job),
        parameters={**plan.to_json(), "left_out": _left_out(_names(job, codec), plan)},
        result=result,
        seed=job.seed if job.target is not None else None,
        duration_s=time.monotonic() - began,
        versions=software_versions(("hauberk", "numpy")),
    )


def _in_file_order(table: Table, names: Sequence[str]) -> Table:
    return Table({name: table[name] for name in names if name in table.columns})


def _left_out(names: Sequence[str], plan: Plan) -> list[str]:
    """Columns that the plan does not name: nobody has said that they may be published."""
    return [name for name in names if name not in plan.columns]


def _names(job: Job, encoding: str) -> tuple[str, ...]:
    return column_names(job.source, encoding=encoding, delimiter=job.delimiter)


def _delimiter(job: Job, encoding: str) -> str:
    if job.delimiter is not None or job.source.suffix.lower() in PARQUET:
        return job.delimiter or ","
    return header(job.source, encoding=encoding)[1]


def _inputs(job: Job) -> dict[str, Any]:
    inputs = {"table": {"name": job.source.name, "digest": file_digest(job.source)}}
    if job.population is not None:
        inputs["population"] = {"name": job.population.name, "digest": file_digest(job.population)}
    return inputs


def _measured(
    table: Table,
    made: Anonymised,
    plan: Plan,
    hierarchies: Mapping[str, Hierarchy],
    population: Table | None,
    job: Job,
) -> dict[str, Any]:
    asked = Asked(
        quasi=plan.quasi,
        sensitive=plan.sensitive,
        k=plan.k,
        l=plan.l,
        l_kind=plan.l_kind,
        t=plan.t,
        t_distance=plan.t_distance,
        presence=plan.presence,
        max_suppressed=plan.max_suppressed,
    )
    paths = {name: one.paths for name, one in hierarchies.items()}
    result = measure(table, made.table, made.kept, asked, paths, population)
    short = shortfalls(result, asked)
    if short:
        raise PolicyViolation(f"the result does not hold to the plan: {short[0]}", hint="nothing was written")
    result["incomplete_rows"] = made.missing
    if job.target is not None:
        meanings = {name: Meaning(name, paths[name], frozenset(table[name].values)) for name in plan.quasi}
        result["model"] = usefulness(table, made.table, made.kept, meanings, job.target, seed=job.seed)
    return result
