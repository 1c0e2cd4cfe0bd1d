"""Vaults with a model in production, and questions to a server of one."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transcripts import Call

ZEROS = {"inputs": [{"name": "input", "shape": [1, 1, 8, 8], "datatype": "FP32", "data": [0.0] * 64}]}


class House:
    """A vault in ``folder/house``; ``owner`` are the options of whoever owns it."""

    def __init__(self, call: Call, folder: Path) -> None:
        self._call, self.folder = call, folder
        self.path = folder / "house"
        self.owner = ("--vault", self.path, "--as", "owner")

    def done(self, *words: object) -> str:
        """What a command of the owner says, which must go well."""
        code, out, err = self._call(*words, *self.owner)
        assert code == 0, err
        return out

    def caller(self, name: str, *roles: str) -> str:
        """A new identity's API key."""
        self.done("access", "user", "add", name)
        self.done("access", "key", "new", name, "--out", self.folder / f"{name}.key")
        for role in roles:
            self.done("access", "grant", role, "--to", name)
        return (self.folder / f"{name}.key").read_text().strip()


def house_with(call: Call, folder: Path, package: Path) -> House:
    """The package is ``digits`` in production."""
    made = House(call, folder)
    call("vault", "init", "--vault", made.path)
    made.done("vault", "push", package, "digits")
    made.done("vault", "promote", "digits@1", "--to", "production")
    return made


def ask(url: str, key: str | None = None, model: str = "digits", **more: Any) -> tuple[int, dict[str, Any]]:
    """Status and document of one question."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body = json.dumps(ZEROS).encode()
    request = urllib.request.Request(f"{url}/v2/models/{model}/infer", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20, **more) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def statuses(url: str, key: str, count: int) -> Sequence[int]:
    """Of so many questions, each on a connection of its own."""
    return [ask(url, key)[0] for _ in range(count)]
