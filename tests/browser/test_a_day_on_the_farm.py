"""A day on a running farm, done by hand on phones of 360 px: nothing is called, all is pressed.

One ``nongso up`` with its simulated boards and valves; the relay board's own log says what the
water really did. The phones reach it over a road that can be cut while a form is on its way.
"""

import io
import re
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zxingcpp
from chromium import started
from phones import worker_at_work
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, expect
from road import Cut, Road

from nongso.platform import second_factor
from running import System, end, free_port, start, until

pytestmark = pytest.mark.walk

HOUSE, OTHER_HOUSE = "tan-binh-1", "hung-binh-1"
COILS = {"tan-binh-1-k1": 0, "tan-binh-1-k2": 1, "hung-binh-1-k1": 2, "hung-binh-1-k2": 3}
LIVE = 40_000  # a page asks anew every 15 s, on a machine that is busy with other tests
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "is_mobile": True,
    "has_touch": True,
    "locale": "vi-VN",
    "timezone_id": "Asia/Ho_Chi_Minh",
}
NewPhone = Callable[..., Page]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    running = start(tmp_path_factory.mktemp("farm") / "data", free_port())
    yield running
    if running.process.poll() is None:
        end(running)


@pytest.fixture(scope="module")
def road(system: System) -> Iterator[Road]:
    made = Road(int(system.demo["url"].rpartition(":")[2]))
    yield made
    made.close()


@pytest.fixture(scope="module")
def kept_log_ins() -> dict[str, Any]:
    return {}


@pytest.fixture
def browser(playwright: Playwright) -> Iterator[Browser]:
    """One for each test: its phones need not be closed, which may wait for ever (``started``)."""
    with started(playwright) as running:
        yield running


@pytest.fixture
def new_phone(
    browser: Browser, system: System, road: Road, kept_log_ins: dict[str, Any]
) -> NewPhone:
    """Make a phone, logged in as one of the farm's people or as nobody yet."""

    def make(role: str = "", **how: Any) -> Page:
        kept = kept_log_ins.get(role) if role else None
        context = browser.new_context(base_url=road.url, storage_state=kept, **PHONE, **how)
        context.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        page = context.new_page()
        if role and kept is None:
            log_in(page, system, role)
            kept_log_ins[role] = context.storage_state()
        return page

    return make


@pytest.fixture(autouse=True)
def quiet_farm(system: System, road: Road) -> Iterator[None]:
    """No water runs before or after a test."""
    yield
    until("a stop", lambda: system.ask("/api/v1/stop", {"id": str(uuid.uuid4())})[0] in (200, 202))
    for coil in COILS.values():
        until(f"coil {coil} at rest", lambda coil=coil: not system.is_open(coil))


def log_in(page: Page, system: System, role: str) -> None:
    """Log in with the keyboard; a clerk types the six digits of the second factor too."""
    account = system.demo["accounts"][role]
    page.goto("/login")
    page.get_by_label("Tên đăng nhập").fill(account["user"])
    page.get_by_label("Mật khẩu hoặc mã PIN").fill(account["password"])
    page.get_by_role("button", name="Đăng nhập").click()
    if "totp_secret" in account:
        page.wait_for_url("**/login/second")
        code = second_factor.code(account["totp_secret"], int(time.time()))
        page.get_by_label("Mã xác nhận").fill(code)
        page.get_by_role("button", name="Vào", exact=True).click()
    page.wait_for_url(re.compile("/(greenhouses|records/?)$"))


def zone(page: Page, zone_id: str) -> Locator:
    """The card of one zone on the greenhouse's page."""
    return page.locator(f"section[aria-labelledby='{zone_id}']")


def openings(system: System, zone_id: str, since: float) -> int:
    """How often the relay opened the zone's valve since a time, by its own log."""
    return sum(1 for e in system.edges(COILS[zone_id]) if e["on"] and e["at"] >= since)


