"""Draws the handbook's pictures: a running demo's pages as a phone of 360 px shows them, as SVG.

``make pictures`` while ``make demo`` runs. Debian's Chromium opens each page, prints what is to be
seen as a PDF of the same size, and ``pdftocairo`` (package poppler-utils) makes an SVG of it:
text that can be compared and no binary file. Letters become outlines, so that a picture looks
the same everywhere.

It acts on the demo (waters, writes diary lines, raises an alert), so use a fresh data folder.
Values and times differ from run to run, because the simulated farm lives; nothing in a picture
is a real person or farm.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyotp
from playwright.sync_api import Browser, Page, sync_playwright

WIDTH, HEIGHT = 360, 740
MOST_KILOBYTES = 150
HOUSE = "/greenhouses/tan-binh-1"
HERE = ZoneInfo("Asia/Ho_Chi_Minh")

# Shows only what matches, with all that holds it; then says where it ends, at most so far down.
# On a phone the button that stops everything stays at the lower edge; on paper it would not.
FRAME = """([only, most, spare]) => {
  const place = one => one.getBoundingClientRect();
  const found = only ? [...document.querySelectorAll(only)] : [];
  if (only) {
    if (found.length < only.split(',').length) throw new Error('not on the page: ' + only);
    const kept = new Set();
    for (const one of found) {
      one.querySelectorAll('*').forEach(part => kept.add(part));
      for (let up = one; up; up = up.parentElement) kept.add(up);
    }
    for (const one of document.querySelectorAll('body *'))
      if (!kept.has(one)) one.style.display = 'none';
  }
  const end = Math.ceil(only ? Math.max(...found.map(one => place(one).bottom)) + spare : most);
  for (const one of document.querySelectorAll('button')) one.style.overflowWrap = 'normal';
  const stop = document.querySelector('.stop-all');
  if (stop && !only) {
    document.body.append(stop);
    stop.style.cssText = `position:absolute; margin:0; left:16px; right:16px; bottom:auto; top:${
      end - place(stop).height - 14}px`;
  }
  return end;
}"""


def main() -> int:
    """Draw all pictures, or those that are named."""
    known = {draw.__name__: draw for draw in PICTURES}
    wanted = argparse.ArgumentParser(description="draw the handbook's pictures from a demo")
    wanted.add_argument("--data", type=Path, default=Path("nongso-data"), metavar="DIR")
    wanted.add_argument("--to", type=Path, default=Path("docs/pictures"), metavar="DIR")
    wanted.add_argument("name", nargs="*", choices=[*known, []], help="only these")
    said = wanted.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or shutil.which("pdftocairo") is None:
        print("Needed: apt install chromium poppler-utils", file=sys.stderr)
        return 1
    try:
        demo = json.loads((said.data / "demo.json").read_text())
    except (OSError, ValueError) as error:
        print(f"No running demo in {said.data}: {error}. Start it: make demo", file=sys.stderr)
        return 1
    said.to.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        studio = Studio(browser, demo, said.to)
        for name in said.name or known:
            known[name](studio)
        browser.close()
    return int(studio.is_too_big)


class Studio:
    """The phones of the demo's people, one each, and the way from a page to a file."""

    def __init__(self, browser: Browser, demo: dict[str, Any], folder: Path) -> None:
        self._browser, self._demo, self._folder = browser, demo, folder
        self._phones: dict[str, Page] = {}
        self.is_too_big = False

    def phone(self, role: str) -> Page:
        """The phone of somebody with this role (empty: a stranger), logged in."""
        if role in self._phones:
            return self._phones[role]
        context = self._browser.new_context(
            base_url=self._demo["url"],
            viewport={"width": WIDTH, "height": HEIGHT},
            is_mobile=True,
            has_touch=True,
            locale="vi-VN",
            timezone_id="Asia/Ho_Chi_Minh",
            color_scheme="light",
        )
        page = self._phones[role] = context.new_page()
        if role:
            account = self._demo["accounts"][role]
            page.goto("/login")
            page.fill("input[name=user]", account["user"])
            page.fill("input[name=password]", account["password"])
            page.click("main button")
            if "totp_secret" in account:
                page.fill("input[name=code]", pyotp.TOTP(account["totp_secret"]).now())
                page.click("main button >> nth=0")
            page.wait_for_url(lambda address: "/login" not in address)
        return page

    def take(
        self,
        page: Page,
        name: str,
        title: str,
        only: str = "",
        most: int = HEIGHT,
        spare: int = 36,
    ) -> None:
        """Make the picture of the screen, or only of what ``only`` selects in the page.

        ``spare`` is room below it: on paper some things are a little higher.
        """
        page.evaluate("scrollTo(0, 0)")
        page.emulate_media(media="screen", color_scheme="light")
        height = page.evaluate(FRAME, [only, most, spare])
        with tempfile.TemporaryDirectory() as folder:
            pdf, svg = Path(folder) / "page.pdf", Path(folder) / "page.svg"
            size = {"width": f"{WIDTH}px", "height": f"{height}px"}
            page.pdf(path=pdf, **size, page_ranges="1", print_background=True)
            subprocess.run(["pdftocairo", "-svg", pdf, svg], check=True)
            text = plainer(svg.read_text(), title, height)
        (self._folder / f"{name}.svg").write_text(text)
        size_kb = len(text.encode()) / 1000
        print(f"{name:12} {height:4} px  {size_kb:4.0f} kB")
        self.is_too_big |= size_kb > MOST_KILOBYTES


