"""The wet test's page on a phone of 360 px: each step fits, offends nobody, goes on by itself."""

import re
from typing import Any

import pytest
from phones import Server
from playwright.sync_api import Browser, Page, expect
from test_every_page import look

PAGE = "/greenhouses/tan-binh-1/wet-test?zone=tan-binh-1-k1"
STEPS: dict[str, dict[str, Any]] = {
    "Bước 1: ra đứng cạnh van": {},
    "Bước 3: nhìn nước chảy": {"state": "open"},
    "Bước 4: xem nước đã ngừng chưa": {"state": "closing"},
    "Bước 5: đã nhìn thấy gì?": {"state": "asked"},
    "Thử nước xong: khu 1 tưới được.": {"state": "passed", "is_armed": True},
    "dây van trong tủ hoặc ống": {"state": "failed", "code": "saw_elsewhere"},
    "Xin thử lại.": {"state": "broken_off", "code": "stopped"},
}


@pytest.mark.parametrize("words", STEPS)
def test_each_step_fits_the_phone_and_offends_nobody(
    farmer: Page, server: Server, words: str
) -> None:
    server.place.tell_test(**STEPS[words])
    is_new = not STEPS[words]  # how the greenhouse's page looks then, no other test sees
    for path in (PAGE, *(["/greenhouses/tan-binh-1"] if is_new else [])):
        found = look(farmer, path)
        assert found.axe == {"light": [], "dark": [], "large": []}
        assert found.too_wide == {"as it is": [], "letters doubled": []}
    farmer.goto(PAGE)
    expect(farmer.locator("main")).to_contain_text(words.replace("khu 1", "khu\u00a01"))


def test_the_page_goes_from_step_to_step_without_a_press(farmer: Page, server: Server) -> None:
    server.place.tell_test(state="open")
    farmer.goto(PAGE)
    expect(farmer.get_by_role("heading", name="Bước 3: nhìn nước chảy")).to_be_visible()
    for state, words in (("asked", "Bước 5: đã nhìn thấy gì?"), ("failed", "Bước 2: mở van")):
        server.place.tell_test(state=state)
        farmer.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(farmer.get_by_role("heading", name=words)).to_be_visible()


def test_all_of_it_works_without_script(browser: Browser, server: Server) -> None:
    from phones import log_in

    context = browser.new_context(
        base_url=server.url, viewport={"width": 360, "height": 740}, java_script_enabled=False
    )
    page = context.new_page()
    log_in(page)
    server.place.tell_test()
    page.goto("/greenhouses/tan-binh-1")
    page.get_by_role("link", name="Thử nước").click()
    page.get_by_role("button", name=re.compile("Mở van")).click()
    server.place.tell_test(state="asked")
    page.goto(PAGE)
    page.get_by_role("button", name="Nước chảy đúng khu này, van đã đóng kín").click()
    expect(page.locator("#said")).to_be_visible()
    assert [c["signature"] for c in server.place.poll()]
    context.close()