def runs(system: System, zone_id: str, since: float) -> list[dict[str, Any]]:
    """Waterings that people asked for, as the platform tells them."""
    _status, answer = system.ask(f"/api/v1/zones/{zone_id}/runs?since={int(since)}")
    return [run for run in answer["runs"] if run.get("by") and not run.get("refused")]


def house(page: Page, slug: str = HOUSE) -> Page:
    page.goto(f"/greenhouses/{slug}")
    return page


def press(page: Page, button: Locator) -> None:
    """Press and wait for the answer: who goes on at once may meet it on the way."""
    button.click()
    expect(page.locator("#said")).to_be_visible()


def ready_without_network(page: Page) -> None:
    """Open the home page until its service worker is at work."""
    page.goto("/greenhouses")
    worker_at_work(page)
    page.reload()


# --- coming in ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["scans the picture", "types the six digits"])
def test_a_new_farmer_comes_in_with_the_printed_code(new_phone: NewPhone, how: str) -> None:
    desk, name = new_phone("clerk"), "Trồng " + how.split()[0]
    desk.goto("/people")
    desk.get_by_role("link", name="Thêm người").click()
    desk.get_by_label("Họ và tên").fill(name)
    desk.get_by_label("Vai trò").select_option("farmer")
    desk.get_by_role("button", name="Thêm và in mã vào cửa").click()
    expect(desk.locator("h1")).to_have_text(f"Mã vào cửa của {name}")
    phone = new_phone()
    if how == "scans the picture":
        picture = Image.open(io.BytesIO(desk.locator(".qr-here").screenshot()))
        (code,) = zxingcpp.read_barcodes(picture)
        phone.goto("/enter/" + code.text.rpartition("/enter/")[2])
        expect(phone.locator("h1")).to_have_text(f"Chào {name}")
    else:
        user = desk.locator(".slip li b").first.inner_text()
        phone.goto("/login")
        phone.get_by_role("link", name="Có mã vào cửa in trên giấy?").click()
        phone.get_by_label("Tên đăng nhập").fill(user)
        phone.get_by_label("Mã 6 số trên giấy").fill(desk.locator(".digits").inner_text())
    phone.get_by_label(re.compile("^Mã PIN mới")).fill("271828")
    phone.get_by_label("Nhập lại lần nữa").fill("271828")
    phone.get_by_role("button", name="Vào", exact=True).click()
    phone.wait_for_url("**/greenhouses")
    expect(phone.locator("article.house")).to_have_count(2)
    for card in phone.locator("article.house").all():
        expect(card.locator("header")).to_contain_text(
            re.compile("Bình thường|Cần chú ý|Khẩn cấp|Mất tín hiệu")
        )


# --- water --------------------------------------------------------------------------------------


def test_water_and_stop_are_seen_on_a_second_phone_without_asking_again(
    new_phone: NewPhone, system: System
) -> None:
    here, there, zone_id = new_phone("farmer"), new_phone("clerk"), "tan-binh-1-k1"
    house(there).evaluate("window.still = 'the same page'")
    zone(house(here), zone_id).get_by_role("button", name="Tưới 5 phút").click()
    expect(here.locator("#said")).to_contain_text(re.compile("Đang tưới|sẽ tưới|Nước"))
    until("the water", lambda: system.is_open(COILS[zone_id]))
    expect(zone(here, zone_id).locator(".badge.water")).to_be_visible(timeout=LIVE)
    expect(zone(there, zone_id).locator(".badge.water")).to_be_visible(timeout=LIVE)
    zone(here, zone_id).get_by_role("button", name=re.compile("^Dừng tưới")).click()
    until("the end of the water", lambda: not system.is_open(COILS[zone_id]))
    expect(zone(here, zone_id).locator(".badge.water")).to_have_count(0, timeout=LIVE)
    expect(zone(there, zone_id).locator(".badge.water")).to_have_count(0, timeout=LIVE)
    assert there.evaluate("window.still") == "the same page"


