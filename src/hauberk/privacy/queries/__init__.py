"""Questions about people's data, answered with noise, within a budget that is kept.

    register("patients.csv", description, Accounting("pure", budget=2.0))
    ask("patients.csv", "SELECT region, COUNT(*) FROM data GROUP BY region", asker="ann", epsilon=0.5)

Differential privacy: whether one person's rows are in the data or not changes the probability of any answer by
a factor of at most exp(epsilon). OpenDP adds the noise and says what it costs; here are the questions, the
treatment of the data, and the budget (docs/private-queries.md).
"""

from __future__ import annotations

from hauberk.privacy.queries.accounting import Accounting
from hauberk.privacy.queries.answer import Answer
from hauberk.privacy.queries.asking import Asked, Registered, ask, budget, register, status
from hauberk.privacy.queries.description import Column, Description, read_toml
from hauberk.privacy.queries.overview import Budget, PastQuestion, Share
from hauberk.privacy.queries.store import BudgetStore, Registration, Spent

__all__ = [
    "Accounting",
    "Answer",
    "Asked",
    "Budget",
    "BudgetStore",
    "Column",
    "Description",
    "PastQuestion",
    "Registered",
    "Registration",
    "Share",
    "Spent",
    "ask",
    "budget",
    "read_toml",
    "register",
    "status",
]
