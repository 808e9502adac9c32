"""A form whose way is cut, on a phone that has no service worker: nothing typed is lost.

So it is on the first visit, and always where the farm's own Wi-Fi serves the pages without https.
"""

import html
import json
import re
from collections.abc import Iterator

import pytest
from filled import HOUSE, Filled
from office import Place
from phones import PHONE, Server, log_in
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect
from road import Cut, Road
from test_every_page import context_for

from nongso.platform.diary import entries as diary

UNKNOWN = "chưa biết đã gửi được chưa"
TOLD = ".note[role=alert]"
WAY = f"/greenhouses/{HOUSE}/way?zone={HOUSE}-k1"


@pytest.fixture
def road(server: Server) -> Iterator[Road]:
    made = Road(int(server.url.rpartition(":")[2]))
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser, road: Road) -> Iterator[Page]:
    """A farmer's phone without a service worker."""
    context = browser.new_context(base_url=road.url, service_workers="block", **PHONE)
    context.set_default_timeout(15_000)
    page = context.new_page()
    log_in(page)
    yield page
    context.close()


def told(place: Place) -> list[dict[str, object]]:
    return [json.loads(one["body"]) for one in place.poll()]


@pytest.mark.parametrize("when", ["before", "after"])
def test_minutes_typed_for_a_zone_stay_when_the_network_is_cut_and_pressed_again_are_one_wish(
    page: Page, road: Road, server: Server, when: Cut
) -> None:
    page.goto(WAY)
    page.check("input[value=schedule]")
    page.fill("#at0", "05:30")
    page.fill("#minutes0", "7,5")
    with road.cut(when):
        page.get_by_role("button", name="Lưu cách tưới").click()
        expect(page.locator(TOLD, has_text=UNKNOWN)).to_be_visible()
    expect(page.locator("[data-cut]")).to_be_in_viewport()
    expect(page.locator("#minutes0")).to_have_value("7,5")
    page.get_by_role("button", name="Lưu cách tưới").click()
    page.wait_for_url(f"**/greenhouses/{HOUSE}?said=*")
    (wish,) = told(server.place)
    assert wish["schedule"]["slots"][0]["run_seconds"] == 450  # type: ignore[index]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_station_whose_removal_was_cut_off_stands_where_it_stood(
    page: Page, road: Road, when: Cut
) -> None:
    page.goto(f"/greenhouses/{HOUSE}/stations/tb-01/remove")
    with road.cut(when):
        page.get_by_role("button", name="Gỡ trạm này").click()
        expect(page.locator("main")).to_contain_text(UNKNOWN)
    expect(page.locator("h1")).to_have_text("Gỡ trạm tb-01")
    expect(page.get_by_role("button", name="Gỡ trạm này")).to_be_enabled()


def test_water_that_was_cut_off_is_not_called_refused_and_names_the_tap(
    page: Page, road: Road
) -> None:
    page.goto(f"/greenhouses/{HOUSE}")
    with road.cut("before"):
        page.get_by_role("button", name="Tưới 10 phút").first.click()
        expect(page.locator("main")).to_contain_text("chưa biết lệnh đã đến chưa")
    expect(page.locator("main")).to_contain_text("xin ra khóa van")
    expect(page.locator("h1")).to_have_text("Nhà màng Tân Bình 1")


def test_a_diary_line_waits_without_a_service_worker_and_comes_into_the_open_diary(
    page: Page, road: Road, server: Server
) -> None:
    page.goto(f"/greenhouses/{HOUSE}/diary/new?kind=note")
    page.fill("textarea[name=note]", "Lá vàng ở đầu luống")
    with road.cut("before"):
        page.get_by_role("button", name="Ghi", exact=True).click()
        expect(page.locator("main")).to_contain_text("được giữ trong điện thoại")
        page.get_by_role("link", name="Về nhật ký này").click()
        expect(page.locator("[data-mine]")).to_be_visible()
        expect(page.locator(".diary .line")).to_have_count(0)
    expect(page.locator("[data-sent]")).to_be_visible()
    expect(page.locator(".diary .line", has_text="Lá vàng ở đầu luống")).to_have_count(1)
    with server.place.records.session() as session:
        assert len(diary.lines(session, HOUSE)) == 1


