"""The commands about layouts: which there are, and a new one from the sizes of one's paper."""

import argparse
import math

from nongso.commands import arguments as kinds
from nongso.commands.arguments import Parser
from nongso.commands.errors import CommandError


def _layouts(args: argparse.Namespace) -> int:
    from nongso.labels import goods, layout

    for name in layout.names():
        found = layout.find(name)
        columns = ("url", *found.columns_of_table, *((goods.KIND,) if found.goods else ()))
        print(f"{name:20} {found.title}\n{'':20} columns: {', '.join(columns)}")
    return 0


def _draft(args: argparse.Namespace) -> int:
    from nongso.labels import drafting, outfile
    from nongso.labels.layout import SHEET

    columns, rows = args.grid
    if int(columns) != columns or int(rows) != rows:
        raise CommandError("a grid is whole columns and rows, like 3x8")
    sizes = drafting.Sizes(
        args.page,
        (int(columns), int(rows)),
        args.label,
        args.gap,
        args.margin,
        args.roll or SHEET,
        args.feed,
        args.dpi or (203 if args.roll else 300),
    )
    if args.output.suffix != ".toml":
        raise CommandError(f"{args.output}: a layout's file ends with .toml")
    made, toml = drafting.draft(args.output.stem, sizes)
    if args.output.exists():
        raise CommandError(f"{args.output} is there: name another file, or move this one away")
    outfile.write([args.output], [toml.encode()])
    print(
        f"Written: {args.output}: {made.title}, code {made.qr.width_mm:g} mm, margin"
        f" {made.first.x_mm:g} and {made.first.y_mm:g} mm. Change its numbers as you like, then"
        f" print marks to hold against your paper:\n"
        f"  nongso labels calibrate --layout {args.output} -o marks.pdf"
    )
    return 0


def _pair(text: str) -> tuple[float, float]:
    """Two lengths, across and down."""
    first, found, second = text.lower().replace("×", "x").partition("x")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not across and down, like 63.5x33.9")
    one, other = mm(first), mm(second)
    if min(one, other) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: no size is below 0")
    return one, other


def mm(text: str) -> float:
    """A length as people measure it, with comma or dot."""
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        found = math.nan
    if not -1000 < found < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length in mm, like 20.5")
    return found


def add(labels: "argparse._SubParsersAction[Parser]") -> None:
    """Add the two commands."""
    kinds.add(labels, "layouts", _layouts, "list the layouts and the columns that each one prints")
    draft = kinds.add(
        labels, "draft", _draft, "make the file of a layout from the sizes of a sheet or roll"
    )
    pairs = {
        "--page": ("the sheet, or one row of a roll, in mm: 210x297", True, None),
        "--grid": ("labels across and down: 3x8", True, None),
        "--label": ("one label in mm: 63.5x33.9", True, None),
        "--gap": ("between labels, in mm (default: none)", False, (0.0, 0.0)),
        "--margin": ("left and upper edge of the first label (as if centred)", False, None),
    }
    for name, (about, needed, usual) in pairs.items():
        draft.add_argument(
            name, type=_pair, required=needed, default=usual, metavar="MMxMM", help=about
        )
    draft.add_argument(
        "--roll",
        choices=["gap", "mark", "continuous"],
        help="a roll, and how the printer finds the next label",
    )
    draft.add_argument(
        "--feed", type=mm, default=2.0, metavar="MM", help="between two labels (default: 2)"
    )
    draft.add_argument("--dpi", type=kinds.number, metavar="N", help="fineness of the printer")
    draft.add_argument(
        "-o", "--output", type=kinds.path, required=True, metavar="FILE", help="FILE.toml, new"
    )
