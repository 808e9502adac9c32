"""Labels in TSPL, the language of TSC printers and of most cheap label printers.

A label is one ``BITMAP``. Its bits are the other way round than elsewhere: a 0 burns a dot, a 1
leaves it white, also where a row is filled up to whole bytes.
"""

from nongso.labels.paper import Paper
from nongso.labels.raster import Picture

_INVERTED = bytes(255 - byte for byte in range(256))


def page(picture: Picture, paper: Paper) -> bytes:
    """The commands that print one page."""
    between = {"gap": "GAP", "mark": "BLINE", "continuous": "GAP"}[paper.media]
    feed_mm = 0.0 if paper.media == "continuous" else paper.feed_mm
    height_mm = paper.height_mm + (paper.feed_mm if paper.media == "continuous" else 0)
    lines = [
        f"SIZE {paper.width_mm:.2f} mm,{height_mm:.2f} mm",
        f"{between} {feed_mm:.2f} mm,0 mm",
        "DIRECTION 0",
        "REFERENCE 0,0",
    ]
    if paper.speed is not None:
        lines.append(f"SPEED {paper.speed}")
    if paper.darkness is not None:
        lines.append(f"DENSITY {paper.darkness}")
    lines += ["CLS", f"BITMAP 0,0,{picture.stride},{picture.height},0,"]
    return (
        "\r\n".join(lines).encode("ascii")
        + picture.dots.translate(_INVERTED)
        + b"\r\nPRINT 1,1\r\n"
    )