def test_a_form_that_is_refused_keeps_its_page_and_the_next_press_may_be_cut_off_too(
    page: Page, road: Road
) -> None:
    page.goto(WAY)
    page.check("input[value=schedule]")
    page.fill("#at0", "05:30")
    page.fill("#minutes0", "999")
    page.get_by_role("button", name="Lưu cách tưới").click()
    expect(page.locator("#minutes0-wrong")).to_be_visible()
    expect(page.locator("#said")).to_be_in_viewport()
    assert page.url.endswith(WAY)
    page.fill("#minutes0", "8")
    with road.cut("before"):
        page.get_by_role("button", name="Lưu cách tưới").click()
        expect(page.locator(TOLD, has_text=UNKNOWN)).to_be_visible()
    expect(page.locator("#minutes0")).to_have_value("8")
    page.reload()
    expect(page.locator("h1")).to_contain_text("Cách tưới")


def test_who_goes_on_to_another_page_is_not_called_back_by_the_answer_of_a_press(
    page: Page,
) -> None:
    page.goto(WAY)
    page.get_by_role("button", name="Lưu cách tưới").click()
    page.goto("/alerts")  # fails where the answer leads elsewhere meanwhile
    expect(page.locator("h1")).to_have_text("Cảnh báo")


def test_what_is_wrong_on_the_page_of_a_way_is_read_first_and_one_tap_leads_to_its_field(
    page: Page,
) -> None:
    page.goto(WAY)
    page.check("input[value=band]")
    page.fill("#minutes", "999")
    page.get_by_role("button", name="Lưu cách tưới").click()
    link = page.locator("#said").get_by_role("link", name="Mỗi lần tưới mấy phút")
    expect(link).to_be_in_viewport()
    link.click()
    expect(page.locator("#minutes")).to_be_focused()
    expect(page.locator("#minutes-wrong")).to_be_in_viewport()


CUT_OFF = """() => {
    const pen = document.createElement("canvas").getContext("2d"), found = [];
    for (const list of document.querySelectorAll("select")) {
        const style = getComputedStyle(list), arrow = 20;
        pen.font = style.font;
        const edges = parseFloat(style.paddingLeft) + parseFloat(style.paddingRight);
        const room = list.clientWidth - edges;
        for (const one of list.options) {
            if (pen.measureText(one.text).width > room - arrow) { found.push(one.text); }
        }
    }
    return found;
}"""


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_choice_of_a_way_is_cut_off_on_a_narrow_phone(page: Page, language: str) -> None:
    page.goto(f"{WAY}&lang={language}")
    assert page.locator("select").count() == 2
    assert page.evaluate(CUT_OFF) == []


def test_a_page_that_is_too_old_is_said_beside_the_button_and_what_was_typed_stays(
    page: Page,
) -> None:
    page.goto(f"/greenhouses/{HOUSE}/diary/before")
    page.fill("#litres_week", "350")
    page.evaluate("document.querySelectorAll('[name=form_token]').forEach(f => f.value = 'x')")
    page.get_by_role("button", name="Ghi", exact=True).click()
    expect(page.locator("main")).to_contain_text("Trang này đã mở quá lâu")
    expect(page.locator("#litres_week")).to_have_value("350")


def test_a_file_that_answers_a_form_is_saved(page: Page) -> None:
    page.goto("/me/record")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Tải về").click()
    assert saved.value.suggested_filename == "nongso-farmer.json"
    expect(page.get_by_role("button", name="Tải về")).to_be_enabled()


