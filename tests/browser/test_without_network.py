"""The network goes and comes; nothing is done twice, nothing is lost, the page says so."""

import re
import time
import uuid

from office import NODE_1, Place
from phones import Server, log_in, until, worker_at_work
from playwright.sync_api import BrowserContext, Page, Request, expect
from sqlalchemy import select

from nongso.platform import accounts, csrf
from nongso.platform.diary import entries as diary
from nongso.platform.traceability import demo
from nongso.platform.traceability.labelling import rolls as labelling_rolls
from nongso.platform.traceability.labelling import state as labelling_state
from nongso.platform.traceability.labelling.text import texts_of_roll
from nongso.platform.traceability.making.operations import Desk
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.registry.plots import Plot


def lines(place: Place) -> list[diary.Line]:
    with place.records.session() as session:
        return diary.lines(session, "tan-binh-1")


def test_the_last_state_is_shown_with_its_hour_and_says_that_it_is_old(
    farmer: Page, phone: BrowserContext
) -> None:
    phone.set_offline(True)
    farmer.goto("/greenhouses/tan-binh-1")
    expect(farmer.locator("#kept")).to_contain_text("Không có mạng. Trang này được lưu lúc")
    expect(farmer.locator("h1")).to_have_text("Nhà màng Tân Bình 1")


KEPT_EARLIER = """async seconds => {
    const pages = await caches.open("pages");
    for (const name of await pages.keys()) {
        const page = await pages.match(name), headers = new Headers(page.headers);
        headers.set("X-Kept-At", String(Number(headers.get("X-Kept-At")) - seconds * 1000));
        await pages.put(name, new Response(await page.text(), { headers }));
    }
}"""


