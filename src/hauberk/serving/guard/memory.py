"""What the guard remembers of one caller at one model: prints of his last looks, and the scenes they belong to.

A look that is near an earlier one joins its scene; the scene gathers the evidence. What belongs to a scene
under suspicion is kept longer, so that natural images in between do not wash it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.serving.guard.kinds import SAME, Kind, Reading, exposure, in_part, read, read_part
from hauberk.serving.protocol import Floats

_CREDIT = 64  # looks that a unit of suspicion keeps a scene longer in memory
_ARRAYS = ("prints", "_squares", "_steps", "_count", "_parent", "_used", "_scene", "_label", "_gap")
_NONE = -1
_EXPECTED = 1e6  # looks that somebody else's search is remembered longer
_KEPT = 0.5  # of what the nearest look shares exactly
_STICKY = 1.7  # squared distances: a look's hub is its neighbour's, where that is hardly farther away
_OTHER_POINT = 0.8  # of a step's squared length: how far apart two looks of nature are at least
_SAME_POINT = 0.1  # of a step's squared length: points so close to each other have one hub, the busiest


@dataclass(slots=True, eq=False)
class Scene:
    """Looks that are near one another.

    Args:
        label: the first answer.
        score: nats for a search, less those against; never below 0.
        hub, last: places in memory where the last step started, and where it led.
        better: whether it led towards another label.
    """

    label: int
    score: float = 0.0
    looks: int = 1
    repeats: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    labels: set[int] = field(default_factory=set)
    hub: int = -1
    last: int = -1
    better: bool | None = None
    alarmed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where a search stands: a point's print, the sum of ``count`` unit steps from there, and its answer."""

    point: Floats
    steps: Floats
    count: int
    label: int
    gap: float
    scene_label: int


