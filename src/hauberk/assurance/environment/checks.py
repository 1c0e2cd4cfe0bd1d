"""What the rules about the environment see in what was looked at; nothing is opened here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from hauberk.assurance.environment.machine import TITLES
from hauberk.assurance.environment.vulnerable import Vulnerability
from hauberk.assurance.finding import Severity, Subject
from hauberk.assurance.rule import Observation
from hauberk.assurance.text import Text, many, same
from hauberk.core.canonical import digest

if TYPE_CHECKING:
    from hauberk.assurance.environment import Environment
    from hauberk.assurance.target import Target

_MOST = 20  # lines of one kind in a sentence; all of them stand in the figures


def _subject(name: str, *parts: object) -> Subject:
    return Subject("environment", name, digest([name, *map(str, parts)]))


def vulnerable(target: Target, settings: Mapping[str, Any]) -> Iterable[Observation]:
    facts = target.environment
    if facts is None:
        return
    where = _subject("packages", *(f"{one.name}=={one.version}" for one in facts.packages))
    if facts.known.failed:
        yield Observation(
            state="unknown",
            subject=where,
            seen=Text(
                f"{many(len(facts.packages), 'package')}, and no knowledge of flaws: {facts.known.failed.en}",
                f"共 {len(facts.packages)} 个软件包，但没有漏洞知识：{facts.known.failed.zh}",
            ),
            fix=("hauberk audit TARGET --osv all.zip",),
        )
        return
    for name, flaws in groupby(sorted(facts.flaws, key=_by_package), key=_by_package):
        yield _flawed(name, list(flaws))
    if not facts.flaws:
        yield Observation(
            state="passed",
            subject=where,
            seen=Text(
                f"{many(len(facts.packages), 'package')}, none with a published flaw",
                f"共 {len(facts.packages)} 个软件包，均无已公开的漏洞",
            ),
            figures=_source(facts),
        )


def _by_package(flaw: Vulnerability) -> tuple[str, str]:
    return flaw.package.name, flaw.package.version


def _flawed(name: tuple[str, str], flaws: list[Vulnerability]) -> Observation:
    # a flaw whose severity nobody wrote down counts as high: it may be
    worst: list[Severity] = ["high" if one.severity == "unknown" else one.severity for one in flaws]
    order: tuple[Severity, ...] = ("critical", "high", "medium", "low")
    ids = list(dict.fromkeys(one.id for one in flaws))
    fixes = {one.fixed for one in flaws}
    fix = (f"pip install {shlex.quote(f'{name[0]}>={_greatest(fixes)}')}",) if "" not in fixes else ()
    near = Text(" (works on models)", "（直接处理模型）") if flaws[0].package.neighbour else same("")
    said = "; ".join(f"{one.id} {one.summary}".strip() for one in flaws[:3])
    sources = sorted({one.package.source for one in flaws})
    return Observation(
        state="failed",
        severity=min(worst, key=order.index),
        subject=_subject(f"{name[0]} {name[1]}", *ids),
        seen=Text(
            f"{name[0]} {name[1]}{near.en} has {many(len(ids), 'published flaw')}: {said}",
            f"{name[0]} {name[1]}{near.zh} 有 {len(ids)} 个已公开的漏洞：{said}",
        ),
        fix=fix,
        figures={
            "package": name[0],
            "version": name[1],
            "neighbour": flaws[0].package.neighbour,
            "flaws": [
                {
                    "id": one.id,
                    "aliases": list(one.aliases),
                    "severity": one.severity,
                    "fixed": one.fixed or None,
                }
                for one in {one.id: one for one in flaws}.values()
            ],
            "sources": sources,
        },
    )


def _greatest(fixes: set[str]) -> str:
    from packaging.version import Version

    return max(fixes, key=Version)


def _source(facts: Environment) -> dict[str, Any]:
    known = facts.known
    age = None if known.age_days is None else round(known.age_days, 2)
    return {"source": known.source, "digest": known.digest, "age_days": age, "advisories": known.advisories}


def fresh(target: Target, settings: Mapping[str, Any]) -> Iterable[Observation]:
    facts = target.environment
    if facts is None or facts.known.failed or facts.known.age_days is None:
        return
    known, most = facts.known, settings["days"]
    age = known.age_days or 0.0
    subject = Subject("environment", "advisories", known.digest or digest([known.source]))
    needed = Text(f"not older than {many(most, 'day')}", f"不超过 {most} 天")
    # a day of grace: clocks and zones differ, but no honest copy comes from next week
    if age < -1:
        seen = Text(
            f"the newest advisory in {known.source} is {-age:.1f} days ahead of this machine's clock",
            f"{known.source} 中最新的公告比本机时钟早 {-age:.1f} 天：公告副本或时钟有误",
        )
    else:
        seen = Text(f"{known.source}: {age:.1f} days old", f"{known.source}：{age:.1f} 天前")
    state = "passed" if -1 <= age <= most else "failed"
    yield Observation(
        state=state,  # type: ignore[arg-type]
        subject=subject,
        seen=seen,
        needed=needed,
        fix=("hauberk audit TARGET --osv all.zip",),
        figures={**_source(facts), "most_days": most},
    )


def pinned(target: Target, settings: Mapping[str, Any]) -> Iterable[Observation]:
    facts = target.environment
    if facts is None or not (facts.locks or facts.unread):
        return
    for line in facts.unread:
        yield Observation(
            state="unknown",
            subject=_subject("lock-file", line),
            seen=Text(f"a lock file cannot be read: {line}", f"锁定文件无法读取：{line}"),
        )
    locks = [one for one in facts.locks if not one.endswith("pyproject.toml")]
    if not locks:
        yield Observation(
            state="failed",
            subject=_subject("lock-files", *facts.locks),
            seen=Text("no lock file beside pyproject.toml", "pyproject.toml 旁没有锁定文件"),
            fix=("pip freeze > requirements.txt",),
        )
    for lock in locks:
        yield from _lock(facts, lock, settings)


def _lock(facts: Environment, lock: str, settings: Mapping[str, Any]) -> Iterator[Observation]:
    inside = [one for one in facts.packages if one.source == lock]
    loose = [one.name for one in inside if one.parsed is None]
    bare = [one.name for one in inside if not one.hashes] if settings["hashes"] else []
    subject = _subject(lock, *(f"{one.name}=={one.version}" for one in inside))
    if not loose and not bare:
        yield Observation(
            state="passed",
            subject=subject,
            seen=Text(
                f"{lock}: {many(len(inside), 'package')}, one version each",
                f"{lock}：{len(inside)} 个软件包，版本均唯一",
            ),
        )
        return
    en, zh = [], []
    if loose:
        en.append(f"no single version for {_some(loose)}")
        zh.append(f"未锁定版本：{_some(loose)}")
    if bare:
        en.append(f"no hash for {_some(bare)}")
        zh.append(f"没有哈希值：{_some(bare)}")
    yield Observation(
        state="failed",
        subject=subject,
        seen=Text(f"{lock}: {', '.join(en)}", f"{lock}：{'，'.join(zh)}"),
        fix=("pip-compile --generate-hashes pyproject.toml",),
        figures={"unpinned": loose, "without_hash": bare},
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" (+{len(names) - 5})" if len(names) > 5 else "")


def hardened(target: Target, settings: Mapping[str, Any]) -> Iterable[Observation]:
    facts = target.environment
    if facts is None:
        return
    wrong = [one for one in facts.machine if one.severity is not None]
    for one in wrong:
        yield Observation(
            state="failed",
            severity=one.severity,
            subject=_subject(one.name),
            seen=one.found,
            needed=one.needed,
            fix=(one.fix,) if one.fix else (),
        )
    if not wrong:
        names = [TITLES.get(one.name, same(one.name)) for one in facts.machine]
        yield Observation(
            state="passed",
            subject=_subject("machine"),
            seen=Text(
                f"in order: {', '.join(one.en for one in names)}",
                f"正常：{'、'.join(one.zh for one in names)}",
            ),
        )


def rights(target: Target, settings: Mapping[str, Any]) -> Iterable[Observation]:
    facts = target.environment
    if facts is None or facts.files is None:
        return
    kinds = {
        "readable-key": (
            Text("keys that others may read: {files}", "其他用户可读的密钥文件：{files}"),
            "chmod 600",
        ),
        "writable": (
            Text("files that others may change: {files}", "其他用户可修改的文件：{files}"),
            "chmod go-w",
        ),
        "link-out": (Text("links that lead out: {files}", "指向目录之外的链接：{files}"), ""),
    }
    found = False
    for kind, (told, command) in kinds.items():
        names = [one.file for one in facts.files.exposed if one.what == kind]
        if names:
            found = True
            yield Observation(
                state="failed",
                subject=_subject(kind, *names),
                seen=told.format(files=_some(names)),
                fix=(f"{command} {shlex.join(names[:_MOST])}",) if command else (),
                figures={"files": names},
            )
    yield from _whole(facts, found)


def secrets(target: Target, settings: Mapping[str, Any]) -> Iterable[Observation]:
    facts = target.environment
    if facts is None or facts.files is None:
        return
    places = [one for one in facts.files.exposed if one.what == "secret"]
    for file, lines in groupby(places, key=lambda one: one.file):
        numbers = [one.line for one in lines]
        shown = _some([str(one) for one in numbers])
        yield Observation(
            state="failed",
            subject=_subject(file, *numbers),
            seen=Text(
                f"{file}: secrets on {'line' if len(numbers) == 1 else 'lines'} {shown}",
                f"{file}：第 {shown} 行有密钥或口令",
            ),
            figures={"file": file, "lines": numbers},
        )
    yield from _whole(facts, bool(places))


def _whole(facts: Environment, found: bool) -> Iterator[Observation]:
    """That nothing was found counts only where everything was looked at."""
    files = facts.files
    if files is None:
        return
    subject = _subject("files", files.looked)
    if files.beyond:
        yield Observation(
            state="unknown",
            subject=subject,
            seen=Text(
                f"{many(files.beyond, 'file was', 'files were')} not looked at",
                f"有 {files.beyond} 个文件未检查",
            ),
        )
    elif not found:
        yield Observation(
            state="passed", subject=subject, seen=Text(many(files.looked, "file"), f"{files.looked} 个文件")
        )
