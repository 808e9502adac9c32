"""How fast a scanned label's page is, from our server alone and behind nginx with its cache.

One run, in turn, everything on this machine with two cores, ``wrk`` with 32 connections, while a
gateway brings 1,000 readings a second: the same bytes from a bare uvicorn (the same loop and
parser, no application), one lot's page, the pages of many lots one after the other, a page that
the phone has already (304), the page of one pack and those of many, which are counted and never
kept; what a pack's page costs is told as a part of its lot's. Then the page behind nginx with the
configuration of ``docs/nginx.md`` against the same bytes from a file by the same nginx. Needs
``wrk``; the last part needs ``nginx`` (on Debian: nginx-light).
"""

import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import page
import servers

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests" / "traceability"))
sys.path.append(str(ROOT / "tests" / "platform"))

CONNECTIONS = 32
LOT, PACK = "a lot's page", "the page of one pack"
LEAST_A_SECOND = 4000
MOST_MILLISECONDS = 30.0
LEAST_OF_A_FILE = 0.75
PHONE = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "vi-VN,vi;q=0.9",
    "Sec-Fetch-Site": "none",
    "User-Agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/130 Mobile",
}


def serve_bare(port: int, file: Path) -> None:
    """Answer everything with the bytes of a file; what uvicorn can do at most."""
    import uvicorn

    body = file.read_bytes()
    headers = [(b"content-type", b"text/html"), (b"content-length", str(len(body)).encode())]

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(
        answer, port=port, loop="uvloop", http="httptools", access_log=False, log_level="critical"
    )


def pack_lots(file: Path, count: int) -> tuple[list[str], list[str]]:
    """Pack lots with two labels each; return the addresses of their pages and of their packs."""
    import cooperative

    from nongso.platform import settings as settings_of
    from nongso.platform.store import Records
    from nongso.platform.traceability.labelling import issuing as labelling

    settings = settings_of.load(file)
    farm = cooperative.Farm(settings, Records.of(settings))
    product = farm.product(name="Miến dong")
    codes = [farm.packed(20, product=product).code for _ in range(count)]
    for code in codes:
        farm.do(labelling.issue, labelling.Wish(code, 2), {"text": "Miến"})
    with farm.records.session() as session:
        labels = session.query(labelling.LabelCode.lot, labelling.LabelCode.serial).all()
    farm.records.close()
    return [f"/t/{code}" for code in codes], [f"/t/{lot}/{serial}" for lot, serial in labels]


def fetch(url: str, **more: str) -> tuple[bytes, Any]:
    """Return the bytes of an answer as they came, and its headers."""
    packed = {} if url.endswith("/healthz") else PHONE
    asked = urllib.request.Request(url, headers={**packed, **more})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return answer.read(), answer.headers


def wrk(url: str, seconds: int, script: str, folder: Path) -> tuple[float, float]:
    """Return requests a second and the 99th percentile in milliseconds."""
    file = folder / "load.lua"
    file.write_text(script)
    words = ["wrk", "--latency", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(file), url]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    rate, late = (
        re.search(r"Requests/sec:\s+([\d.]+)", said),
        re.search(r"99%\s+([\d.]+)(\w+)", said),
    )
    assert rate is not None, said
    assert late is not None, said
    return float(rate[1]), float(late[1]) * {"us": 0.001, "ms": 1, "s": 1000}[late[2]]


def phone(paths: list[str], **more: str) -> str:
    """Write for wrk what a phone sends, to each of the paths in turn."""
    headers = "".join(f'["{name}"]="{text}",' for name, text in {**PHONE, **more}.items())
    listed = ",".join(f'"{path}"' for path in paths)
    return (
        f"local paths = {{{listed}}}\nlocal headers = {{{headers}}}\n"
        "local n, made = 0, {}\n"
        "init = function()\n"
        "for i, path in ipairs(paths) do made[i] = wrk.format('GET', path, headers) end\n"
        "end\n"
        "request = function() n = n % #made + 1; return made[n] end\n"
    )


@contextlib.contextmanager
def nginx(folder: Path, port: int, upstream: int, file: Path) -> Iterator[None]:
    """Run nginx with the documented cache, and a file of the same bytes beside it."""
    manual = (ROOT / "docs" / "nginx.md").read_text(encoding="utf-8")
    cache, site = re.findall(r"```nginx\n(.*?)```", manual, re.S)[:2]
    home = folder / "nginx"
    folder.chmod(0o755)  # its workers are nobody
    (home / "files").mkdir(parents=True)
    shutil.copy(file, home / "files" / "page.html")
    site = re.sub(r"listen .*?;", f"listen 127.0.0.1:{port};", site, count=1)
    site = "\n".join(line for line in site.splitlines() if "ssl_" not in line)
    cache = cache.replace("127.0.0.1:8080", f"127.0.0.1:{upstream}")
    at = site.rindex("}")
    site = site[:at] + f"location = /page.html {{ root {home}/files; }}\n}}\n"
    text = (
        f"pid {home}/pid; error_log {home}/error.log; worker_processes 1; daemon off;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; client_body_temp_path {home}/body;\n"
        f"proxy_temp_path {home}/temp; default_type text/html;\n"
        "sendfile on; tcp_nopush on; keepalive_requests 1000000;\n"
        + cache.replace("/var/cache/nginx/nongso", f"{home}/cache")
        + site
        + "}\n"
    )
    (home / "nginx.conf").write_text(text)
    words = ["nginx", "-p", str(home), "-c", str(home / "nginx.conf"), "-e", f"{home}/error.log"]
    process = subprocess.Popen(words)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                fetch(f"http://127.0.0.1:{port}/page.html")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit((home / "error.log").read_text()) from None
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


