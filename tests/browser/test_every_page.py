"""Every page there is, as a browser paints it on a phone of 360 px: light, dark, letters doubled.

The list of pages is the application's own (every address that a GET finds), seen by whoever may
see it, in a farm with something everywhere. Each page is opened once and held against axe-core,
its width, its own scripts and, where java and vnu are there, the rules of HTML. The rules that
only look at the paint are asked again in the dark and with large letters.

``pytest tests/browser/test_every_page.py --shots FOLDER`` also takes pictures of all pages at 360
and 1280 px in both languages, to be looked at.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from filled import Filled, Seen
from phones import Server
from playwright.sync_api import Browser, BrowserContext, Page

from nongso.platform import accounts, csrf

PAINT = ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"]
WHOLE = {"resultTypes": ["violations"]}
PAINTED = {**WHOLE, "runOnly": {"type": "rule", "values": PAINT}}
LARGE = "document.documentElement.style.setProperty('font-size', '225%', 'important')"
TOO_WIDE = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) { return []; }
  return [...document.querySelectorAll('body *')]
    .filter(e => e.getBoundingClientRect().right > wide + 1 && !e.closest('.scroll, .skip'))
    .slice(0, 5).map(e => e.outerHTML.slice(0, 160));
}"""


@dataclass
class Findings:
    """What was found on one page, by where one looked."""

    axe: dict[str, list[str]] = field(default_factory=dict)
    too_wide: dict[str, list[str]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    html: str = ""


def axe(page: Page, options: dict[str, Any]) -> list[str]:
    """Return what axe-core objects to, with the element."""
    response = page.evaluate(f"axe.run({json.dumps(options)})")
    assert response["passes"], "axe-core looked at nothing"
    return [
        f"{one['id']}: {node['target']} {node['html'][:160]}"
        for one in response["violations"]
        for node in one["nodes"]
    ]


def look(page: Page, path: str) -> Findings:
    """Open one page and hold it against everything."""
    found = Findings()
    page.on("console", lambda m: found.said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: found.said.append(str(e)))
    answer = page.goto(path)
    assert answer is not None
    found.html = answer.text()
    page.evaluate(Axe().axe_script)
    found.axe["light"], found.too_wide["as it is"] = axe(page, WHOLE), page.evaluate(TOO_WIDE)
    page.emulate_media(color_scheme="dark")
    found.axe["dark"] = axe(page, PAINTED)
    page.emulate_media(color_scheme="light")
    page.evaluate(LARGE)
    found.axe["large"] = axe(page, PAINTED)
    found.too_wide["letters doubled"] = page.evaluate(TOO_WIDE)
    return found


def context_for(browser: Browser, farm: Filled, url: str, eyes: str, **how: Any) -> BrowserContext:
    """A browser with the log-in of one person."""
    context = browser.new_context(
        base_url=url,
        service_workers="block",
        locale="vi-VN",
        timezone_id="Asia/Ho_Chi_Minh",
        **how,
    )
    for name in (accounts.COOKIE, csrf.COOKIE):
        if cookie := farm.clients[eyes].get_cookie(name):
            context.add_cookies([{"name": name, "value": cookie.value, "url": url}])
    return context


@pytest.fixture(scope="module")
def farm_server(browser: Browser, module_server: Server) -> tuple[Filled, Server]:
    return Filled(module_server.place), module_server


@pytest.fixture(scope="module")
def looked(
    browser: Browser, farm_server: tuple[Filled, Server], request: pytest.FixtureRequest
) -> dict[str, Findings]:
    """Every page, looked at once."""
    farm, server = farm_server
    found = {}
    pages = farm.pages()
    for eyes in sorted({one.eyes for one in pages}):
        context = context_for(
            browser, farm, server.url, eyes, viewport={"width": 360, "height": 740}
        )
        for one in pages:
            if one.eyes == eyes:
                page = context.new_page()
                found[str(one)] = look(page, one.path)
                page.close()
        context.close()
    shots = request.config.getoption("--shots", default=None)
    if shots is not None:
        take_pictures(browser, farm, server.url, pages, Path(shots))
    return found


def take_pictures(
    browser: Browser, farm: Filled, url: str, pages: list[Seen], folder: Path
) -> None:
    """Take a picture of each page, narrow and wide, in both languages."""
    folder.mkdir(parents=True, exist_ok=True)
    for width in (360, 1280):
        for language in ("vi", "en"):
            for eyes in sorted({one.eyes for one in pages}):
                size = {"width": width, "height": 740}
                context = context_for(browser, farm, url, eyes, viewport=size)
                context.add_cookies([{"name": "nongso_language", "value": language, "url": url}])
                page = context.new_page()
                for one in pages:
                    if one.eyes == eyes:
                        page.goto(one.path)
                        name = re.sub(r"[^\w-]+", "_", f"{one.path}-{eyes}").strip("_")
                        file = folder / f"{name}-{width}-{language}.png"
                        page.screenshot(path=file, full_page=True)
                context.close()


def test_the_walk_sees_every_room(looked: dict[str, Findings]) -> None:
    assert len(looked) > 60
    for beginning in ("/ ", "/t/", "/alerts/", "/greenhouses/", "/people/", "/records/lots/"):
        assert any(one.startswith(beginning) for one in looked), beginning
    for name, found in looked.items():
        assert "<h1" in found.html, name


@pytest.mark.parametrize("paint", ["light", "dark", "large"])
def test_axe_objects_to_nothing(looked: dict[str, Findings], paint: str) -> None:
    assert {name: one.axe[paint] for name, one in looked.items() if one.axe[paint]} == {}


@pytest.mark.parametrize("letters", ["as it is", "letters doubled"])
def test_no_page_is_wider_than_the_phone(looked: dict[str, Findings], letters: str) -> None:
    wide = {name: one.too_wide[letters] for name, one in looked.items()}
    assert {name: what for name, what in wide.items() if what} == {}


def test_no_page_offends_its_own_rules_for_scripts_and_pictures(
    looked: dict[str, Findings],
) -> None:
    # A page that is not there says so in the browser's own words too.
    own = {
        n: [w for w in one.said if "the server responded" not in w] for n, one in looked.items()
    }
    assert {name: what for name, what in own.items() if what} == {}


def test_every_page_is_valid_html(looked: dict[str, Findings], tmp_path: Path) -> None:
    jar = os.environ.get("VNU_JAR", "/usr/share/java/vnu.jar")
    if shutil.which("java") is None or not Path(jar).exists():
        pytest.skip("the HTML checker is not here: java, and vnu.jar named by VNU_JAR")
    files = {}
    for number, (name, one) in enumerate(looked.items()):
        files[f"{number:03}.html"] = name
        (tmp_path / f"{number:03}.html").write_text(one.html)
    done = subprocess.run(
        ["java", "-jar", jar, "--format", "json", "--stdout", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    wrong = [
        (files[one["url"].rpartition("/")[2]], one["message"], one.get("extract", ""))
        for one in json.loads(done.stdout)["messages"]
        if one["type"] == "error" or one.get("subType") == "warning"
    ]
    assert wrong == []