# --- from what pdftocairo writes to less of the same --------------------------------------------


def plainer(svg: str, title: str, height: int) -> str:
    """Write the SVG anew: shorter numbers and names, a title for those who do not see it."""
    svg = re.sub(r'<symbol[^>]* id="glyph(\d+)-(\d+)">\s*<path[^>]* d="([^"]*)"/>\s*</symbol>',
                 lambda m: f'<path id="g{m[1]}-{m[2]}" d="{m[3]}"/>', svg)  # fmt: skip
    svg = re.sub(r'xlink:href="#glyph', 'href="#g', svg)
    low = height * 0.75
    svg = re.sub(r'<path(?! id)(?![^>]*transform)[^>]* d="([^"]*)"/>',
                 lambda m: "" if _is_below(m[1], low) else m[0], svg)  # fmt: skip
    svg = re.sub(r'<use href="[^"]*" x="[^"]*" y="([^"]*)"/>',
                 lambda m: "" if float(m[1]) > low + 20 else m[0], svg)  # fmt: skip
    svg = re.sub(r' d="([^"]*)"', lambda m: f' d="{shorter_path(m[1])}"', svg)
    svg = re.sub(r"rgb\(([\d.]+)%,([\d.]+)%,([\d.]+)%\)", _colour, svg)
    svg = re.sub(r"(?<![\w#])-?\d+\.\d+", lambda m: _short(float(m[0])), svg)
    for usual in ("stroke:none;", "fill-rule:nonzero;", "fill-opacity:1;", "stroke-opacity:1;",
                  "stroke-miterlimit:10;", ' clip-rule="nonzero"'):  # fmt: skip
        svg = svg.replace(usual, "")
    svg = svg.replace(' style=""', "").replace(' style=" ', ' style="')
    svg = svg.replace(' style=""', "")
    svg = _fewer_clips(svg)
    for _depth in range(4):  # groups that hold nothing any more
        svg = re.sub(r"<g[^>]*>\s*</g>", "", svg)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{WIDTH}" height="{height}" viewBox="0 0 {_short(WIDTH * 0.75)} '
        f'{_short(height * 0.75)}" role="img">\n<title>{title}</title>\n'
    )
    svg = re.sub(r"<\?xml.*?<svg[^>]*>\s*", lambda _m: head, svg, count=1, flags=re.DOTALL)
    return re.sub(r"\s*\n\s*", "\n", svg)


