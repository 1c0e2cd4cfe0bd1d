"""Access decisions with 10,000 identities and 1,000 rules, beside pycasbin, and durable ones by many threads.

    pip install casbin==1.43.0
    python benchmarks/decisions.py          # about a minute

Every identity has two of fifty roles of twenty rules each. Three times are taken: an answer that is
remembered; an answer for which nothing is (identity, roles and rules are read from SQLite and compiled); and
what Cedar takes where all is compiled. pycasbin has the same identities, roles and rules in memory, and is
asked the same questions; that both give the same answers is checked first. Audited decisions are whole ones:
the answer, the line in the trail, one durable commit for all threads that wait.

The goals: 50 microseconds with what is remembered, 1 ms without, 1,000 audited decisions a second.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import random
import statistics
import tempfile
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from pages import put
from sqlalchemy import insert

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "access.md"
IDENTITIES, ROLES, RULES = 10_000, 50, 20
ACTIONS = ("model.view", "model.pull", "model.predict", "model.push", "model.evaluate")
GOALS = {"remembered_us": 50, "fresh_us": 1000, "audited_per_s": 1000}
CASBIN = """
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && r.act == p.act
"""


def rules() -> list[tuple[str, int, str, str, str]]:
    """Role, number, effect, action, pattern; each twentieth denies."""
    return [
        (
            f"role{role}",
            number,
            "deny" if number == RULES else "allow",
            ACTIONS[number % len(ACTIONS)],
            f"m{role}-{number}*",
        )
        for role in range(ROLES)
        for number in range(1, RULES + 1)
    ]


def has(identity: int) -> tuple[str, str]:
    """The two roles of an identity."""
    return f"role{identity % ROLES}", f"role{(identity * 7 + 1) % ROLES}"


def questions(count: int) -> list[tuple[str, str, str]]:
    """Who, what, on which model: for each, half are of a role that he has."""
    chance = random.Random(0)  # noqa: S311
    found = []
    for _ in range(count):
        who = chance.randrange(IDENTITIES)
        role = chance.choice(has(who))[4:] if chance.random() < 0.5 else str(chance.randrange(ROLES))
        number = chance.randrange(1, RULES + 1)
        found.append((f"user{who}", ACTIONS[number % len(ACTIONS)], f"m{role}-{number}-x"))
    return found


def fill(vault: Any) -> None:
    from hauberk.access import schema

    with vault.database.write() as connection:
        people = [
            {"name": f"user{one}", "kind": "person", "disabled": False, "created_ms": 0}
            for one in range(IDENTITIES)
        ]
        connection.execute(insert(schema.identities), people)
        connection.execute(insert(schema.roles), [{"name": f"role{one}"} for one in range(ROLES)])
        names = ("role", "number", "effect", "action", "pattern")
        connection.execute(insert(schema.rules), [dict(zip(names, one, strict=True)) for one in rules()])
        grants = [
            {"identity": f"user{one}", "effect": "allow", "what": role, "pattern": "*"}
            for one in range(IDENTITIES)
            for role in has(one)
        ]
        connection.execute(insert(schema.grants), grants)


def spread(times_us: list[float]) -> dict[str, float]:
    ordered = sorted(times_us)
    return {
        "median": statistics.median(ordered),
        "p99": ordered[int(len(ordered) * 0.99)],
        "worst": ordered[-1],
    }


def timed(step: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    found = step()
    return (time.perf_counter() - began) * 1e6, found


def decisions(vault: Any, count: int) -> tuple[dict[str, Any], list[bool]]:
    """Each question three times: nothing known, policies compiled, all remembered."""
    from hauberk.access.deciding import Caller, Question, View

    fresh, compiled, remembered, answers = [], [], [], []
    with vault.database.read() as connection:
        for who, action, model in questions(count):
            caller, question = Caller(who, "password"), Question(action, model)
            view = View(0)
            first_us, verdict = timed(lambda: view.decide(connection, caller, question, 0))  # noqa: B023
            view._verdicts.clear()
            second_us, _ = timed(lambda: view.decide(connection, caller, question, 0))  # noqa: B023
            third_us, _ = timed(lambda: view.remembered(Caller(who, "password"), Question(action, model), 0))  # noqa: B023
            fresh.append(first_us)
            compiled.append(second_us)
            remembered.append(third_us)
            answers.append(verdict.allowed)
    return {
        "fresh_us": spread(fresh),
        "compiled_us": spread(compiled),
        "remembered_us": spread(remembered),
    }, answers


def casbin(count: int) -> tuple[dict[str, Any], list[bool]]:
    """The same questions."""
    engine = importlib.import_module("casbin")
    enforcer = engine.Enforcer(engine.Enforcer.new_model(text=CASBIN))
    enforcer.add_policies([[role, pattern, action, effect] for role, _, effect, action, pattern in rules()])
    enforcer.add_grouping_policies([[f"user{one}", role] for one in range(IDENTITIES) for role in has(one)])
    times, answers = [], []
    for who, action, model in questions(count):
        taken, allowed = timed(lambda: enforcer.enforce(who, model, action))  # noqa: B023
        times.append(taken)
        answers.append(bool(allowed))
    return spread(times), answers


def audited(vault: Any, threads: int, seconds: float) -> float:
    """Durable decisions a second, by so many threads."""
    from hauberk.access import Caller, Question, open_access

    access, asked = open_access(vault), questions(500)
    done = [0] * threads
    stop = threading.Event()

    def ask(own: int) -> None:
        while not stop.is_set():
            who, action, model = asked[(own * 31 + done[own]) % len(asked)]
            access.decide(Caller(who, "password"), Question(action, model))
            done[own] += 1

    running = [threading.Thread(target=ask, args=(one,)) for one in range(threads)]
    began = time.perf_counter()
    for one in running:
        one.start()
    time.sleep(seconds)
    stop.set()
    for one in running:
        one.join()
    return sum(done) / (time.perf_counter() - began)


def syncs(folder: Path, seconds: float) -> float:
    """What the disk allows: a page of a file written over and synced, again and again, as SQLite's log is."""
    done, pages = 0, 1000
    with open(folder / "pages", "wb", buffering=0) as file:
        file.write(bytes(4096 * pages))
        os.fsync(file.fileno())
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            os.pwrite(file.fileno(), b"x" * 4096, done % pages * 4096)
            os.fdatasync(file.fileno())
            done += 1
    return done / (time.perf_counter() - began)