def test_without_script_one_sees_waters_stops_and_writes(
    new_phone: NewPhone, system: System
) -> None:
    zone_id = "tan-binh-1-k2"
    new_phone("farmer")
    page = new_phone("farmer", java_script_enabled=False)
    page.goto("/greenhouses")
    expect(page.locator("article.house")).to_have_count(2)
    page.get_by_role("link", name="Nhà màng Tân Bình 1", exact=True).click()
    zone(page, zone_id).get_by_role("button", name="Tưới 5 phút").click()
    until("the water", lambda: system.is_open(COILS[zone_id]))
    house(page)
    expect(zone(page, zone_id).locator(".badge.water")).to_be_visible()
    page.get_by_role("button", name="Dừng tất cả").click()
    until("the end of the water", lambda: not system.is_open(COILS[zone_id]))
    expect(page.locator("#said")).to_contain_text(re.compile("[Dd]ừng"))
    house(page)
    expect(zone(page, zone_id).locator(".badge.water")).to_have_count(0)
    page.get_by_role("link", name="Nhật ký", exact=True).click()
    page.get_by_role("link", name="Ghi chú", exact=True).click()
    page.get_by_label("Ghi chú").fill("Viết không cần script")
    page.get_by_role("button", name="Ghi", exact=True).click()
    expect(page.locator("#written")).to_have_text("Đã ghi.")
    expect(page.locator(".diary")).to_contain_text("Viết không cần script")


def test_the_pages_speak_the_other_language_at_one_tap(new_phone: NewPhone) -> None:
    page = house(new_phone("farmer"))
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("button", name="Stop everything")).to_be_visible()
    page.get_by_role("link", name="Tiếng Việt").click()
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    expect(page.get_by_role("button", name="Dừng tất cả")).to_be_visible()


# --- the network is cut while a form is on its way ---------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_water_whose_order_or_answer_is_lost_runs_at_most_once_and_the_page_does_not_guess(
    new_phone: NewPhone, system: System, road: Road, when: Cut
) -> None:
    page, zone_id = new_phone("farmer"), f"hung-binh-1-k{1 if when == 'before' else 2}"
    ready_without_network(page)
    since = time.time()
    zone(house(page, OTHER_HOUSE), zone_id).get_by_role("button", name="Tưới 5 phút")
    with road.cut(when):
        zone(page, zone_id).get_by_role("button", name="Tưới 5 phút").click()
        expect(page.locator("main")).to_contain_text("chưa biết lệnh đã đến chưa")
    house(page, OTHER_HOUSE)
    if when == "before":
        assert openings(system, zone_id, since) == 0
        press(page, zone(page, zone_id).get_by_role("button", name="Tưới 5 phút"))
    until("the water", lambda: system.is_open(COILS[zone_id]))
    page.goto(f"/greenhouses/{OTHER_HOUSE}")
    expect(zone(page, zone_id).locator(".badge.water")).to_be_visible(timeout=LIVE)
    expect(zone(page, zone_id).get_by_role("button", name="Tưới 5 phút")).to_have_count(0)
    page.get_by_role("button", name="Dừng tất cả").click()
    until("the end of the water", lambda: not system.is_open(COILS[zone_id]))
    assert openings(system, zone_id, since) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_stop_that_is_lost_is_not_called_done_and_the_next_press_stops(
    new_phone: NewPhone, system: System, road: Road, when: Cut
) -> None:
    page, zone_id = new_phone("farmer"), f"tan-binh-1-k{1 if when == 'before' else 2}"
    ready_without_network(page)
    press(page, zone(house(page), zone_id).get_by_role("button", name="Tưới 5 phút"))
    until("the water", lambda: system.is_open(COILS[zone_id]))
    house(page)
    with road.cut(when):
        page.get_by_role("button", name="Dừng tất cả").click()
        expect(page.locator("main")).to_contain_text("chưa biết lệnh đã đến chưa")
        expect(page.locator("main")).to_contain_text("Cần tắt nước ngay thì xin ra khóa van.")
    if when == "before":
        assert system.is_open(COILS[zone_id])
        press(page, house(page).get_by_role("button", name="Dừng tất cả"))
    until("the end of the water", lambda: not system.is_open(COILS[zone_id]))
    expect(zone(house(page), zone_id).locator(".badge.water")).to_have_count(0, timeout=LIVE)


