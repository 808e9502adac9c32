"""The printers of a cooperative: where each is, what it speaks, and how it shifts its prints.

Kept by name in one small JSON file. A printer that two kinds of paper come out of differently
gets two names. How it shifts is what was measured on the calibration sheet: ``printed = scale ×
meant + offset``, in mm from the left and upper edge of the paper; layouts are moved the other
way, so that labels come out where they were meant. Codes are never stretched: their modules
stay whole dots, only the places of labels move.
"""

import json
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from nongso.labels import network
from nongso.labels.errors import BadLayout, BadPrinter
from nongso.labels.layout import Box, Layout
from nongso.labels.outputs import LANGUAGES, SENT
from nongso.labels.paper import Paper, paper_of

VERSION = 1
MOST_OFFSET_MM = 20.0
SCALES = (0.9, 1.1)


@dataclass(frozen=True)
class Printer:
    """One printer. Without an ``address`` it stands at a computer: files are made for it."""

    address: str = ""
    format: str = ""
    dpi: int | None = None
    offset_x_mm: float = 0.0
    offset_y_mm: float = 0.0
    scale_x: float = 1.0
    scale_y: float = 1.0
    darkness: int | None = None
    speed: int | None = None

    def paper(self, layout: Layout) -> Paper:
        """The roll of a layout, as this printer must be told of it."""
        return paper_of(layout, self.darkness, self.speed)

    def said(self) -> str:
        """The settings in a line."""
        parts = [self.address or "no address", self.format or "any format"]
        if self.dpi is not None:
            parts.append(f"{self.dpi} dpi")
        parts.append(f"offset {self.offset_x_mm:g} and {self.offset_y_mm:g} mm")
        parts.append(f"scale {self.scale_x:g} and {self.scale_y:g}")
        parts += [f"darkness {self.darkness}"] if self.darkness is not None else []
        parts += [f"speed {self.speed}"] if self.speed is not None else []
        return ", ".join(parts)

    def corrected(self, layout: Layout) -> Layout:
        """The layout as it must be drawn for this printer. Raises ``BadLayout``."""
        if self.dpi is not None:
            layout = layout.at(self.dpi)
        width, height = layout.first.width_mm, layout.first.height_mm
        moved = replace(
            layout,
            first=Box(
                (layout.first.x_mm - self.offset_x_mm) / self.scale_x,
                (layout.first.y_mm - self.offset_y_mm) / self.scale_y,
                width,
                height,
            ),
            gap_x_mm=(width + layout.gap_x_mm) / self.scale_x - width,
            gap_y_mm=(height + layout.gap_y_mm) / self.scale_y - height,
        )
        for cell in (moved.cell(1), moved.cell(moved.cells)):
            for part in (moved.qr, *(block.box for block in moved.blocks)):
                there = Box(
                    cell.x_mm + part.x_mm, cell.y_mm + part.y_mm, part.width_mm, part.height_mm
                )
                if not there.inside(layout.page_width_mm, layout.page_height_mm):
                    raise BadLayout(
                        f"{layout.name}: moved for this printer by what was measured, part of a"
                        " label would lie off the page; calibrate it again"
                    )
        return moved


def measured(printer: Printer, meant: tuple[Box, Box], found: tuple[float, ...]) -> Printer:
    """The printer with what was measured on its calibration sheet.

    ``meant`` are the two crosses; ``found`` is left and top of the first cross, then of the
    second, in mm from the edges of the paper. Raises ``BadPrinter`` for what no printer does.
    """
    (a, b), (ax, ay, bx, by) = meant, found
    scale_x = (bx - ax) / (b.x_mm - a.x_mm)
    scale_y = (by - ay) / (b.y_mm - a.y_mm)
    changed = replace(
        printer,
        scale_x=round(scale_x, 5),
        scale_y=round(scale_y, 5),
        offset_x_mm=round(ax - scale_x * a.x_mm, 3),
        offset_y_mm=round(ay - scale_y * a.y_mm, 3),
    )
    _check(changed, "this measurement")
    return changed


