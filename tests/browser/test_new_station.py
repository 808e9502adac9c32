"""A station is let in on a phone of 360 px: by a scanned sticker, and without any script."""

import json
import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from office import Place
from phones import Server, log_in
from playwright.sync_api import Browser, Page, expect

BOARD = "0211aafffe000001"


def asked(place: Place) -> str:
    """The gateway takes the order from its poll; returns the order's id."""
    (order,) = [json.loads(one["body"]) for one in place.poll()]
    assert order["station"]["board"] == BOARD
    return str(order["id"])


def is_narrow(page: Page) -> bool:
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    return bool(page.evaluate(wide))


@pytest.mark.parametrize("script", [True, False])
def test_a_scanned_sticker_leads_to_a_code_and_to_the_first_reading(
    browser: Browser, server: Server, script: bool
) -> None:
    place = server.place
    place.poll()
    context = browser.new_context(
        base_url=server.url,
        viewport={"width": 360, "height": 740},
        java_script_enabled=script,
        locale="vi-VN",
    )
    context.set_default_timeout(15_000)
    page = context.new_page()
    log_in(page)
    page.goto(f"/tram/{BOARD}")
    page.click("text=Nhà màng Tân Bình 1")
    page.click("button:has-text('Khu 1')")
    page.wait_for_url("**/stations/claims/*")
    expect(page.locator("main")).to_contain_text("Đang hỏi tủ điều khiển")
    order, told = asked(place), {"claim": "WMWMW-WMWMW", "address": "192.168.1.10:8082"}
    until = int(time.time()) + 600
    place.outcome(order, "running", "claim_open", node="tb-03", until=until, **told)
    page.click("a:has-text('Xem lại')")
    expect(page.locator(".digits")).to_have_text("WMWMW-WMWMW")
    link = page.locator("a:has-text('Mở trang của trạm')")
    expect(link).to_have_attribute(
        "href", "http://192.168.4.1/?code=WMWMW-WMWMW&gateway=192.168.1.10:8082"
    )
    page.click("summary:has-text('Không thấy mạng này')")
    expect(page.locator("main")).to_contain_text("giữ nút BOOT")
    page.click("summary:has-text('Làm bằng điện thoại khác')")
    expect(page.locator("svg.qr")).to_be_visible()
    if script:
        assert is_narrow(page), "the widest code there can be"
        page.evaluate(Axe().axe_script)
        found = page.evaluate("axe.run()")
        assert [one["id"] for one in found["violations"]] == []
    done = {"node": "tb-03", "board": BOARD, "broker_told": True}
    place.outcome(order, "done", "station_admitted", **done)
    place.bring(place.readings(BOARD, ["soil_moisture", int(time.time()), 45.0, 0]))
    page.click("a:has-text('Xem lại')")
    expect(page.locator("main")).to_contain_text("Đã nhận được số đo của trạm tb-03")
    context.close()
