"""Debian's Chromium as an old phone, before a real server with a farm in it."""

import contextlib
import gc
import signal
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from greenlet import greenlet
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

sys.path.insert(0, str(Path(__file__).parent))  # pytest's importlib mode does not do it
sys.path.insert(0, str(Path(__file__).parents[1] / "platform"))

import migrated
from chromium import CHROMIUM, kill_browsers, started
from office import open_place
from phones import PHONE, Server, log_in, until, worker_at_work

from nongso.platform.greenhouse import commands
from nongso.platform.settings import Settings

SECONDS_TO_FAIL = 20  # once its browser is gone
expect.set_options(timeout=20_000)  # a phone tries again some seconds after a network is back


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shots", help="folder for pictures of every page")


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """End the browser of a test that has waited too long: some calls of Playwright have no limit.

    The calls then fail, so the test does, and says where it stood. What is raised inside of such a
    call instead would leave Playwright turning for ever. A test that waits for something else ends
    as any other.
    """

    def impatient(*_: object) -> None:
        for one in gc.get_objects():
            if isinstance(one, greenlet) and one.gr_frame is not None:
                traceback.print_stack(one.gr_frame)
        kill_browsers()
        signal.signal(signal.SIGALRM, before)
        signal.alarm(SECONDS_TO_FAIL)

    before = signal.signal(signal.SIGALRM, impatient)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    with sync_playwright() as driving:
        yield driving


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with started(playwright) as running:
        yield running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "platform") as running:
        running.place.configure()
        yield running


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for tests that only look."""
    with serving(tmp_path_factory.mktemp("looked at") / "platform") as running:
        yield running


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """A platform with its people, served on a port of its own."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(commands, "ANSWER_SECONDS", 0.05)
        settings = Settings(folder=folder, secret="0123456789abcdef" * 4)
        migrated.lay_down(settings)
        place = open_place(settings)
        running = Server(place)
        yield running
        running.close()
        place.close()


@pytest.fixture
def phone(browser: Browser, server: Server) -> Iterator[BrowserContext]:
    """A phone of 360 px that knows nothing yet."""
    context = browser.new_context(base_url=server.url, **PHONE)
    context.set_default_timeout(15_000)
    yield context
    context.close()


@pytest.fixture
def farmer(phone: BrowserContext) -> Page:
    """A farmer's phone, logged in, with its service worker at work and its pages kept."""
    page = phone.new_page()
    log_in(page)
    worker_at_work(page)
    until(page, "localStorage.getItem('kept-farmer')")
    page.reload()
    return page