def test_another_language_asks_before_it_drops_what_was_typed(page: Page) -> None:
    asked: list[str] = []

    def no(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", no)
    page.goto(WAY)
    page.fill("#minutes", "7")
    page.get_by_role("link", name="English").click()
    expect(page.locator("#minutes")).to_have_value("7")
    assert asked == ["Những gì đã nhập mà chưa gửi sẽ mất khi đổi ngôn ngữ. Vẫn đổi?"]
    page.fill("#minutes", "999")
    page.check("input[value=band]")
    page.get_by_role("button", name="Lưu cách tưới").click()
    expect(page.locator("#minutes-wrong")).to_be_visible()
    page.get_by_role("link", name="English").click()  # a refused form holds what was typed
    expect(page.locator("#minutes")).to_have_value("999")
    assert len(asked) == 2
    page.remove_listener("dialog", no)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url.endswith(WAY)


def test_another_language_does_not_ask_where_nothing_was_typed(page: Page) -> None:
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(WAY)
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_every_page_that_answers_a_form_leads_back_to_a_page_of_the_same_person(
    server: Server,
) -> None:
    """By its address, which a later press is cut off from, and by the link of the language."""
    farm = Filled(server.place)
    client, tried = farm.clients["farmer"], set()
    for path in sorted({seen.path for seen in farm.pages() if seen.eyes == "farmer"}):
        page = client.get(path)
        if page.status_code != 200 or "data-user" not in page.text:
            continue  # nothing of his, or a page for anybody
        for form in re.findall('<form [^>]*method="post"[^>]*>', page.text):
            named = re.search('action="([^"#]*)', form)
            action = html.unescape(named[1]) if named else path
            for before in (path, action, ""):  # the second time the page is one that was refused
                answer = client.post(action, data={}, headers={"Referer": server.url + before})
                assert answer.status_code == 400
                tried.add(action)
                for link in re.findall(
                    'data-here="([^"]*)|<a href="([^"]*)"[^>]*hreflang', answer.text
                ):
                    leads_to = html.unescape("".join(link))
                    assert client.get(leads_to).status_code in (200, 303), (
                        action,
                        before,
                        leads_to,
                    )
                    opened = client.get(leads_to, follow_redirects=True)
                    assert opened.status_code == 200, (action, before, leads_to)
    assert len(tried) > 20


FORMS = "document.querySelectorAll('form[method=post]')"
SEND = """at => {
    const form = document.querySelectorAll('form[method=post]')[at];
    form.hidden = false;
    for (let e = form; e; e = e.parentElement) { if (e.tagName === 'DETAILS') { e.open = true; } }
    form.noValidate = true;
    form.requestSubmit(form.querySelector('button:not([type=button])'));
}"""


def test_no_form_of_the_farmer_leads_to_the_browsers_own_error_page(
    browser: Browser, server: Server, road: Road
) -> None:
    farm = Filled(server.place)
    context: BrowserContext = context_for(
        browser, farm, road.url, "farmer", viewport=PHONE["viewport"]
    )
    page, tried = context.new_page(), set()
    for path in sorted({seen.path for seen in farm.pages() if seen.eyes == "farmer"}):
        page.goto(path)
        if not page.locator("body[data-user]").count():
            continue  # a page for anybody
        for at in range(page.evaluate(FORMS + ".length")):
            form = page.locator("form[method=post]").nth(at)
            action = re.sub("[0-9a-f-]{36}", "…", form.get_attribute("action") or path)
            if (action, form.inner_text()) in tried:
                continue
            tried.add((action, form.inner_text()))
            with road.cut("before"):
                page.evaluate(SEND, at)
                told = page.locator(TOLD).filter(
                    has_text=re.compile("chưa biết|được giữ trong điện thoại"), visible=True
                )
                expect(told.first, f"{path} {action}").to_be_visible()
            assert page.url.startswith(road.url), action
            page.goto(path)
    assert len({action for action, _text in tried}) > 20
    context.close()
