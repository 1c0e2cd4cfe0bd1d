"""The network as LitServe wants it; in a module of its own, because its processes import it."""

from __future__ import annotations

import base64
from typing import Any

import litserve
import numpy as np
from serving_peers import SHAPE, network, probabilities


class Api(litserve.LitAPI):
    """Base64 in JSON to probabilities in JSON, in batches."""

    def __init__(self, package: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._package = package

    def setup(self, device: str) -> None:
        self._model = network(self._package)

    def decode_request(self, request: dict[str, str]) -> np.ndarray:
        return np.frombuffer(base64.b64decode(request["image"]), np.float32).reshape(SHAPE)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        return probabilities(self._model, rows)

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        return list(output)

    def encode_response(self, output: np.ndarray) -> dict[str, list[float]]:
        return {"probabilities": output.tolist()}
