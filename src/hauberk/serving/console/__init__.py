"""The console: web pages of a vault, served by the same process as its models.

Pages are made on the server from Jinja templates, because then there is nothing to build, every page works
without a script, and what is sent to a browser is what its viewer may see. ``static/console.js`` only renews
parts of a page, and keyboards; nothing is fetched from elsewhere.

    request → session → decision (Cedar, in the trail) → page: view → template → answer

How a page is added:

1.  A module, such as ``people.py``, with a function from ``(Viewer, Asked)`` to a frozen dataclass that holds
    what the template shows, and a ``Page`` that names its path, the permission that it takes to see it, the
    function, and its actions. It is listed in ``registry.py``, where the order is that of the navigation.
2.  A template ``templates/NAME.html.jinja`` that extends ``frame.html.jinja`` and fills ``block main``;
    ``view`` is the dataclass, ``t`` the words, ``viewer`` whoever looks. Macros stand in ``parts.html.jinja``
    (``{% import "parts.html.jinja" as parts with context %}``): ``form``, ``confirm``, ``badge``, ``field``.
3.  A section of words, ``words/NAME.py``, with ``ENGLISH`` and ``CHINESE``, the same keys in both; it is
    listed in ``words/__init__.py``. ``NAME.nav`` is what the navigation calls the page, ``NAME.title`` its
    heading. ``t.count("keys", n)`` chooses between ``keys.one`` and ``keys.other``.
4.  Something that is done is an ``Act`` of its page: a form with ``{{ parts.form("act-name") }}`` is posted to
    the page's own path; the token of the form and its origin are checked, then ``Act.action`` is decided with
    ``Act.detail`` in the trail, then ``Act.do`` works and returns ``Done(said, to)`` (a redirect, and the words
    ``said.KEY`` on the page that follows) or ``Shown(template, view)`` for what is shown exactly once. What
    the vault's own functions decide (``promote``, ``revoke``) they decide through ``viewer.vault``, and the
    act's ``action`` is None. ``HauberkError`` is told on the page.

``viewer.may(…)`` asks without a line in the trail: for what a page shows or leaves out. ``viewer.require(…)``
and ``viewer.vault`` write theirs. An element with an ``id`` and ``data-live="SECONDS"`` is renewed from its own
page at that pace; such a renewal is decided anew each time, and written down once an hour (``live.py``).

What needs attention is told by ``Page.concerns``, a function from a viewer to ``Concern``s, and stands on the
overview. Nothing inline is allowed by the page's policy, not even a style: SVG has classes, and
``static/console.css`` has the colours.
"""
