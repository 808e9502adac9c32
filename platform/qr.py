"""A QR symbol as SVG for our own pages: one path, black on white, nothing inline but shapes."""

from markupsafe import Markup

from nongso.labels.symbol import symbol


def picture(text: str) -> Markup:
    """Return the SVG of an ASCII text. Raises ``nongso.labels.errors.LabelError``."""
    made = symbol(text)
    parts: list[str] = []
    for y, row in enumerate(made.rows()):
        x = 0
        while x < made.side:
            begin = x
            while x < made.side and row[x]:
                x += 1
            if x > begin:
                parts.append(f"M{begin} {y}h{x - begin}v1h-{x - begin}z")
            else:
                x += 1
    return Markup(
        '<svg class="qr" viewBox="0 0 {side} {side}" aria-hidden="true" '
        'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/>'
        '<path fill="#000" d="{path}"/></svg>'
    ).format(side=made.side, path="".join(parts))