def measure(folder: Path, count: int, seconds: float) -> dict[str, Any]:
    from hauberk.vault import create_vault

    with create_vault(folder / "vault") as vault:
        fill(vault)
        found, answers = decisions(vault, count)
        try:
            theirs, their_answers = casbin(min(count, 300))
        except ImportError:
            theirs = None
        else:
            if their_answers != answers[: len(their_answers)]:
                raise SystemExit("the two engines differ")
        rates, disk = {}, []
        for threads in (1, 16, 64, 128):
            disk.append(syncs(folder, seconds / 4))
            rates[str(threads)] = audited(vault, threads, seconds)
        return {
            "identities": IDENTITIES,
            "rules": ROLES * RULES,
            "questions": count,
            "allowed": sum(answers),
            **found,
            "casbin_us": theirs,
            "syncs_per_s": statistics.median(disk),
            "audited_per_s": rates,
        }


def table(found: dict[str, Any]) -> str:
    def row(name: str, one: dict[str, float] | None) -> str:
        if one is None:
            return f"| {name} | not measured | | |\n"
        return f"| {name} | {one['median']:,.1f} | {one['p99']:,.1f} | {one['worst']:,.0f} |\n"

    text = "| one decision, microseconds | median | 99 of 100 | slowest |\n| --- | ---: | ---: | ---: |\n"
    text += row("remembered", found["remembered_us"])
    text += row("policies compiled, Cedar asked", found["compiled_us"])
    text += row("nothing known: read, compiled, asked", found["fresh_us"])
    text += row("pycasbin, all in memory", found["casbin_us"])
    rates = found["audited_per_s"]
    text += "\n| audited decisions on SQLite, durable | a second |\n| --- | ---: |\n"
    text += "".join(f"| {threads} at once | {rate:,.0f} |\n" for threads, rate in rates.items())
    text += f"| the disk: a page written over and synced, one after the other | {found['syncs_per_s']:,.0f} |\n"
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    sizes = f"{found['identities']:,} identities, {found['rules']:,} rules, {found['questions']:,} questions"
    return f"{text}\n{sizes}. {versions}; {found['machine']}.\n"


def versions() -> dict[str, str]:
    found = {}
    for name in ("hauberk", "cedarpy", "casbin", "sqlalchemy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Access decisions, alone and with the trail.")
    parser.add_argument("--questions", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each rate")
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the vault is made [default: a new one]"
    )
    parser.add_argument("--out", type=Path, default=HERE / "results" / "decisions.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        found = measure(Path(folder), options.questions, options.seconds)
    found |= {
        "goals": GOALS,
        "versions": versions(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    text = table(found)
    print(text)
    if options.out.parent == HERE / "results":
        put(PAGE, "decisions", text)


if __name__ == "__main__":
    main()
