"""What an old phone on a poor network gets: bytes, requests, and the first useful screen.

Debian's Chromium at 360 px opens log-in, home and greenhouse of a real server (two greenhouses,
a day of readings), with nothing kept from before: once freely, to weigh everything that comes
over the line, and some times at 64 kbit/s with 600 ms to the server and back (the browser's own
emulation; it delays each request, so the hands shaken before the first one, 600 ms more, are
added). The first useful screen is the largest painted thing (LCP): on these pages the state of
the greenhouses or the form, in the first 740 px. What the service worker fetches afterwards, once,
for times without network is weighed apart.

Lighthouse of the same pages is done by hand, because it needs npm: start the server with
``--serve`` (it prints address and cookie), write ``{"Cookie": "…"}`` into headers.json, then ::

    CHROME_PATH=$(which chromium) npx lighthouse URL --extra-headers=headers.json \\
        --chrome-flags="--headless --no-sandbox" \\
        --only-categories=performance,accessibility,best-practices
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from page import MOST_BYTES, Gateway, configuration, free_port, log_in, prepare_platform, server
from playwright.sync_api import Browser, sync_playwright

PAGES = {"log-in": "/login", "home": "/greenhouses", "greenhouse": "/greenhouses/h-1"}
BITS_PER_SECOND, ROUND_TRIP_MS = 64_000, 600
MOST_REQUESTS, MOST_SECONDS = 5, 5.0
PAINTED = """() => new Promise(done => {
  new PerformanceObserver(list => {
    const last = list.getEntries().at(-1);
    const first = performance.getEntriesByName('first-contentful-paint')[0];
    done([first.startTime / 1000, last.startTime / 1000]);
  }).observe({type: 'largest-contentful-paint', buffered: true});
})"""


@dataclass
class Visit:
    """What came over the line until the page was still, and when it could be seen."""

    requests: int
    bytes_: int
    first_seconds: float
    useful_seconds: float


def visit(browser: Browser, url: str, cookie: str, *, slow: bool, worker: bool = False) -> Visit:
    """Open one page with an empty cache."""
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        device_scale_factor=2,
        is_mobile=True,
        has_touch=True,
        service_workers="allow" if worker else "block",
    )
    if cookie:
        name, _, value = cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "url": url}])
    page = context.new_page()
    line = context.new_cdp_session(page)
    line.send("Network.enable")
    came: dict[str, int] = {}

    def finished(event: dict[str, Any]) -> None:
        came[event["requestId"]] = int(event["encodedDataLength"])

    line.on("Network.loadingFinished", finished)
    if slow:
        line.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": ROUND_TRIP_MS,
                "downloadThroughput": BITS_PER_SECOND / 8,
                "uploadThroughput": BITS_PER_SECOND / 8,
            },
        )
    page.goto(url, wait_until="load", timeout=120_000)
    first, largest = page.evaluate(PAINTED)
    page.wait_for_load_state("networkidle", timeout=120_000)
    over = {key: size for key, size in came.items() if size}  # what is in the page costs nothing
    hands = ROUND_TRIP_MS / 1000 if slow else 0.0
    found = Visit(len(over), sum(over.values()), first + hands, largest + hands)
    context.close()
    return found


def kept_for_later(browser: Browser, url: str, cookie: str) -> tuple[int, int]:
    """Return requests and bytes of what the service worker fetches on the first visit."""
    context = browser.new_context(viewport={"width": 360, "height": 740})
    name, _, value = cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": url}])
    page = context.new_page()
    seen: list[int] = []
    context.on(
        "requestfinished",
        lambda r: seen.append(_size(r)) if r.service_worker is not None else None,
    )
    page.goto(url)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.wait_for_load_state("networkidle")
    deadline = time.monotonic() + 5
    while not seen and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    context.close()
    return len(seen), sum(seen)


def _size(request: Any) -> int:
    sizes = request.sizes()
    return int(sizes["responseBodySize"] + sizes["responseHeadersSize"])


def measure(folder: Path, runs: int, serve: bool) -> int:
    """Measure everything and print it; return 1 when a promise is broken."""
    port = free_port()
    house = prepare_platform(folder, port)
    words = ["-m", "nongso.commands", "platform", "run", "--settings", str(house["file"])]
    base = f"http://127.0.0.1:{port}"
    with server(words, base + "/healthz", folder), sync_playwright() as playwright:
        gateway, now = Gateway(port), int(time.time())
        gateway.bring({"kind": "configuration", "configuration": configuration()})
        gateway.bring(*[row for n in range(0, 86400, 300) for row in gateway.readings(now - n)])
        cookie = log_in(port, house["accounts"]["farmer"])
        if serve:
            print(json.dumps({"url": base, "cookie": cookie}), flush=True)
            sys.stdin.read()
            return 0
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        if chromium is None:
            print("Chromium is not installed (apt install chromium); nothing is measured.")
            return 0
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        kept = True
        print(
            f"{'page':12}{'requests':>9}{'bytes':>8}"
            f"   at {BITS_PER_SECOND // 1000} kbit/s, {ROUND_TRIP_MS} ms: "
            "first paint, first useful screen"
        )
        for name, path in PAGES.items():
            own = "" if name == "log-in" else cookie
            free = visit(browser, base + path, own, slow=False)
            slow = [visit(browser, base + path, own, slow=True) for _ in range(runs)]
            first = median(one.first_seconds for one in slow)
            useful = [one.useful_seconds for one in slow]
            print(
                f"{name:12}{free.requests:9}{free.bytes_:8}   {first:17.1f} s"
                f"{median(useful):19.1f} s ({min(useful):.1f}..{max(useful):.1f})"
            )
            kept &= free.requests <= MOST_REQUESTS and free.bytes_ <= MOST_BYTES
            kept &= median(useful) <= MOST_SECONDS
        count, size = kept_for_later(browser, base + PAGES["home"], cookie)
        print(f"afterwards, once, for times without network: {size} bytes in {count} requests")
        browser.close()
    print(
        f"promised: {MOST_REQUESTS} requests, {MOST_BYTES} bytes, {MOST_SECONDS:.0f} s: "
        + ("kept" if kept else "NOT KEPT")
    )
    return 0 if kept else 1


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help="only serve, until stdin ends")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), given.runs, given.serve)


if __name__ == "__main__":
    raise SystemExit(main())
