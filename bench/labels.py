"""Labels on A4 sheets: our way against others, each in its own process, in turns.

The plain way is what everybody writes first: ``qrcode`` makes a picture of each code, Pillow
pastes it and the text on a page at 300 dpi, and saves the pages as PDF. libqrencode is the
encoder in C, called once a code: alone, and with our sheets around it. Prints seconds and peak
memory of whole processes, medians over the runs, and ours over theirs.

    python bench/labels.py                       1,000 labels: speed, memory, cost of the check
    python bench/labels.py encoders              10,000 codes and sheets against libqrencode
    python bench/labels.py stream                100,000 labels: memory against 10,000
    python bench/labels.py read                  10,000 labels, drawn, read by two decoders

libqrencode is Debian's libqrencode4. Where it is not installed, ``apt-get download`` and
``dpkg -x`` put it anywhere, and LIBQRENCODE names the file.
"""

import argparse
import ctypes
import ctypes.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

SERIALS = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
LINES = "\n".join(
    ["Miến dong Bình Lư", "Gói 500 g · Lô K7M4PQ", "NSX 21/11/2026", "HSD 21/11/2027", "Đắk Lắk"]
)
LIBQRENCODE = os.environ.get("LIBQRENCODE") or ctypes.util.find_library("qrencode")


def urls(count: int) -> Iterator[str]:
    """Upper-case addresses with random serials, the same ones for every way."""
    import random

    dice = random.Random(1)
    stem = "HTTPS://LO.BINHLU.EXAMPLE/T/K7M4PQ/"
    for _ in range(count):
        yield stem + "".join(dice.choices(SERIALS, k=9))


def ours(count: int) -> dict[str, float]:
    """Make, and read back, with the print shop."""
    from nongso.labels import check, sheet
    from nongso.labels.layout import find
    from nongso.labels.sheet import Label

    layout = find("a4-3x8")
    labels = [Label(url, {"text": LINES}) for url in urls(count)]
    begun, cpu = time.perf_counter(), time.process_time()
    pdf = sheet.pdf(sheet.make(labels, layout), layout, 1, "bench")
    made, cpu_made = time.perf_counter(), time.process_time()
    check.check(pdf, [label.url for label in labels], layout)
    checked, cpu_checked = time.perf_counter(), time.process_time()
    return {
        "making_seconds": made - begun,
        "check_seconds": checked - made,
        "check_to_making": (checked - made) / (made - begun),
        "check_to_making_cpu": (cpu_checked - cpu_made) / (cpu_made - cpu),
        "pdf_kib": len(pdf) / 1024,
    }


def made_only(count: int) -> dict[str, float]:
    """Make without reading back, to compare with ways that do not check."""
    from nongso.labels import sheet
    from nongso.labels.layout import find
    from nongso.labels.sheet import Label

    layout = find("a4-3x8")
    labels = [Label(url, {"text": LINES}) for url in urls(count)]
    return {"pdf_kib": len(sheet.pdf(sheet.make(labels, layout), layout, 1, "bench")) / 1024}


def plain(count: int) -> dict[str, float]:
    """Make with qrcode and Pillow, the plain way; nothing is read back."""
    from io import BytesIO

    import qrcode  # type: ignore[import-untyped]
    from PIL import Image, ImageDraw, ImageFont

    from nongso.labels.font import REGULAR, file

    font = ImageFont.truetype(str(file(REGULAR)), 33)
    pages: list[Image.Image] = []
    for number, url in enumerate(urls(count)):
        at = number % 24
        if at == 0:
            pages.append(Image.new("RGB", (2480, 3508), "white"))
        x, y = 86 + at % 3 * 780, 152 + at // 3 * 400
        code = qrcode.make(url, border=4, box_size=7).get_image()
        pages[-1].paste(code, (x, y))
        ImageDraw.Draw(pages[-1]).multiline_text((x + 290, y + 20), LINES, "black", font)
    out = BytesIO()
    pages[0].save(out, "PDF", save_all=True, append_images=pages[1:], resolution=300)
    return {"pdf_kib": len(out.getvalue()) / 1024}


