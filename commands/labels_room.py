"""The commands of the print shop: labels from a table, without platform or farm."""

import argparse
import math
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nongso.commands import arguments as kinds
from nongso.commands.arguments import Parser
from nongso.commands.errors import CommandError

if TYPE_CHECKING:
    from nongso.labels.layout import Layout
    from nongso.labels.operations import Sheet
    from nongso.labels.printers import Printer

_EPILOG = """\
examples:
  nongso labels sheet --csv goods.csv -o labels.pdf
  nongso labels sheet --csv goods.csv -o labels.pdf --layout a4-2x7 --start-cell 5
  nongso labels sheet --csv goods.csv -o label.png --layout roll-50x30 --dpi 300
  nongso labels sheet --csv goods.csv --layout roll-50x30 --format tspl --printer 192.168.1.50
  nongso labels sheet --csv goods.csv --layout roll-50x30 --printer store

The table is a CSV in UTF-8 with a heading line. Column url is the address in the code, text the
lines beside it (line breaks in the cell); 'nongso labels layouts' lists the columns that each
layout has besides. A printer gets no answer across: whether it has paper, nobody can know here.
"""


def _printers_file(args: argparse.Namespace) -> Path:
    from nongso.labels import printers

    return args.printers or printers.home()


def _printer(args: argparse.Namespace) -> "Printer":
    """The printer that was named, with what the command line says otherwise."""
    from dataclasses import replace

    from nongso.labels import printers

    found = printers.Printer()
    if args.printer is not None:
        found = printers.find(_printers_file(args), args.printer)
    if args.dpi is not None:
        found = replace(found, dpi=args.dpi)
    return found


def _format(args: argparse.Namespace, printer: "Printer") -> str:
    from nongso.labels import outputs

    if args.output is not None:
        return str(args.format or outputs.format_of(args.output))
    wanted = args.format or printer.format
    if not wanted:
        raise CommandError(
            f"which language does {args.printer} speak? Add --format "
            f"{' or '.join(outputs.SENT)} (most cheap label printers: tspl; Zebra: zpl;"
            " receipt printers: escpos)"
        )
    if wanted not in outputs.SENT:
        raise CommandError(f"no printer takes {wanted}: name a file for it with -o")
    return str(wanted)


def _where(args: argparse.Namespace, printer: "Printer") -> None:
    if args.output is None and not printer.address:
        raise CommandError(
            f"{args.printer} has no address: name a file with -o"
            if args.printer
            else "name a file with -o, or a printer with --printer"
        )


def _sheet(args: argparse.Namespace) -> int:
    from nongso.labels import csvsheet, layout, outfile, outputs

    printer = _printer(args)
    _where(args, printer)
    if args.output is not None:
        outfile.spare_table(args.output, args.csv)
    wanted = _format(args, printer)
    plain = layout.load(args.layout)
    outputs.check_format(wanted, plain)
    placed = printer.corrected(plain)
    if args.output is not None:
        outfile.check(args.output, args.csv, wanted)
    made = csvsheet.make(args.csv, placed, args.start_cell, args.from_row)
    if args.output is None:
        return _send(made.sheet, placed, printer, wanted, made.rows, args.start_cell)
    names = outfile.numbered(args.output, outputs.file_count(made.sheet, wanted))
    real = [outfile.check(name, args.csv, wanted) for name in names]
    paper = printer.paper(placed)
    contents = outputs.contents(made.sheet, made.labels, placed, args.start_cell, wanted, paper)
    outfile.write(real, contents)
    shown = str(names[0]) if len(names) == 1 else f"{names[0]} to {names[-1].name}"
    print(
        f"{shown}: labels {made.sheet.labels}, pages {made.sheet.pages};"
        " each decoded and compared."
    )
    return 0