class Memory:
    """The last looks of one caller, at most ``size``.

    Cost: one matrix product for each batch of looks; more for those that are near an earlier one.
    """

    def __init__(self, size: int, cells: int) -> None:
        self.size = size
        self.prints: Floats = np.zeros((size, cells), np.float32)
        self._squares: Floats = np.full(size, np.inf, np.float32)
        self._steps: Floats = np.zeros((size, cells), np.float32)
        self._count = np.zeros(size, np.int32)
        self._used = np.arange(-size, 0, dtype=np.float32)
        self._parent = np.arange(size)
        self._scene: npt.NDArray[np.int64] = np.full(size, _NONE, np.int64)
        self._label = np.zeros(size, np.int16)
        self._gap = np.zeros(size, np.float32)
        self.scenes: dict[int, Scene] = {}
        self._next = 0
        self._clock = 0
        self.seen = 0

    def look(
        self, prints: Floats, labels: npt.NDArray[np.int64], gaps: Floats, near: float, typical: float
    ) -> list[tuple[int, Scene, Reading]]:
        """Take note of prints ``(n, cells)``; returns what was near something: row, its scene, what it says."""
        self.seen += len(prints)
        squares = np.einsum("nc,nc->n", prints, prints)
        distance = squares[:, None] + self._squares - 2 * (prints @ self.prints.T)
        reach = near * near
        close = distance.min(axis=1) <= reach
        if len(prints) > 1:
            among = squares[:, None] + squares - 2 * (prints @ prints.T)
            among.ravel()[:: len(prints) + 1] = np.inf
            close |= among.min(axis=1) <= reach
        if not close.any():
            self._keep(prints, squares, labels, gaps)
            return []
        found = []
        for row in close.nonzero()[0].tolist():
            told = self._one(prints[row], int(labels[row]), float(gaps[row]), reach, typical)
            if told is not None:
                found.append((row, *told))
        alone = ~close
        if alone.any():
            self._keep(prints[alone], squares[alone], labels[alone], gaps[alone])
        return found

    def _one(
        self, one: Floats, label: int, gap: float, reach: float, typical: float
    ) -> tuple[Scene, Reading] | None:
        steps = one - self.prints
        distance = np.einsum("mc,mc->m", steps, steps)
        distance[np.isinf(self._squares)] = np.inf
        hub = int(distance.argmin())
        if distance[hub] > reach:
            self._keep(one[None], np.array([one @ one]), np.array([label]), np.array([gap]))
            return None
        known = self.scenes.get(int(self._scene[hub]))
        around = {hub, int(self._parent[hub])} | ({known.hub, known.last} - {-1} if known else set())
        for row in around:
            light = exposure(one, self.prints[row])
            if light != 1:
                steps[row] = one / light - self.prints[row]
                distance[row] = steps[row] @ steps[row]
        hub = self._start(hub, steps)
        part = in_part(steps[hub], self.prints[hub])
        parent = int(self._parent[hub])
        if not part:
            apart = np.square(self.prints - self.prints[hub]).sum(axis=1)
            if distance[parent] < _STICKY * distance[hub] and apart[parent] > _OTHER_POINT * distance[hub]:
                hub = parent
                apart = np.square(self.prints - self.prints[hub]).sum(axis=1)
            hub = int(np.where(apart <= _SAME_POINT * distance[hub], self._count, _NONE).argmax())
        scene, number = self._scene_of(hub)
        step, before = steps[hub], self._steps[hub]
        if part:
            reading = read_part(scene.better, hub == scene.last, hub == scene.hub)
        else:
            flips = label != self._label[hub]
            reading = read(
                step, self.prints[hub], before, int(self._count[hub]), flips=bool(flips), typical=typical
            )
        scene.looks += 1
        scene.kinds[reading.kind] += 1
        scene.labels.add(label)
        self._clock += 1
        self._used[hub] = self._clock + _CREDIT * scene.score
        if reading.kind is Kind.REPEAT:
            scene.repeats += 1
            scene.better = None
            return scene, reading
        scene.score = max(0.0, scene.score + reading.weight)
        before += step / max(float(np.sqrt(distance[hub])), 1e-12)
        self._count[hub] += 1
        place = self._keep(
            one[None], np.array([one @ one]), np.array([label]), np.array([gap]), number, scene.score
        )
        ahead = gap if label == scene.label else -gap
        from_there = self._gap[hub] if self._label[hub] == scene.label else -self._gap[hub]
        self._parent[place] = hub
        scene.hub, scene.last, scene.better = hub, place, bool(ahead < from_there)
        return scene, reading

    def expect(self, place: Place, score: float) -> None:
        """Remember where somebody else's search stands, as a scene that begins with ``score``."""
        number = self._next
        self._next += 1
        self._bound_scenes()
        self.scenes[number] = Scene(place.scene_label, score)
        point = place.point
        here = self._keep(
            point[None],
            np.array([point @ point]),
            np.array([place.label]),
            np.array([place.gap]),
            number,
            score,
        )
        self._steps[here] = place.steps
        self._count[here] = place.count
        self._used[here] += _EXPECTED

    def place(self, scene: Scene) -> Place:
        """Where a scene's search stands."""
        hub = scene.hub
        return Place(
            self.prints[hub].copy(),
            self._steps[hub].copy(),
            int(self._count[hub]),
            int(self._label[hub]),
            float(self._gap[hub]),
            scene.label,
        )

    def state(self) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
        """All of it, as arrays and JSON, for ``from_state``."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        scenes = {number: _scene_facts(one) for number, one in self.scenes.items()}
        return arrays, {"next": self._next, "clock": self._clock, "seen": self.seen, "scenes": scenes}

    @classmethod
    def from_state(cls, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any]) -> Memory:
        """What ``state`` gave."""
        memory = cls(*arrays["prints"].shape)
        for name in _ARRAYS:
            setattr(memory, name, arrays[name])
        memory._next, memory._clock, memory.seen = facts["next"], facts["clock"], facts["seen"]
        for number, one in facts["scenes"].items():
            known = {**one, "kinds": Counter(one["kinds"]), "labels": set(one["labels"])}
            memory.scenes[int(number)] = Scene(**known)
        return memory

    def _bound_scenes(self) -> None:
        if len(self.scenes) >= self.size:
            del self.scenes[min(self.scenes, key=lambda one: self.scenes[one].score)]

    def _start(self, nearest: int, steps: Floats) -> int:
        """Where a step began: at the last look, or where that one began, if either shares more of the image."""
        number = int(self._scene[nearest])
        scene = self.scenes.get(number)
        if (
            scene is None
            or scene.last < 0
            or self._scene[scene.last] != number
            or self._scene[scene.hub] != number
        ):
            return nearest
        kept = np.count_nonzero(np.abs(steps[[scene.hub, scene.last, nearest]]) <= SAME, axis=1)
        if kept[0] == kept[1] or max(kept[0], kept[1]) < _KEPT * kept[2]:
            return nearest
        return scene.hub if kept[0] > kept[1] else scene.last

    def _scene_of(self, hub: int) -> tuple[Scene, int]:
        number = int(self._scene[hub])
        scene = self.scenes.get(number)
        if scene is None:
            self._bound_scenes()
            number = self._next
            self._next += 1
            scene = self.scenes[number] = Scene(int(self._label[hub]))
            self._scene[hub] = number
        return scene, number

    def _keep(
        self,
        prints: Floats,
        squares: Floats,
        labels: npt.NDArray[Any],
        gaps: npt.NDArray[Any],
        number: int = _NONE,
        score: float = 0.0,
    ) -> int:
        """Put prints where the least used are; the place of a single one."""
        count = min(len(prints), self.size)
        self._clock += count
        if count == 1:
            least = int(self._used.argmin())
            places: Any = slice(least, least + 1)
        else:
            places = np.argpartition(self._used, count - 1)[:count]
        self.prints[places] = prints[-count:]
        self._squares[places] = squares[-count:]
        self._steps[places] = 0.0
        self._count[places] = 0
        self._used[places] = self._clock + _CREDIT * score
        self._scene[places] = number
        self._label[places] = labels[-count:]
        self._gap[places] = gaps[-count:]
        self._parent[places] = np.arange(self.size)[places]
        return places.start if count == 1 else _NONE


def _scene_facts(scene: Scene) -> dict[str, Any]:
    facts = asdict(scene)
    return {**facts, "kinds": dict(scene.kinds), "labels": sorted(scene.labels)}