def _fewer_clips(svg: str) -> str:
    """Keep one of the clips that are the same."""
    first: dict[str, str] = {}
    same: dict[str, str] = {}
    clip = re.compile(r'<clipPath id="(\w+)">(.*?)</clipPath>', re.DOTALL)
    for name, shape in clip.findall(svg):
        same[name] = first.setdefault(shape, name)
    svg = clip.sub(lambda m: m[0] if same[m[1]] == m[1] else "", svg)
    return re.sub(r"url\(#(clip\d+)\)", lambda m: f"url(#{same[m[1]]})", svg)


def shorter_path(path: str) -> str:
    """Write a path with steps from point to point instead of places on the page."""
    words = re.findall(r"[MLCZ]|-?[\d.]+", path)
    made: list[str] = []
    at = start = (0, 0)  # hundredths, as they were written: rounding never adds up
    position = 0
    while position < len(words):
        command = words[position]
        if command == "Z":
            made.append("z")
            at, position = start, position + 1
            continue
        count = 6 if command == "C" else 2
        numbers = [round(float(word) * 100) for word in words[position + 1 : position + 1 + count]]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        position += 1 + count
        if command == "M":
            if position < len(words):  # a move that draws nothing stands at each end
                made.append("M" + _row(points))
                start = points[0]
        else:
            steps = [(x - at[0], y - at[1]) for x, y in points]
            made.append(command.lower() + _row(steps))
        at = points[-1]
    return "".join(made)


def _is_below(path: str, low: float) -> bool:
    """Whether a path without a place of its own is drawn below the picture's end."""
    return all(float(y) > low for y in re.findall(r"[\d.]+ ([\d.]+)(?= [MLCZ])", path))


def _row(points: list[tuple[int, int]]) -> str:
    text = " ".join(_short(number / 100) for point in points for number in point)
    return text.replace(" -", "-")


def _short(number: float) -> str:
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def _colour(found: re.Match[str]) -> str:
    return "#" + "".join(f"{round(float(part) * 2.55):02x}" for part in found.groups())


# --- the pictures -------------------------------------------------------------------------------


def home(studio: Studio) -> None:
    page = studio.phone("farmer")
    page.goto("/greenhouses")
    studio.take(page, "home", "Trang Tất cả nhà màng trên điện thoại")


def greenhouse(studio: Studio) -> None:
    page = studio.phone("farmer")
    page.goto(HOUSE)
    studio.take(page, "greenhouse", "Trang của một nhà màng")


def refused(studio: Studio) -> None:
    """More minutes than the zone takes at once."""
    page = studio.phone("farmer")
    page.goto(HOUSE)
    page.click(f"{ZONE} summary >> nth=0")
    page.fill(f"{ZONE} input[name=other]", "90")
    page.click(f"{ZONE} button[value=other]")
    page.wait_for_load_state()
    studio.take(page, "refused", "Chưa tưới, và câu nói vì sao", only=ZONE)


def offline(studio: Studio) -> None:
    """A wish to water while the phone has no network."""
    page = studio.phone("farmer")
    page.goto(HOUSE)
    page.context.set_offline(True)
    page.click(f"{ZONE} button[name=minutes] >> nth=0")
    page.wait_for_selector("main [data-not-sent]:not([hidden]), main [role=alert]")
    studio.take(page, "offline", "Bấm tưới khi không có mạng", only=ZONE)
    page.context.set_offline(False)


def watering(studio: Studio) -> None:
    page = studio.phone("farmer")
    page.goto(HOUSE)
    page.click(f"{ZONE} button[name=minutes] >> nth=0")
    page.wait_for_selector(f"{ZONE} .badge.water", timeout=60_000)
    page.wait_for_timeout(20_000)  # until litres are counted
    page.goto(HOUSE)
    studio.take(page, "watering", "Khu đang tưới", only=f"{ZONE}, main > .stop-all")
    page.goto(HOUSE)
    page.click("main .stop-all button")
    page.wait_for_load_state()