def _send(
    sheet: "Sheet",
    layout: "Layout",
    printer: "Printer",
    wanted: str,
    rows: tuple[int, ...],
    start_cell: int = 1,
) -> int:
    """Hand a sheet to a printer in the network, with a word on how far it is."""
    from nongso.labels import network, outputs
    from nongso.labels.errors import PrinterFailed

    of = max(sheet.labels, 1)
    where = network.address(printer.address)
    done = [min(of, page * layout.cells - (start_cell - 1)) for page in range(1, sheet.pages + 1)]
    pages = outputs.stream(sheet, wanted, printer.paper(layout))
    counted = zip(pages, done if wanted != outputs.PDF else [of], strict=True)
    print(f"Sending labels {of} to {where}. Ctrl-C stops after the label that is on its way.")
    with _stop() as stopped:
        try:
            sent = network.send(counted, of, where, _progress(of), stopped)
        except PrinterFailed as e:
            raise CommandError(f"{e}{_go_on(rows, e.sent)}") from e
    if sent.labels < of:
        print(
            f"Stopped: {sent.labels} of {of} labels were handed over.{_go_on(rows, sent.labels)}"
        )
        return 130
    print(f"Handed over: labels {of}. {network.CANNOT_KNOW}.")
    return 0


def _go_on(rows: tuple[int, ...], sent: int) -> str:
    return f" The next one stands in row {rows[sent]}: --from-row {rows[sent]}." if rows else ""


def _progress(of: int) -> Callable[[int], None]:
    """Say each label on a terminal, and each tenth part elsewhere."""
    told = 0

    def say(sent: int) -> None:
        nonlocal told
        if sys.stderr.isatty():
            print(f"\r{sent} of {of}", end="\n" if sent == of else "", file=sys.stderr, flush=True)
        elif sent * 10 // of > told * 10 // of:
            print(f"{sent} of {of}", file=sys.stderr, flush=True)
        told = sent

    return say


@contextmanager
def _stop() -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C ask for a stop between two labels; the second one ends at once."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        asked = True
        signal.signal(signal.SIGINT, before)

    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)


def _calibrate(args: argparse.Namespace) -> int:
    from nongso.labels import calibration, layout, outfile, outputs, printers

    plain = layout.load(args.layout)
    if args.measured is not None:
        if args.printer is None:
            raise CommandError("whose measures are these? Name the printer with --printer NAME")
        file = _printers_file(args)
        known = printers.read(file).get(args.printer, printers.Printer())
        found = printers.measured(known, calibration.crosses(plain), tuple(args.measured))
        printers.keep(file, args.printer, found)
        print(f"{args.printer}: {found.said()}. Kept in {file}.")
        return 0
    printer = _printer(args)
    _where(args, printer)
    wanted = _format(args, printer)
    if wanted == outputs.SVG:
        raise CommandError("the calibration sheet is made as PDF, PNG or for a label printer")
    outputs.check_format(wanted, plain)
    placed = plain if printer.dpi is None else plain.at(printer.dpi)
    sheet = calibration.sheet(placed, printer)
    a, b = calibration.crosses(plain)
    if args.output is None:
        _send(sheet, placed, printer, wanted, ())
    else:
        real = outfile.check(args.output, None, wanted)
        paper = printer.paper(placed)
        outfile.write([real], outputs.contents(sheet, (), placed, 1, wanted, paper))
        print(f"Written: {args.output}. Print it at 100 %.")
    print(
        f"Cross A is meant {a.x_mm:g} mm from the left edge and {a.y_mm:g} mm from the upper one,"
        f" B {b.x_mm:g} and {b.y_mm:g} mm. Measure them, then for example:\n"
        f"  nongso labels calibrate --layout {args.layout} --printer {args.printer or 'NAME'}"
        f" --measured {a.x_mm + 0.8:g} {a.y_mm - 0.5:g} {b.x_mm + 0.6:g} {b.y_mm - 1:g}"
    )
    return 0


