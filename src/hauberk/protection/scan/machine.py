"""A pickle followed instruction by instruction: its stack and memo with names in place of what they name.

Nothing is imported and nothing is called. Following the stack is what finds a name that was put into the memo
and taken out again, a call of something that another call returned, and a list that is its own thousandfold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hauberk.protection.scan.allowed import CALLED, MENTIONED, is_dangerous
from hauberk.protection.scan.opcodes import OPAQUE, Malformed, instructions
from hauberk.protection.scan.window import Window

Report = Callable[[str, int, str], None]
"""Takes the rule, the place and what was found."""

_KEPT = 64  # entries of a tuple or dict that are remembered: no call of tensors has more
_MEMO = 1_000_000
_HEAVY = 100_000_000  # entries of one value, counted as often as they would be visited


@dataclass(slots=True)
class Held:
    """A value on the stack that is not plain.

    Args:
        kind: ``name`` (imported), ``made`` (a call's result), ``tuple``, ``dict`` or ``many`` (list, set).
        name: what was imported or called.
        items: a tuple's entries, a dict's keys and values in turn; empty where they were too many.
        weight: how many values one would visit by walking through it.
    """

    kind: str
    name: str = ""
    items: tuple[Any, ...] = ()
    weight: int = 1


class Machine:
    """One pickle.

    Args:
        limit: instructions that are followed.
        on_build: told of every object that was given its state, with that state; joblib's files go on with raw
            numbers there.
    """

    def __init__(
        self, source: Window, report: Report, *, limit: int, on_build: Callable[[Held, Any], None] | None = None
    ) -> None:
        self.source, self.report, self.limit, self.on_build = source, report, limit, on_build
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.names: dict[str, None] = {}
        self.calls = 0
        self.steps = 0
        self.place = 0
        self.bombs = 0

    def run(self) -> Any:
        """The value that the pickle would return.

        Raises:
            Malformed: it breaks off, or goes on for too long.
        """
        for place, name, argument in instructions(self.source):
            self.place = place
            self.steps += 1
            if self.steps > self.limit or len(self.memo) > _MEMO:
                self.report("pickle/too-long", place, f"more than {self.steps - 1} instructions")
                raise Malformed("it was not followed to its end")
            step = _STEPS.get(name)
            if step is not None:
                step(self, argument)
            elif name != "STOP":
                self.stack.append(argument)
        return self.pop()

    # the stack

    def pop(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Malformed("it takes from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise Malformed("it looks at an empty stack")
        return self.stack[-1]

    def to_mark(self) -> list[Any]:
        if not self.marks:
            raise Malformed("it looks for a mark that is not there")
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def discard(self, argument: Any) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.pop()

    # values

    def gather(self, kind: str, items: list[Any]) -> None:
        """A container of what was taken from the stack."""
        kept = tuple(items) if len(items) <= _KEPT and kind in ("tuple", "dict") else ()
        self.stack.append(Held(kind, items=kept, weight=self.weigh(items)))

    def add(self, items: list[Any]) -> None:
        """More entries for the container on top."""
        target = self.top()
        self.check_target(target, "adds to")
        if isinstance(target, Held):
            target.weight += self.weigh(items)
            whole = target.kind == "dict" and len(target.items) + len(items) <= _KEPT
            target.items = (*target.items, *items) if whole else ()

    def weigh(self, items: list[Any]) -> int:
        weight = 1 + sum(one.weight if isinstance(one, Held) else 1 for one in items)
        if weight > max(_HEAVY, 1000 * self.steps):
            if not self.bombs:
                self.report("pickle/bomb", self.place, f"a value with more than {_HEAVY} entries in few bytes")
            self.bombs += 1
            weight = _HEAVY  # keeps the numbers small; the next container reports nothing new
        return weight

    def put(self, index: Any) -> None:
        if not isinstance(index, int) or index < 0:
            raise Malformed("a memo entry without a number")
        self.memo[index] = self.top()

    def get(self, index: Any) -> None:
        if index not in self.memo:
            raise Malformed(f"memo entry {index} was never made")
        self.stack.append(self.memo[index])

    # names and calls

    def imported(self, module: Any, leaf: Any) -> None:
        if not isinstance(module, str) or not isinstance(leaf, str):
            self.report("pickle/hidden-name", self.place, "the name to import is computed or not readable")
            self.stack.append(Held("name", "?"))
            return
        name = f"{module}.{leaf}"
        if name not in CALLED and name not in MENTIONED and name not in self.names:
            rule = "pickle/dangerous-import" if is_dangerous(name) else "pickle/unlisted-import"
            self.report(rule, self.place, f"names {name}")
        self.names[name] = None
        self.stack.append(Held("name", name))

    def call(self, target: Any, arguments: Any) -> None:
        self.calls += 1
        given = arguments.items if isinstance(arguments, Held) and arguments.kind == "tuple" else ()
        name = "?"
        if not isinstance(target, Held) or target.kind != "name":
            self.report("pickle/computed-call", self.place, "calls something that is not a plain name")
        else:
            name = target.name
            allowed = CALLED.get(name)
            if (allowed is not None and not allowed(given)) or name in MENTIONED:
                self.report("pickle/unusual-call", self.place, f"calls {name} with unusual arguments")
        weight = arguments.weight if isinstance(arguments, Held) else 1
        self.stack.append(Held("made", name, given, weight))

    def check_target(self, target: Any, what: str) -> None:
        if isinstance(target, Held) and target.kind == "name":
            self.report("pickle/changes-code", self.place, f"{what} {target.name}, which it imported")

    def build(self, argument: Any) -> None:
        state = self.pop()
        target = self.top()
        self.check_target(target, "changes")
        if self.on_build is not None and isinstance(target, Held):
            self.on_build(target, state)


def _extension(machine: Machine, argument: Any) -> None:
    machine.report("pickle/extension", machine.place, f"imports number {argument} of the extension registry")
    machine.stack.append(Held("name", "?"))


def _reduce(machine: Machine, argument: Any) -> None:
    arguments = machine.pop()
    machine.call(machine.pop(), arguments)


def _newobj_ex(machine: Machine, argument: Any) -> None:
    machine.pop()
    _reduce(machine, argument)


def _object(machine: Machine, argument: Any) -> None:
    taken = machine.to_mark()
    if not taken:
        raise Malformed("it makes an object of nothing")
    machine.gather("tuple", taken[1:])
    machine.call(taken[0], machine.pop())


def _instance(machine: Machine, argument: Any) -> None:
    machine.gather("tuple", machine.to_mark())
    arguments = machine.pop()
    machine.imported(*argument)
    machine.call(machine.pop(), arguments)


def _stack_global(machine: Machine, argument: Any) -> None:
    leaf = machine.pop()
    machine.imported(machine.pop(), leaf)


def _tuple_of(count: int) -> Callable[[Machine, Any], None]:
    def step(machine: Machine, argument: Any) -> None:
        machine.gather("tuple", [machine.pop() for _ in range(count)][::-1])

    return step


def _container(kind: str) -> Callable[[Machine, Any], None]:
    return lambda machine, argument: machine.gather(kind, [])


def _marked(kind: str) -> Callable[[Machine, Any], None]:
    return lambda machine, argument: machine.gather(kind, machine.to_mark())


def _append(machine: Machine, argument: Any) -> None:
    machine.add([machine.pop()])


def _set_item(machine: Machine, argument: Any) -> None:
    value = machine.pop()
    machine.add([machine.pop(), value])


def _appends(machine: Machine, argument: Any) -> None:
    machine.add(machine.to_mark())


def _opaque(machine: Machine, argument: Any) -> None:
    machine.stack.append(OPAQUE)


def _nothing(machine: Machine, argument: Any) -> None:
    return None


_STEPS: dict[str, Callable[[Machine, Any], None]] = {
    "PROTO": _nothing,
    "FRAME": _nothing,
    "READONLY_BUFFER": _nothing,
    "NEXT_BUFFER": _opaque,
    "PERSID": _opaque,
    "BINPERSID": lambda machine, argument: machine.stack.append((machine.pop(), OPAQUE)[1]),
    "MARK": lambda machine, argument: machine.marks.append(len(machine.stack)),
    "POP": Machine.discard,
    "POP_MARK": lambda machine, argument: machine.to_mark().clear(),
    "DUP": lambda machine, argument: machine.stack.append(machine.top()),
    "GLOBAL": lambda machine, argument: machine.imported(*argument),
    "STACK_GLOBAL": _stack_global,
    "INST": _instance,
    "OBJ": _object,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,
    "NEWOBJ_EX": _newobj_ex,
    "EXT1": _extension,
    "EXT2": _extension,
    "EXT4": _extension,
    "BUILD": Machine.build,
    "PUT": Machine.put,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": lambda machine, argument: machine.put(len(machine.memo)),
    "GET": Machine.get,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    "EMPTY_TUPLE": _container("tuple"),
    "EMPTY_LIST": _container("many"),
    "EMPTY_SET": _container("many"),
    "EMPTY_DICT": _container("dict"),
    "TUPLE": _marked("tuple"),
    "LIST": _marked("many"),
    "FROZENSET": _marked("many"),
    "DICT": _marked("dict"),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _appends,
    "SETITEM": _set_item,
    "SETITEMS": _appends,
    "NEWTRUE": lambda machine, argument: machine.stack.append(True),
    "NEWFALSE": lambda machine, argument: machine.stack.append(False),
}
"""What each instruction does; all others push their argument."""