def _check(printer: Printer, name: str) -> Printer:
    least, most = SCALES
    if not (least <= printer.scale_x <= most and least <= printer.scale_y <= most):
        raise BadPrinter(
            f"{name}: a scale of {printer.scale_x:g} × {printer.scale_y:g} is no printer's."
            " Measure the crosses from the left and upper edge of the paper, and print at 100 %"
        )
    if not all(abs(one) <= MOST_OFFSET_MM for one in (printer.offset_x_mm, printer.offset_y_mm)):
        raise BadPrinter(
            f"{name}: an offset of {printer.offset_x_mm:g} and {printer.offset_y_mm:g} mm is more"
            f" than {MOST_OFFSET_MM:g} mm: measure again"
        )
    if printer.format and printer.format not in SENT:
        raise BadPrinter(f"{name}: no format {printer.format!r}; known: {', '.join(SENT)}")
    if printer.dpi is not None and not 100 <= printer.dpi <= 2400:
        raise BadPrinter(f"{name}: {printer.dpi} dpi is no printer")
    if printer.address:
        network.address(printer.address)
    if printer.speed is not None and not 1 <= printer.speed <= 14:
        raise BadPrinter(f"{name}: a speed is 1 to 14 inches a second, not {printer.speed}")
    if printer.darkness is not None:
        language = LANGUAGES.get(printer.format)
        most_dark = language.most_darkness if language else 0
        if not 0 <= printer.darkness <= most_dark:
            raise BadPrinter(
                f"{name}: {printer.format or 'a printer without a language'} takes darkness 0 to"
                f" {most_dark}, not {printer.darkness}"
            )
    return printer


def home() -> Path:
    """The file in which a person's printers are kept unless another is named."""
    folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(folder) / "nongso" / "printers.json"


def _printer(name: str, body: Any) -> Printer:
    known = {field.name: field for field in fields(Printer)}
    if not isinstance(body, dict) or not body.keys() <= known.keys():
        raise BadPrinter(f"{name}: a printer has {', '.join(known)}, and nothing else")
    for key, value in body.items():
        whole = key in ("dpi", "darkness", "speed")
        good = (
            isinstance(value, str)
            if key in ("address", "format")
            else (value is None and whole)
            or (isinstance(value, int if whole else int | float) and not isinstance(value, bool))
        )
        if not good:
            raise BadPrinter(f"{name}: {value!r} is no {key}")
    return _check(Printer(**body), name)


def read(file: Path) -> dict[str, Printer]:
    """All printers of a file; none where there is no file. Raises ``BadPrinter``."""
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        if body["version"] != VERSION:
            raise BadPrinter(f"{file}: written by another version of nongso ({body['version']})")
        return {name: _printer(name, one) for name, one in body["printers"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise BadPrinter(
            f"{file} cannot be read as printers ({e}): move it away and calibrate again"
        ) from e
    except BadPrinter as e:
        raise BadPrinter(f"{file}: {e}") from e


def keep(file: Path, name: str, printer: Printer) -> None:
    """Write one printer into the file; the others stay. Raises ``BadPrinter`` or ``OSError``."""
    if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
        raise BadPrinter(f"{name!r}: a printer's name is letters, digits, - and _")
    found = read(file) | {name: _check(printer, name)}
    bare = {
        one: {key: value for key, value in asdict(body).items() if value not in ("", None)}
        for one, body in sorted(found.items())
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part{os.getpid()}")
    try:
        text = json.dumps({"version": VERSION, "printers": bare}, ensure_ascii=False, indent=2)
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def find(file: Path, wanted: str) -> Printer:
    """A printer by its name in the file, else by its address. Raises ``BadPrinter``."""
    if (found := read(file).get(wanted)) is not None:
        return found
    network.address(wanted)
    return Printer(address=wanted)