def _keep(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from nongso.labels import network, printers

    file = _printers_file(args)
    found = printers.read(file)
    if args.name is None:
        for name, printer in sorted(found.items()):
            print(f"{name:12} {printer.said()}")
        if not found:
            print(f"No printers are kept in {file}.")
        return 0
    kept = found.get(args.name, printers.Printer())
    told = {
        key: value
        for key in ("address", "format", "dpi", "darkness", "speed")
        if (value := getattr(args, key)) is not None
    }
    if "address" in told:
        told["address"] = str(network.address(told["address"]))
    kept = replace(kept, **told)
    printers.keep(file, args.name, kept)
    print(f"{args.name}: {kept.said()}. Kept in {file}.")
    return 0


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
    one, other = _mm(first), _mm(second)
    if min(one, other) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: no size is below 0")
    return one, other


def _mm(text: str) -> float:
    """A length as people measure it, with comma or dot."""
    try:
        found = float(text.replace(",", "."))
    except ValueError:
        found = math.nan
    if not -1000 < found < 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length in mm, like 20.5")
    return found


def _whole(text: str) -> int:
    """A whole number from 0."""
    return 0 if text == "0" else kinds.number(text)


def add(rooms: "argparse._SubParsersAction[Parser]") -> None:
    """Add the room's commands."""
    labels = kinds.group(rooms, "labels", "QR labels for any printer, without platform or farm")
    kinds.add(labels, "layouts", _layouts, "list the layouts and the columns that each one prints")

    kept = Parser(add_help=False)
    kept.add_argument(
        "--printers",
        type=kinds.path,
        metavar="FILE",
        help="where printers are kept (default: nongso/printers.json in the folder of settings)",
    )
    out = Parser(add_help=False, parents=[kept])
    out.add_argument(
        "--layout",
        default="a4-3x8",
        metavar="NAME",
        help="see: nongso labels layouts; or a file of one's own, FILE.toml (default: a4-3x8)",
    )
    out.add_argument(
        "-o",
        "--output",
        type=kinds.path,
        metavar="FILE",
        help="the file to write; an older one of its kind is replaced, pages of pictures are"
        " numbered",
    )
    out.add_argument(
        "--format",
        choices=["pdf", "png", "svg", "zpl", "tspl", "escpos"],
        help="what to make (default: what the file's name or the kept printer says)",
    )
    out.add_argument(
        "--printer",
        metavar="HOST[:PORT]",
        help="send it to this printer in the network (raw TCP, port 9100), or the name of a kept"
        " one; with -o, only its settings are used",
    )
    out.add_argument(
        "--dpi", type=kinds.number, metavar="N", help="fineness of the printer, if not the usual"
    )

    sheet = kinds.add(labels, "sheet", _sheet, "make or print labels from a table", out)
    sheet.formatter_class = argparse.RawDescriptionHelpFormatter
    sheet.epilog = _EPILOG
    sheet.add_argument(
        "--csv", type=kinds.path, required=True, metavar="FILE", help="columns: url, text, …"
    )
    sheet.add_argument(
        "--start-cell",
        type=kinds.number,
        default=1,
        metavar="N",
        help="first free label of a half-used sheet, along the rows (default: 1)",
    )
    sheet.add_argument(
        "--from-row",
        type=kinds.number,
        default=1,
        metavar="N",
        help="leave out the rows above, as the spreadsheet counts them, after a stop (default: 1)",
    )

    calibrate = kinds.add(
        labels,
        "calibrate",
        _calibrate,
        "print crosses to measure, and keep a printer's offset and scale",
        out,
    )
    calibrate.add_argument(
        "--measured",
        type=_mm,
        nargs=4,
        metavar=("A_LEFT", "A_TOP", "B_LEFT", "B_TOP"),
        help="where the crosses came out, in mm from the left and upper edge of the paper",
    )

    _add_draft(labels)

    printer = kinds.add(
        labels, "printer", _keep, "keep a printer under a name, or list them", kept
    )
    printer.add_argument("name", nargs="?", help="for example store; without, all are listed")
    printer.add_argument("--address", metavar="HOST[:PORT]", help="where it is in the network")
    printer.add_argument("--format", choices=["pdf", "zpl", "tspl", "escpos"], help="its language")
    printer.add_argument("--dpi", type=kinds.number, metavar="N", help="203, 300 or 600")
    printer.add_argument("--darkness", type=_whole, metavar="N", help="zpl 0 to 30, tspl 0 to 15")
    printer.add_argument(
        "--speed", type=kinds.number, metavar="N", help="inches a second; slow prints sharper"
    )


def _add_draft(labels: "argparse._SubParsersAction[Parser]") -> None:
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
        "--feed", type=_mm, default=2.0, metavar="MM", help="between two labels (default: 2)"
    )
    draft.add_argument("--dpi", type=kinds.number, metavar="N", help="fineness of the printer")
    draft.add_argument(
        "-o", "--output", type=kinds.path, required=True, metavar="FILE", help="FILE.toml, new"
    )
