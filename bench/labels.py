"""1,000 labels on A4 sheets: our way against the plain one, each in its own process, in turns.

The plain way is what everybody writes first: ``qrcode`` makes a picture of each code, Pillow
pastes it and the text on a page at 300 dpi, and saves the pages as PDF. Ours includes reading
every code back. Prints seconds and peak memory of whole processes, medians over the runs, and
ours over theirs.

    python bench/labels.py [--labels 1000] [--runs 3]
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from statistics import median

SERIALS = "23456789ABCDEFGHJKLMNPQRSTVWXYZ"
LINES = "\n".join(
    ["Miến dong Bình Lư", "Gói 500 g · Lô K7M4PQ", "NSX 21/11/2026", "HSD 21/11/2027", "Đắk Lắk"]
)


def urls(count: int) -> list[str]:
    """Upper-case addresses with random serials, the same ones for every way."""
    import random

    dice = random.Random(1)
    stem = "HTTPS://LO.BINHLU.EXAMPLE/T/K7M4PQ/"
    return [stem + "".join(dice.choices(SERIALS, k=9)) for _ in range(count)]


def ours(count: int) -> dict[str, float]:
    """Make, and read back, with the print shop."""
    from nongso.labels import check, sheet
    from nongso.labels.layout import find
    from nongso.labels.sheet import Label

    layout = find("a4-3x8")
    labels = [Label(url, {"text": LINES}) for url in urls(count)]
    begun = time.perf_counter()
    pdf = sheet.pdf(sheet.make(labels, layout), layout, 1, "bench")
    made = time.perf_counter()
    check.check(pdf, [label.url for label in labels], layout)
    checked = time.perf_counter()
    return {
        "making_seconds": made - begun,
        "check_seconds": checked - made,
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

    import fontpkg  # type: ignore[import-untyped]
    import qrcode  # type: ignore[import-untyped]
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(str(fontpkg.path("Be Vietnam Pro", 400)), 33)
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


WAYS = {"ours, checked": ours, "ours, not checked": made_only, "plain": plain}


def run(way: str, count: int) -> dict[str, float]:
    """Run one way in a process of its own."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--labels", str(count), "--way", way],
        check=True,
        capture_output=True,
        text=True,
    )
    return {"seconds": time.perf_counter() - begun, **json.loads(done.stdout)}


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--labels", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        found = WAYS[given.way](given.labels)
        found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(found))
        return 0
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(given.runs):
        for way in WAYS:
            runs[way].append(run(way, given.labels))
    middle = {
        way: {name: median(one[name] for one in found) for name in found[0]}
        for way, found in runs.items()
    }
    print(f"{given.labels} labels, {given.runs} runs in turn, whole processes, medians")
    for way, found in middle.items():
        print(f"  {way:18}", "  ".join(f"{name} {value:.2f}" for name, value in found.items()))
    base = middle["plain"]
    for way in ("ours, checked", "ours, not checked"):
        faster = base["seconds"] / middle[way]["seconds"]
        memory = middle[way]["peak_mib"] / base["peak_mib"]
        print(f"  {way}: {faster:.1f} x as fast as plain, {memory:.3f} of its memory")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
