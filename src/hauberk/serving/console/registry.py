"""All pages, in the order of the navigation."""

from __future__ import annotations

from hauberk.serving.console import (
    backups,
    budgets,
    evaluations,
    explaining,
    key_list,
    ledger,
    model_pages,
    overview,
    people,
    person,
    roles,
    traffic,
    trail,
)
from hauberk.serving.console.pages import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    *model_pages.PAGES,
    *evaluations.PAGES,
    *traffic.PAGES,
    people.PAGE,
    person.PAGE,
    roles.PAGE,
    key_list.PAGE,
    explaining.PAGE,
    trail.PAGE,
    trail.EXPORT,
    *ledger.PAGES,
    *budgets.PAGES,
    *backups.PAGES,
)
