"""QR codes, for apps that show codes."""

from __future__ import annotations

from markupsafe import Markup

_BORDER = 4  # modules, as the standard asks


def drawn(text: str) -> Markup:
    """SVG without a style of its own; what stands in it can be read beside it, too."""
    import segno

    rows = list(segno.make_qr(text, error="m").matrix_iter(border=_BORDER))
    dark = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, module in enumerate(row) if module)
    size = len(rows)
    return Markup(  # noqa: S704 numbers alone
        f'<svg class="qr" viewBox="0 0 {size} {size}" aria-hidden="true" shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}"/><path d="{dark}"/></svg>'
    )
