"""A server that a browser can reach, and how one logs in on it."""

import threading

from office import PASSWORD, Place
from playwright.sync_api import Page

from nongso.platform import listening, serving
from nongso.platform.app import own_headers

PHONE = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
    "locale": "vi-VN",
    "timezone_id": "Asia/Ho_Chi_Minh",
}


class Server:
    """The platform on a port of its own, under the server that it really runs under."""

    def __init__(self, place: Place) -> None:
        self.place = place
        sockets = listening.listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
        headers = own_headers(place.settings)
        self._server = serving.Server(
            place.app, sockets, headers, threads=6, most_body=9 * 1024 * 1024
        )
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._server.end()
        self._thread.join(20)


def log_in(page: Page, user: str = "farmer") -> None:
    page.goto("/login")
    page.fill("input[name=user]", user)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for_url("**/greenhouses")


def worker_at_work(page: Page) -> None:
    """Wait for the page's service worker; if its files did not all come, visit again."""
    for _ in range(3):
        try:
            until(page, "navigator.serviceWorker.getRegistration().then(one => !!one?.active)")
        except AssertionError:
            page.reload()
        else:
            return
    raise AssertionError("the service worker was not installed in three visits")


def until(page: Page, expression: str) -> None:
    """Wait for something in the page to be true; the pages' own rules forbid ``eval`` there."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within 15 s: {expression}")