def measure(folder: Path, runs: int, seconds: int, lots: int) -> int:
    """Measure everything and print it; 1 when a promise is broken."""
    port, bare_port, front_port = page.free_port(), page.free_port(), page.free_port()
    house = page.prepare_platform(folder, port)
    paths, packs = pack_lots(house["file"], lots)
    url, bare_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{bare_port}"
    words = ["-m", "nongso.commands", "platform", "run", "--settings", str(house["file"])]
    found: dict[str, list[tuple[float, float]]] = {}
    with contextlib.ExitStack() as running:
        running.enter_context(page.server(words, url + "/healthz", folder))
        while json.loads(fetch(url + "/healthz")[0])["log"]["waiting_events"]:
            time.sleep(0.5)  # what was packed just now is being signed, which is news to its page
        body, headers = fetch(url + paths[0])
        file = folder / "page.html"
        file.write_bytes(body)
        bare = [__file__, "--bare", str(bare_port), "--file", str(file)]
        running.enter_context(page.server(bare, bare_url, folder))
        loads = {
            "bare uvicorn, the same bytes": (bare_url, phone(paths[:1])),
            LOT: (url, phone(paths[:1])),
            f"the pages of {lots} lots in turn": (url, phone(paths)),
            "a page that the phone has (304)": (
                url,
                phone(paths[:1], **{"If-None-Match": headers["ETag"].replace('"', '\\"')}),
            ),
            "the shopper's first page": (url, phone(["/"])),
            PACK: (url, phone(packs[:1])),
            f"the pages of {len(packs)} packs in turn": (url, phone(packs)),
        }
        print(f"a lot's page: {len(body)} bytes packed, {CONNECTIONS} connections")
        gateway, start = page.Gateway(port), int(time.time()) - 86400 * 20
        gateway._row = start
        gateway.bring({"kind": "configuration", "configuration": page.configuration()})
        for _ in range(runs):
            for name, (address, script) in loads.items():
                wrk(address, 1, script, folder)
                with servers.readings(gateway, start) as brought:
                    began = time.monotonic()
                    found.setdefault(name, []).append(wrk(address, seconds, script, folder))
                    spent = time.monotonic() - began
                start += 40_000
                rate, late = found[name][-1]
                print(
                    f"  {name:32} {rate:7.0f}/s  99 % within {late:6.2f} ms"
                    f"  ({brought[0] / spent:.0f} readings/s came in)",
                    flush=True,
                )
        if shutil.which("nginx"):
            running.enter_context(nginx(folder, front_port, port, file))
            front = f"http://127.0.0.1:{front_port}"
            for _ in range(runs):
                for name, path in (
                    ("nginx, a file", "/page.html"),
                    ("nginx, its cache", paths[0]),
                ):
                    wrk(front, 1, phone([path]), folder)
                    found.setdefault(name, []).append(wrk(front, seconds, phone([path]), folder))
        else:
            print("nginx is not installed (on Debian: apt install nginx-light); left out")
    middle = {
        name: (median(r for r, _ in some), median(ms for _, ms in some))
        for name, some in found.items()
    }
    print(f"median of {runs}")
    most = middle["bare uvicorn, the same bytes"][0]
    for name, (rate, late) in middle.items():
        print(f"  {name:32} {rate:7.0f}/s  99 % within {late:6.2f} ms  {rate / most:.2f} x bare")
    rate, late = middle[PACK]
    part = rate / middle[LOT][0]
    print(f"  a pack's page: {rate:.0f}/s, 99 % within {late:.1f} ms, {part:.2f} of its lot's")
    rate, late = middle[LOT]
    kept = [rate >= LEAST_A_SECOND and late <= MOST_MILLISECONDS]
    print(
        f"  promised: {LEAST_A_SECOND}/s, 99 % within {MOST_MILLISECONDS:.0f} ms {_met(kept[0])}"
    )
    if "nginx, a file" in middle:
        ratio = middle["nginx, its cache"][0] / middle["nginx, a file"][0]
        kept.append(ratio >= LEAST_OF_A_FILE)
        print(f"  promised behind nginx: {LEAST_OF_A_FILE} of a file; {ratio:.2f} {_met(kept[1])}")
    return 0 if all(kept) else 1


def _met(kept: bool) -> str:
    return "kept" if kept else "NOT KEPT"


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--lots", type=int, default=200)
    for hidden in ("--bare", "--file"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.bare:
        serve_bare(int(given.bare), Path(given.file))
        return 0
    if not shutil.which("wrk"):
        print("wrk is not installed (on Debian: apt install wrk); nothing is measured")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), given.runs, given.seconds, given.lots)


if __name__ == "__main__":
    sys.exit(main())
