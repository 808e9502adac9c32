"""The picture of a layout follows what a clerk types."""

import time

import pytest
from phones import Server, until
from playwright.sync_api import BrowserContext

from nongso.platform import accounts, csrf
from nongso.platform.traceability import demo

pytestmark = pytest.mark.walk

DRAWN = "document.querySelectorAll('[data-preview] .cell').length"


def test_the_picture_follows_what_is_typed_and_says_what_is_wrong(
    phone: BrowserContext, server: Server
) -> None:
    demo.lay_down(server.place.settings, int(time.time()))
    clerk = server.place.client("clerk")
    for name in (accounts.COOKIE, csrf.COOKIE):
        if cookie := clerk.get_cookie(name):
            phone.add_cookies([{"name": name, "value": cookie.value, "url": server.url}])
    page = phone.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.goto("/records/layouts/new?begin=a4-2x7")
    assert page.evaluate(DRAWN) == 14
    page.fill("#rows", "3")
    until(page, f"{DRAWN} === 6")
    page.fill("#rows", "30")
    until(page, "document.querySelector('[data-preview]').textContent.includes('không nằm gọn')")
    page.fill("#rows", "7")
    until(page, f"{DRAWN} === 14")
    assert page.input_value("#rows") == "7", "what is typed is left alone"
    assert [said for said in complaints if "422" not in said] == []
    page.fill("#title", "Tem chợ")
    page.click("button[value=keep]")
    page.wait_for_url("**/records/layouts")
    assert "Tem chợ: 14 tem" in page.inner_text("main")
