"""The commands of the print shop: labels from a table, without platform or farm."""

import argparse

from nongso.commands import arguments as kinds
from nongso.commands import labels_layouts
from nongso.commands import labels_target as target
from nongso.commands.arguments import Parser
from nongso.commands.errors import CommandError

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


def _sheet(args: argparse.Namespace) -> int:
    from nongso.labels import csvsheet, layout, outfile, outputs

    printer = target.printer_of(args)
    target.need_target(args, printer)
    if args.output is not None:
        outfile.spare_table(args.output, args.csv)
    wanted = target.format_of(args, printer)
    plain = layout.load(args.layout)
    outputs.check_format(wanted, plain)
    placed = printer.corrected(plain)
    if args.output is not None:
        outfile.check(args.output, args.csv, wanted)
    made = csvsheet.make(args.csv, placed, args.start_cell, args.from_row, args.logo)
    if args.output is None:
        return target.send(made.sheet, placed, printer, wanted, made.rows, args.start_cell)
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


def _calibrate(args: argparse.Namespace) -> int:
    from nongso.labels import calibration, layout, outfile, outputs, printers

    plain = layout.load(args.layout)
    if args.measured is not None:
        if args.printer is None:
            raise CommandError("whose measures are these? Name the printer with --printer NAME")
        file = target.printers_file(args)
        known = printers.read(file).get(args.printer, printers.Printer())
        found = printers.measured(known, calibration.crosses(plain), tuple(args.measured))
        printers.keep(file, args.printer, found)
        print(f"{args.printer}: {found.said()}. Kept in {file}.")
        return 0
    printer = target.printer_of(args)
    target.need_target(args, printer)
    wanted = target.format_of(args, printer)
    if wanted == outputs.SVG:
        raise CommandError("the calibration sheet is made as PDF, PNG or for a label printer")
    outputs.check_format(wanted, plain)
    placed = plain if printer.dpi is None else plain.at(printer.dpi)
    sheet = calibration.sheet(placed, printer if args.corrected else printers.Printer())
    a, b = calibration.crosses(plain)
    if args.output is None:
        target.send(sheet, placed, printer, wanted, ())
    else:
        real = outfile.check(args.output, None, wanted)
        paper = printer.paper(placed)
        outfile.write([real], outputs.contents(sheet, (), placed, 1, wanted, paper))
        print(f"Written: {args.output}. Print it at 100 %.")
    if args.corrected:
        print(
            f"The crosses should stand {a.x_mm:g} and {a.y_mm:g} mm, and {b.x_mm:g} and {b.y_mm:g}"
            " mm, from the left and upper edge."
        )
        return 0
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

    file = target.printers_file(args)
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


def _whole(text: str) -> int:
    """A whole number from 0."""
    return 0 if text == "0" else kinds.number(text)


def add(rooms: "argparse._SubParsersAction[Parser]") -> None:
    """Add the room's commands."""
    labels = kinds.group(rooms, "labels", "QR labels for any printer, without platform or farm")

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

    sheet.add_argument(
        "--logo",
        type=kinds.path,
        metavar="FILE",
        help="a picture (PNG, JPEG or SVG), where the layout has a place for one",
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
        type=labels_layouts.mm,
        nargs=4,
        metavar=("A_LEFT", "A_TOP", "B_LEFT", "B_TOP"),
        help="where the crosses came out, in mm from the left and upper edge of the paper",
    )
    calibrate.add_argument(
        "--corrected",
        action="store_true",
        help="print the sheet as labels are printed, to see whether they come out right now",
    )

    labels_layouts.add(labels)

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
