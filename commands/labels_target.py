"""Where labels go: a file, or a printer that is named on the command line or kept under a name."""

import argparse
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nongso.commands.errors import CommandError

if TYPE_CHECKING:
    from nongso.labels.layout import Layout
    from nongso.labels.operations import Sheet
    from nongso.labels.printers import Printer


def printers_file(args: argparse.Namespace) -> Path:
    """The file in which printers are kept."""
    from nongso.labels import printers

    return args.printers or printers.home()


def printer_of(args: argparse.Namespace) -> "Printer":
    """The printer that was named, with what the command line says otherwise."""
    from dataclasses import replace

    from nongso.labels import printers

    found = printers.Printer()
    if args.printer is not None:
        found = printers.find(printers_file(args), args.printer)
    if args.dpi is not None:
        found = replace(found, dpi=args.dpi)
    return found


def format_of(args: argparse.Namespace, printer: "Printer") -> str:
    """What is to be made. Raises ``CommandError`` where nobody said it."""
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


def need_target(args: argparse.Namespace, printer: "Printer") -> None:
    """Refuse to begin where nobody said where the labels go."""
    if args.output is None and not printer.address:
        raise CommandError(
            f"{args.printer} has no address: name a file with -o"
            if args.printer
            else "name a file with -o, or a printer with --printer"
        )


def send(
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