@pytest.mark.parametrize("when", ["before", "after"])
def test_without_script_the_same_form_sent_again_is_one_watering(
    new_phone: NewPhone, system: System, road: Road, when: Cut
) -> None:
    new_phone("farmer")
    page = new_phone("farmer", java_script_enabled=False)
    zone_id, since = f"hung-binh-1-k{2 if when == 'before' else 1}", time.time()
    house(page, OTHER_HOUSE)
    button = zone(page, zone_id).get_by_role("button", name="Tưới 5 phút")
    with road.cut(when):
        with page.expect_event("requestfailed"):
            button.click(no_wait_after=True)
        expect(page).to_have_url(re.compile("^chrome-error:"))  # the browser says it itself
    page.reload()  # sends the form again, as the browser offers
    until("the water", lambda: system.is_open(COILS[zone_id]))
    house(page, OTHER_HOUSE).get_by_role("button", name="Dừng tất cả").click()
    until("the end of the water", lambda: not system.is_open(COILS[zone_id]))
    assert openings(system, zone_id, since) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_diary_line_that_is_lost_is_kept_on_the_phone_and_written_once(
    new_phone: NewPhone, road: Road, when: Cut
) -> None:
    page, words = new_phone("farmer"), f"Mạng đứt {when} {uuid.uuid4().hex[:6]}"
    ready_without_network(page)
    page.goto(f"/greenhouses/{HOUSE}/diary/new?kind=note")
    page.get_by_label("Ghi chú").fill(words)
    with road.cut(when):
        page.get_by_role("button", name="Ghi", exact=True).click()
        expect(page.locator("main")).to_contain_text("được giữ trong điện thoại")
    page.goto("/greenhouses")
    expect(page.locator("[data-sent]")).to_be_visible()
    page.goto(f"/greenhouses/{HOUSE}/diary")
    expect(page.locator(".diary .line", has_text=words)).to_have_count(1)


# --- an alert -----------------------------------------------------------------------------------


def test_an_alert_comes_to_the_open_page_and_one_tap_says_that_it_was_heard(
    new_phone: NewPhone, road: Road, system: System
) -> None:
    page = new_phone("farmer")
    ready_without_network(page)
    page.goto(f"/alerts/limits/greenhouse/{HOUSE}")
    rule = page.locator("#node_silent")
    rule.locator("summary").click()
    rule.get_by_label("Kéo dài bao nhiêu phút mới báo").fill("0")
    with page.expect_event("load"):
        rule.get_by_role("button", name="Lưu").click()
    page.goto("/alerts")
    station = next(n for n in system.demo["processes"] if n.startswith("node-tb-01"))
    with system.held(station):  # frozen only, its watchdog would start it anew
        alert = page.locator("[role=group]", has_text="tb-01")
        expect(alert).to_contain_text("mất tín hiệu", timeout=200_000)
        with road.cut("after"):
            alert.get_by_role("button", name="Đã biết").click()
            expect(page.locator("main")).to_contain_text("chưa biết đã gửi được chưa")
        page.goto("/alerts")
        expect(page.locator("[role=group]", has_text="tb-01")).to_contain_text("đã biết lúc")
        seen = new_phone("clerk")
        seen.goto("/alerts")
        expect(seen.locator("[role=group]", has_text="tb-01")).to_contain_text("đã biết lúc")