def alerts(studio: Studio) -> None:
    """The limit of dry soil is set above what is measured, and back again."""
    page = studio.phone("clerk")
    rule = "/alerts/limits/greenhouse/tan-binh-1"
    page.goto(rule)
    page.click("#soil_dry summary")
    for name, value in (("off", "55"), ("on", "50"), ("hold", "0")):
        page.fill(f"#soil_dry input[name={name}]", value)
    page.click("#soil_dry button >> nth=0")
    farmer = studio.phone("farmer")
    for _ in range(60):
        farmer.goto("/alerts")
        if farmer.locator("[data-live=alerts] > .card").count():
            break
        farmer.wait_for_timeout(2000)
    farmer.wait_for_timeout(3000)  # the page has asked for what is new
    studio.take(
        farmer,
        "alerts",
        "Trang Cảnh báo",
        only=".top, h1, [data-live=alerts] > .card:first-of-type",
    )
    page.goto(rule)
    page.click("#soil_dry summary")
    page.click("#soil_dry button[name=reset]")


def diary(studio: Studio) -> None:
    page = studio.phone("farmer")
    for kind, fields in DIARY:
        page.goto(f"{HOUSE}/diary/new?kind={kind}")
        page.click("main form summary")
        for name, value in fields.items():
            page.fill(f"[name={name}]", value)
        page.click("main form button >> nth=0")
        page.wait_for_load_state()
    page.goto(f"{HOUSE}/diary")
    studio.take(page, "diary", "Sổ nhật ký của một nhà màng", most=1100)


def slip(studio: Studio) -> None:
    """The printed code of somebody new, who is nobody."""
    page = studio.phone("clerk")
    page.goto("/people")
    there = page.get_by_text(NEWCOMER, exact=True)
    if there.count():
        there.click()
    else:
        page.goto("/people/new")
        page.fill("[name=name]", NEWCOMER)
        page.select_option("[name=role]", "farmer")
    page.click("main form.column button >> nth=0")
    page.wait_for_selector(".slip")
    studio.take(page, "slip", "Giấy in mã vào cửa", only=".slip", spare=70)


def records(studio: Studio) -> None:
    page = studio.phone("clerk")
    page.goto("/records/")
    studio.take(page, "records", "Sổ sản xuất")


def labels(studio: Studio) -> None:
    page = studio.phone("clerk")
    page.goto("/records/")
    page.goto(f"/records/lots/{_packed(page)}/labels")
    studio.take(page, "labels", "In tem")


def shopper(studio: Studio) -> None:
    page = studio.phone("clerk")
    page.goto("/records/")
    code = _packed(page)
    page = studio.phone("")
    page.goto(f"/t/{code}")
    studio.take(page, "shopper", "Trang người mua thấy khi quét tem", most=900)


def overview(studio: Studio) -> None:
    page = studio.phone("officer")
    page.goto("/overview")
    studio.take(page, "overview", "Tổng quan của cán bộ xã", most=900)


def _packed(page: Page) -> str:
    """The code of the first packed lot in the book that is open."""
    return page.locator("table[aria-labelledby=packs] a.code").first.inner_text()


ZONE = ".zones section:first-child"
NEWCOMER = "Người mới (tập dùng)"
DIARY: tuple[tuple[str, dict[str, str]], ...] = (
    ("planted", {"crop": "Rau cải", "day": f"{datetime.now(HERE) - timedelta(days=20):%Y-%m-%d}"}),
    ("fertilised", {"product": "Phân hữu cơ", "amount": "20"}),
    ("sprayed", {"product": "Thuốc trừ sâu sinh học", "interval_days": "3"}),
    ("pruned", {"note": "Tỉa lá già ở hai luống đầu"}),
)
PICTURES: tuple[Callable[[Studio], None], ...] = (
    home, greenhouse, refused, offline, watering, alerts, diary, slip, records, labels, shopper,
    overview,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
