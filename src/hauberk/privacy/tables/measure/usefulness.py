"""What a model loses when it is trained on the published table in place of the original one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hauberk.core.errors import ConfigError, DataError
from hauberk.core.seeds import derive_seed
from hauberk.privacy.tables.measure.meaning import Meaning
from hauberk.privacy.tables.table import Codes, Table

_MOST_ROWS = 50_000
_HELD_OUT = 0.3
_ITERATIONS = 300


def usefulness(
    original: Table,
    published: Table,
    kept: npt.NDArray[np.intp],
    meanings: Mapping[str, Meaning],
    target: str,
    *,
    seed: int = 0,
) -> dict[str, Any]:
    """A logistic regression of ``target`` on the quasi-identifiers, trained on both tables and asked about
    real rows.

    Both see the same training rows and the same held-out rows, which are original ones: who uses a published
    table asks about people as they are. A cell that may stand for several values counts as all of them, in
    equal parts.

    Returns:
        ``accuracy_before``, ``accuracy_after``, ``majority`` (always the most frequent answer) on
        ``held_out`` rows.

    Raises:
        ConfigError: a target that is no published column, or a quasi-identifier.
        DataError: a target with one value, or too few rows.
    """
    if target not in published.names or target in meanings:
        raise ConfigError(f"the target '{target}' must be a published column that is no quasi-identifier")
    random = np.random.default_rng(derive_seed(seed, "usefulness"))
    rows = random.permutation(len(kept))[:_MOST_ROWS]
    cut = int(len(rows) * _HELD_OUT)
    asked, trained = rows[:cut], rows[cut:]
    answers = original[target].codes[kept]
    if len(np.unique(answers[trained])) < 2 or not cut:
        raise DataError(f"the target '{target}' has one value only, or there are too few rows to learn from")
    plain = _features(original, original, meanings, kept[rows])
    blurred = _features(original, published, meanings, rows)
    truth = answers[asked]
    before = _accuracy(plain[cut:], answers[trained], plain[:cut], truth)
    after = _accuracy(blurred[cut:], answers[trained], plain[:cut], truth)
    return {
        "target": target,
        "held_out": int(cut),
        "accuracy_before": before,
        "accuracy_after": after,
        "majority": float(np.mean(truth == np.bincount(answers[trained]).argmax())),
    }


def _features(
    original: Table, table: Table, meanings: Mapping[str, Meaning], rows: npt.NDArray[np.intp]
) -> Any:
    """Rows of a table over the original's values, sparse ``(rows, values)``; a cell's parts sum to 1."""
    from scipy import sparse

    blocks = []
    for name, meaning in meanings.items():
        place = {text: number for number, text in enumerate(original[name].values)}
        codes: Codes = table[name].codes[rows]
        parts = sparse.lil_matrix((len(table[name].values), len(place)))
        for code in np.unique(codes).tolist():
            cell = table[name].values[code]
            inside = [cell] if cell in place else sorted(meaning.values(cell) & place.keys())
            parts[code, [place[text] for text in inside]] = 1 / len(inside)
        blocks.append(parts.tocsr()[codes])
    return sparse.hstack(blocks, format="csr")


def _accuracy(features: Any, answers: Any, asked: Any, truth: Any) -> float:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        max_iter=_ITERATIONS, solver="liblinear" if len(np.unique(answers)) == 2 else "lbfgs"
    )
    return float(model.fit(features, answers).score(asked, truth))