def streamed(count: int) -> dict[str, float]:
    """Make into a file and check there, with labels that nobody keeps."""
    from nongso.labels.layout import find
    from nongso.labels.operations import write_sheet
    from nongso.labels.sheet import Label

    lines = {"text": LINES}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "labels.pdf")
        made = write_sheet(out, lambda: (Label(url, lines) for url in urls(count)), find("a4-3x8"))
        return {"labels": made, "pdf_kib": out.stat().st_size / 1024}


def our_codes(count: int) -> dict[str, float]:
    """Codes alone, as rows of bits."""
    from nongso.labels import batch

    return {"bytes": sum(len(made.packed()) for made in batch.symbols(urls(count)))}


class _QRcode(ctypes.Structure):
    _fields_ = (
        ("version", ctypes.c_int),
        ("width", ctypes.c_int),
        ("data", ctypes.POINTER(ctypes.c_ubyte)),
    )


def _libqrencode() -> Callable[[str], tuple[int, bytes]]:
    """One call a code: the modules a side, and a byte a module."""
    library = ctypes.CDLL(LIBQRENCODE)
    encode, free = library.QRcode_encodeString, library.QRcode_free
    encode.restype = ctypes.POINTER(_QRcode)
    encode.argtypes = [ctypes.c_char_p] + [ctypes.c_int] * 4
    free.argtypes = [ctypes.POINTER(_QRcode)]
    free.restype = None

    def call(text: str) -> tuple[int, bytes]:
        made = encode(text.encode(), 0, 1, 2, 1)  # smallest version, level M, bytes, as written
        width = made.contents.width
        modules = ctypes.string_at(made.contents.data, width * width)
        free(made)
        return width, modules

    return call


def their_codes(count: int) -> dict[str, float]:
    """Codes alone, one libqrencode call each, its bytes as they come."""
    call = _libqrencode()
    return {"bytes": sum(len(call(url)[1]) for url in urls(count))}


