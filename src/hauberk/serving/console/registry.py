"""All pages, in the order of the navigation."""

from __future__ import annotations

from hauberk.serving.console import overview
from hauberk.serving.console.pages import Page

PAGES: tuple[Page, ...] = (overview.PAGE,)
