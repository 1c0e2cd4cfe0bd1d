"""All pages, in the order of the navigation."""

from __future__ import annotations

from hauberk.serving.console import explaining, key_list, overview, people, person, roles, trail
from hauberk.serving.console.pages import Page

PAGES: tuple[Page, ...] = (
    overview.PAGE,
    people.PAGE,
    person.PAGE,
    roles.PAGE,
    key_list.PAGE,
    explaining.PAGE,
    trail.PAGE,
    trail.EXPORT,
)