def their_sheets(count: int) -> dict[str, float]:
    """Our sheets around codes of libqrencode."""
    from nongso.labels import batch, symbol

    call = _libqrencode()
    packing = bytes.maketrans(bytes(range(256)), bytes(48 + (byte & 1) for byte in range(256)))

    def symbols(texts: Iterator[str], level: str) -> Iterator[symbol.Symbol]:
        for text in texts:
            side, modules = call(text)
            whole = side + 2 * symbol.QUIET
            width = (whole + 7) // 8 * 8
            left, right = "0" * symbol.QUIET, "0" * (width - symbol.QUIET - side)
            digits = modules.translate(packing).decode()
            rows = [left + digits[at : at + side] + right for at in range(0, len(digits), side)]
            bits = int("".join(rows), 2) << width * symbol.QUIET
            yield symbol.Symbol((side - 17) // 4, whole, bits)

    batch.symbols = symbols  # type: ignore[assignment]
    return made_only(count)


WAYS = {
    "ours, checked": ours,
    "ours, not checked": made_only,
    "plain": plain,
    "streamed, checked": streamed,
    "our codes": our_codes,
    "libqrencode codes": their_codes,
    "sheets with libqrencode": their_sheets,
}


def run(way: str, count: int) -> dict[str, float]:
    """Run one way in a process of its own."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--labels", str(count), "--way", way],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, **json.loads(done.stdout)}


def measure(counts: dict[str, int], runs: int) -> dict[str, dict[str, float]]:
    """Medians of each way, the ways run in turn, printed and returned."""
    found: dict[str, list[dict[str, float]]] = {way: [] for way in counts}
    for _ in range(runs):
        for way, count in counts.items():
            found[way].append(run(way, count))
    print(f"{runs} runs in turn, whole processes, medians (fastest and slowest)")
    middle = {}
    for way, each in found.items():
        middle[way] = {name: median(one[name] for one in each) for name in each[0]}
        spread = f"({min(o['seconds'] for o in each):.2f}..{max(o['seconds'] for o in each):.2f})"
        figures = "  ".join(f"{name} {value:.2f}" for name, value in middle[way].items())
        print(f"  {counts[way]:7,} {way:24} {figures}  {spread}")
    return middle


def against_plain(count: int, runs: int) -> None:
    """The plain way against ours, with and without the check."""
    ways = ("ours, checked", "ours, not checked", "plain")
    middle = measure(dict.fromkeys(ways, count), runs)
    base = middle["plain"]
    for way in ways[:2]:
        for what in ("seconds", "cpu_seconds"):
            print(f"  {way}: plain takes {base[what] / middle[way][what]:.1f} x its {what}")
        memory = base["peak_mib"] / middle[way]["peak_mib"]
        print(f"  {way}: 1/{memory:.0f} of plain's memory")
    check = middle["ours, checked"]
    print(
        f"  the check takes {check['check_to_making']:.1f} x the making"
        f" ({check['check_to_making_cpu']:.1f} x in processor time)"
    )


def encoders(count: int, runs: int) -> None:
    """Against one libqrencode call a code."""
    if LIBQRENCODE is None:
        print("skipped: libqrencode is not installed (see the top of this file)")
        return
    pairs = {"our codes": "libqrencode codes", "ours, not checked": "sheets with libqrencode"}
    middle = measure(dict.fromkeys([*pairs, *pairs.values()], count), runs)
    for our, their in pairs.items():
        for what in ("seconds", "cpu_seconds"):
            ratio = middle[their][what] / middle[our][what]
            print(f"  {their}: {ratio:.1f} x the {what} of {our}")


def flat(count: int, runs: int) -> None:
    """Ten times the labels, the same memory."""
    few = run("streamed, checked", count // 10)
    many = run("streamed, checked", count)
    for found in (few, many):
        print("  ", "  ".join(f"{name} {value:.2f}" for name, value in found.items()))
    print(f"  ten times the labels take {many['peak_mib'] / few['peak_mib']:.2f} x the memory")


def read(count: int, runs: int) -> None:
    """Every label of a batch, drawn at 200 dpi by poppler, read by zxing-cpp and by zbar."""
    import zxingcpp
    from PIL import Image

    from nongso.labels import sheet
    from nongso.labels.layout import find
    from nongso.labels.sheet import Label

    wanted = set(urls(count))
    layout = find("a4-3x8")
    labels = [Label(url, {"text": LINES}) for url in urls(count)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Path(folder, "s.pdf").write_bytes(
            sheet.pdf(sheet.make(labels, layout), layout, 1, "bench")
        )
        if not shutil.which("pdftoppm"):
            print("skipped: pdftoppm (poppler-utils), which draws the pages, is not installed")
            return
        subprocess.run(["pdftoppm", "-r", "200", "-gray", "s.pdf", "p"], cwd=folder, check=True)
        pages = sorted(folder.glob("p-*.pgm"))
        seen = {
            code.text
            for page in pages
            for code in zxingcpp.read_barcodes(
                Image.open(page), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
            )
        }
        print(f"  zxing-cpp read {len(seen & wanted):,} of {count:,}, {len(seen - wanted)} wrong")
        if not shutil.which("zbarimg"):
            print("  skipped: zbarimg (zbar-tools), the other decoder, is not installed")
            return
        seen = set()
        for page in pages:
            done = subprocess.run(
                ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", page],
                capture_output=True,
                text=True,
                check=False,  # it fails where it reads nothing; that is counted here
            )
            seen |= set(done.stdout.split())
        print(f"  zbar read {len(seen & wanted):,} of {count:,}, {len(seen - wanted)} wrong")


PARTS = {
    "plain": (against_plain, 1_000),
    "encoders": (encoders, 10_000),
    "stream": (flat, 100_000),
    "read": (read, 10_000),
}


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", nargs="?", choices=PARTS, default="plain")
    parser.add_argument("--labels", type=int)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        found = WAYS[given.way](given.labels)
        found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found["cpu_seconds"] = time.process_time()
        print(json.dumps(found))
        return 0
    part, usual = PARTS[given.part]
    part(given.labels or usual, given.runs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