def test_a_kept_page_counts_ages_on_from_when_it_was_kept(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    measured = [["soil_moisture", int(time.time()) - 300, 45.0, 0]]
    server.place.bring(server.place.readings(NODE_1, *measured))
    for path in ("/greenhouses/tan-binh-1", "/greenhouses", "/greenhouses/tan-binh-1/stations"):
        farmer.goto(path)
        expect(farmer.locator("main")).to_contain_text("cách đây 5 phút")
        farmer.wait_for_load_state("networkidle")
    farmer.evaluate(KEPT_EARLIER, 3 * 3600)
    phone.set_offline(True)
    for path in ("/greenhouses/tan-binh-1", "/greenhouses", "/greenhouses/tan-binh-1/stations"):
        farmer.goto(path)
        expect(farmer.locator("#kept")).to_be_visible()
        expect(farmer.locator("main")).to_contain_text("cách đây 3 giờ")
        expect(farmer.locator("main")).not_to_contain_text("cách đây 5 phút")


def test_a_kept_page_says_no_more_that_it_is_old_once_its_numbers_are_new(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    phone.set_offline(True)
    farmer.goto("/greenhouses/tan-binh-1")
    expect(farmer.locator("#kept")).to_be_visible()
    measured = ["soil_moisture", int(time.time()), 61.0, 0]
    server.place.bring(server.place.readings(NODE_1, measured))
    phone.set_offline(False)
    expect(farmer.locator("main")).to_contain_text("61%")
    expect(farmer.locator("#kept")).to_have_count(0)
    assert farmer.locator("html").get_attribute("data-old") is None


def test_an_open_page_offers_what_can_be_done_now_and_what_is_open_in_it_stays_open(
    farmer: Page, server: Server
) -> None:
    by_hand = farmer.get_by_text("Tưới bằng tay", exact=True)
    now = int(time.time())

    def tell(after: int, **told: str) -> None:
        row = {"id": "tan-binh-1-k1", "state": "idle", "mode": "manual", "at": now + after} | told
        server.place.bring(server.place.row("zone", zone=row))

    tell(1, state="running")
    farmer.goto("/greenhouses/tan-binh-1")
    expect(by_hand).to_have_count(1)  # that of the other zone
    tell(2)
    look_again(farmer)
    expect(by_hand).to_have_count(2)
    by_hand.first.click()
    farmer.locator("h1").click()  # what has the finger is not replaced anyway
    tell(3, mode="off")
    look_again(farmer)
    expect(farmer.locator("main")).to_contain_text("Cách tưới: tắt")
    expect(farmer.get_by_role("button", name="Tưới tay 30 phút")).to_be_visible()


def look_again(page: Page) -> None:
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_kept_page_does_not_say_again_what_a_press_had_said(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    farmer.goto("/greenhouses/tan-binh-1")
    farmer.get_by_role("button", name="Dừng tất cả").click()
    expect(farmer.locator("#said")).to_be_visible()
    farmer.wait_for_load_state("networkidle")
    phone.set_offline(True)
    farmer.goto("/greenhouses/tan-binh-1")
    expect(farmer.locator("#kept")).to_be_visible()
    expect(farmer.locator("#said")).to_have_count(0)


def past_the_script(page: Page, action: str) -> None:
    """Press a button before the script of the page has come, which would keep the page."""
    page.evaluate(f"""document.querySelector("form[action*='{action}']").submit()""")


def test_a_watering_order_without_network_is_refused_and_never_kept(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    farmer.goto("/greenhouses/tan-binh-1")
    phone.set_offline(True)
    past_the_script(farmer, "/water")
    expect(farmer.locator("main")).to_contain_text(
        "Điện thoại không có mạng nên chưa tưới. Lệnh này không được giữ lại"
    )
    phone.set_offline(False)
    farmer.goto("/greenhouses")
    farmer.wait_for_load_state("networkidle")
    place = server.place
    assert place.poll() == []


def test_an_order_whose_answer_never_came_is_not_called_refused(
    farmer: Page, server: Server
) -> None:
    farmer.goto("/greenhouses/tan-binh-1")
    server.close()  # the phone still believes that it has a network
    farmer.get_by_role("button", name="Tưới 10 phút").first.click()
    expect(farmer.locator("main")).to_contain_text("chưa biết lệnh đã đến chưa")
    expect(farmer.locator("h1")).to_have_text("Nhà màng Tân Bình 1")
    past_the_script(farmer, "/water")
    expect(farmer.locator("h1")).to_have_text("Không có mạng")
    expect(farmer.locator("main")).to_contain_text("chưa biết lệnh đã đến chưa")
    farmer.get_by_role("link", name="Mở lại trang vừa bấm").click()
    expect(farmer.locator("h1")).to_have_text("Nhà màng Tân Bình 1")
    expect(farmer.locator("#kept")).to_be_visible()


def test_a_wet_test_that_was_cut_off_names_the_tap_and_leads_back_to_its_zone(
    farmer: Page, server: Server
) -> None:
    server.place.tell_test()
    farmer.goto("/greenhouses/tan-binh-1/wet-test?zone=tan-binh-1-k1")
    server.close()
    farmer.get_by_role("button", name="Mở van").click()
    expect(farmer.locator("main")).to_contain_text("xin ra khóa van")
    past_the_script(farmer, "/wet-test")
    farmer.get_by_role("link", name="Mở lại trang vừa bấm").click()
    expect(farmer.locator("h1")).to_contain_text("Thử nước")
    expect(farmer.locator("#kept")).to_be_visible()


def test_a_press_about_a_station_that_was_cut_off_speaks_of_no_water(
    farmer: Page, server: Server
) -> None:
    farmer.goto("/greenhouses/tan-binh-1/stations/tb-01/remove")
    server.close()
    farmer.get_by_role("button", name="Gỡ trạm này").click()
    expect(farmer.locator("main")).to_contain_text("chưa biết đã gửi được chưa")
    expect(farmer.locator("main")).not_to_contain_text("nước")


def test_a_form_whose_answer_never_came_is_not_called_unsent(farmer: Page, server: Server) -> None:
    farmer.goto("/greenhouses/tan-binh-1/diary/before")
    server.close()
    farmer.get_by_role("button", name="Ghi", exact=True).click()
    expect(farmer.locator("main")).to_contain_text("chưa biết đã gửi được chưa")


def test_a_diary_line_waits_on_the_phone_and_is_written_once(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    place = server.place
    phone.set_offline(True)
    for litres in ("120", "80"):
        farmer.goto("/greenhouses/tan-binh-1/diary/new?kind=watered")
        farmer.fill("input[name=amount]", litres)
        farmer.get_by_role("button", name="Ghi", exact=True).click()
        expect(farmer.locator("main")).to_contain_text("được giữ trong điện thoại")
    farmer.goto("/greenhouses")
    expect(farmer.locator("[data-mine]")).to_have_text(re.compile("^2 dòng nhật ký chưa gửi"))
    assert lines(place) == []
    phone.set_offline(False)  # the open page hears of it and sends
    expect(farmer.locator("[data-sent]")).to_have_text(re.compile("Đã gửi 2 dòng"))
    farmer.reload()
    assert sorted(one.entry.amount or 0 for one in lines(place)) == [80, 120]


NEW = "/greenhouses/tan-binh-1/diary/new?kind="


def press(page: Page) -> None:
    page.get_by_role("button", name="Ghi", exact=True).click()


def kept_on(page: Page) -> None:
    expect(page.locator("main")).to_contain_text("được giữ trong điện thoại")


def test_a_spraying_written_without_network_reaches_the_diary_with_its_interval(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    phone.set_offline(True)
    farmer.goto(NEW + "sprayed")
    assert farmer.locator("#unit option").all_text_contents() == ["ml", "g", "lít", "kg"]
    farmer.fill("input[name=product]", "Abamectin")
    farmer.fill("input[name=amount]", "20")
    press(farmer)  # without the days on the label nothing is promised
    expect(farmer.locator("input[name=interval_days]:invalid")).to_be_visible()
    farmer.fill("input[name=interval_days]", "400")
    press(farmer)
    expect(farmer.locator("input[name=interval_days]:invalid")).to_be_visible()
    farmer.fill("input[name=interval_days]", "7")
    farmer.fill("input[name=amount]", "1.250")
    press(farmer)
    expect(farmer.locator("input[name=amount]:invalid")).to_be_visible()
    farmer.fill("input[name=amount]", "20")
    press(farmer)
    kept_on(farmer)
    farmer.get_by_role("link", name="Về nhật ký này").click()
    expect(farmer.locator("h1")).to_have_text("Nhật ký Nhà màng Tân Bình 1")
    phone.set_offline(False)
    expect(farmer.locator("[data-sent]")).to_have_text(re.compile("Đã gửi 1 dòng"))
    (line,) = lines(server.place)
    assert (line.entry.unit, line.entry.interval_days) == ("ml", 7)


def test_a_harvest_without_network_is_asked_in_kilograms_as_with_it(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    phone.set_offline(True)
    farmer.goto(NEW + "harvested")
    expect(farmer.get_by_label("Số kg")).to_be_visible()
    expect(farmer.locator("[name=unit]")).to_have_count(0)
    farmer.fill("input[name=amount]", "500")
    # a page that was kept by an older version says grams
    farmer.evaluate("""() => {
        const unit = document.createElement("input");
        unit.name = "unit"; unit.value = "g"; unit.type = "hidden";
        document.querySelector("[data-diary]").append(unit);
    }""")
    press(farmer)
    kept_on(farmer)
    phone.set_offline(False)
    farmer.goto("/greenhouses")
    expect(farmer.locator("[data-refused]")).to_have_text(re.compile("^1 dòng nhật ký không ghi"))
    assert lines(server.place) == []


def test_a_refused_line_is_seen_with_its_reason_mended_or_dropped(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    phone.set_offline(True)
    for product in ("Abamectin", "Neem"):
        farmer.goto(NEW + "sprayed")
        farmer.fill("input[name=product]", product)
        farmer.fill("input[name=interval_days]", "200")  # the server asks whether that is so
        press(farmer)
        kept_on(farmer)
    farmer.goto("/greenhouses")
    phone.set_offline(False)
    farmer.get_by_role("link", name="Xem lý do và sửa").click()
    refused = farmer.locator("[data-refused-lines] li")
    expect(refused).to_have_count(2)
    expect(refused.first).to_contain_text("Phun thuốc")
    expect(refused.first).to_contain_text("Abamectin · cách ly 200 ngày")
    expect(refused.first.locator(".error")).to_contain_text("200 ngày là rất dài")
    refused.first.get_by_role("link", name="Sửa rồi gửi lại").click()
    expect(farmer.locator("input[name=product]")).to_have_value("Abamectin")
    farmer.fill("input[name=interval_days]", "20")
    press(farmer)
    expect(farmer.locator("#written")).to_be_visible()
    expect(refused).to_have_count(1)
    farmer.once("dialog", lambda asked: asked.accept())
    refused.get_by_role("button", name="Bỏ dòng này").click()
    expect(farmer.locator("[data-refused-lines]")).to_be_hidden()
    expect(farmer.locator("[data-refused]")).to_be_hidden()
    (line,) = lines(server.place)
    assert (line.entry.product, line.entry.interval_days) == ("Abamectin", 20)


def test_a_line_of_a_plot_waits_on_the_phone_as_one_of_a_greenhouse_does(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    place = server.place
    demo.lay_down(place.settings, int(time.time()))
    with place.records.session() as session:
        plot = session.scalars(select(Plot.id)).first()
    farmer.goto("/greenhouses")
    farmer.get_by_role("link", name="Nhật ký thửa đất").click()
    farmer.goto(f"/plots/{plot}/diary/new?kind=fertilised")  # what is looked at is kept
    farmer.wait_for_load_state("networkidle")
    phone.set_offline(True)
    farmer.goto(f"/plots/{plot}/diary/new?kind=fertilised")
    farmer.fill("input[name=product]", "Phân chuồng")
    farmer.fill("input[name=amount]", "300")
    farmer.get_by_role("button", name="Ghi", exact=True).click()
    expect(farmer.locator("main")).to_contain_text("được giữ trong điện thoại")
    farmer.goto("/greenhouses")
    phone.set_offline(False)
    expect(farmer.locator("[data-sent]")).to_have_text(re.compile("Đã gửi 1 dòng"))
    with place.records.session() as session:
        (line,) = diary.lines(session, f"plot:{plot}")
    assert line.entry.product == "Phân chuồng"


def test_nobody_elses_waiting_lines_are_sent_in_my_name(
    farmer: Page, phone: BrowserContext, server: Server
) -> None:
    place = server.place
    phone.set_offline(True)
    farmer.goto("/greenhouses/tan-binh-1/diary/new?kind=note")
    farmer.fill("textarea[name=note]", "Lá vàng")
    farmer.get_by_role("button", name="Ghi", exact=True).click()
    expect(farmer.locator("main")).to_contain_text("được giữ trong điện thoại")
    phone.clear_cookies()  # the log-in is over; somebody else takes the phone
    phone.set_offline(False)
    log_in(farmer, "farmer-bac-ha")
    expect(farmer.locator("[data-others]")).to_have_text(re.compile("1 dòng nhật ký của người"))
    assert lines(place) == []


def test_pages_of_the_one_before_are_forgotten_at_the_log_in(
    farmer: Page, phone: BrowserContext
) -> None:
    farmer.get_by_role("button", name="Đăng xuất").click()
    farmer.wait_for_url("**/login*")
    phone.set_offline(True)
    farmer.goto("/greenhouses")
    expect(farmer.locator("main")).to_contain_text("chưa được lưu trong điện thoại")


def test_what_is_fetched_for_later_is_little(phone: BrowserContext, server: Server) -> None:
    """Home, the greenhouse, its diary, the form; what is said without network costs nothing."""
    fetched: dict[str, int] = {}
    under_way: set[Request] = set()

    def started(request: Request) -> None:
        if request.service_worker is not None:
            under_way.add(request)

    def finished(request: Request) -> None:
        if request.service_worker is not None:
            sizes = request.sizes()
            path = request.url.removeprefix(server.url).split("?")[0]
            size = sizes["responseBodySize"] + sizes["responseHeadersSize"]
            fetched[path] = fetched.get(path, 0) + size
            under_way.discard(request)

    phone.on("request", started)
    phone.on("requestfinished", finished)
    page = phone.new_page()
    log_in(page)
    until(page, "localStorage.getItem('kept-farmer')")
    greenhouse = "/greenhouses/tan-binh-1"
    wanted = {"/greenhouses", greenhouse, greenhouse + "/diary", greenhouse + "/diary/new"}
    deadline = time.monotonic() + 30  # the sizes are told after the page knows that all is kept
    while (under_way or not wanted <= fetched.keys()) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    pages = {path for path in fetched if not path.startswith(("/static/", "/sw.js"))}
    assert not under_way
    assert pages == wanted
    assert len(fetched) <= 13
    assert sum(fetched.values()) <= 21_500
    phone.set_offline(True)
    page.goto("/people")
    expect(page.locator("main")).to_contain_text("trang này chưa được lưu trong điện thoại")
    expect(page).to_have_title("Không có mạng · Nông số")


def test_without_network_it_is_said_in_the_language_of_the_pages(
    phone: BrowserContext, server: Server
) -> None:
    page = phone.new_page()
    log_in(page)
    page.goto("/greenhouses?lang=en")
    until(page, "localStorage.getItem('kept-farmer')")
    page.reload()
    phone.set_offline(True)
    page.goto("/people")
    expect(page.locator("main")).to_contain_text("No network")
    assert page.locator("html").get_attribute("lang") == "en"


def test_labels_bound_without_network_are_bound_once_when_it_comes_back(
    phone: BrowserContext, server: Server
) -> None:
    place = server.place
    demo.lay_down(place.settings, int(time.time()))
    with place.records.transaction() as session:
        lot = session.scalars(
            select(Lot).where(Lot.kind == "packs", Lot.labels < Lot.packs)
        ).first()
        assert lot is not None
        assert lot.product is not None
        desk = Desk(session, lot.cooperative, "clerk", server.url, int(time.time()))
        wish = labelling_rolls.RollWish(lot.product.id, 6)
        roll = labelling_rolls.make_roll(desk, str(uuid.uuid4()), wish, texts_of_roll(lot.product))
        serials = [
            one.rsplit("/", 1)[-1] for one in labelling_rolls.addresses_of_roll(session, roll)
        ]
    log_in_as_clerk(phone, server)
    page = phone.new_page()
    page.goto("/records/rolls")
    worker_at_work(page)
    page.goto("/records/rolls/bind")
    phone.set_offline(True)
    for first, last in ((0, 2), (3, 4)):
        page.goto("/records/rolls/bind")
        page.fill("input[name=lot]", lot.code)
        page.fill("input[name=first]", f"{server.url.upper()}/T/{serials[first]}")
        page.press("input[name=first]", "Enter")  # as a scanner does: on to the next field
        page.keyboard.type(serials[last])
        page.get_by_role("button", name="Ghi đã dán").click()
        expect(page.locator("main")).to_contain_text("Lần gắn tem này được giữ trong điện thoại")
    page.goto("/records/rolls/bind")
    expect(page.locator("[data-mine]")).to_have_text(re.compile("^2 lần ghi chưa gửi"))
    assert [state_of(place, one) for one in serials] == ["not_bound"] * 6
    phone.set_offline(False)
    expect(page.locator("[data-sent]")).to_have_text(re.compile("Đã gửi 2 lần ghi"))
    assert [state_of(place, one) for one in serials] == ["active"] * 5 + ["not_bound"]


def state_of(place: Place, serial: str) -> str:
    with place.records.session() as session:
        return labelling_state.standing(session, serial, int(time.time())).state


def log_in_as_clerk(phone: BrowserContext, server: Server) -> None:
    """Give the phone the log-in of a clerk, who has a second factor elsewhere."""
    client = server.place.client("clerk")
    for name in (accounts.COOKIE, csrf.COOKIE):
        if cookie := client.get_cookie(name):
            phone.add_cookies([{"name": name, "value": cookie.value, "url": server.url}])
