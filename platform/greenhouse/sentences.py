"""What is said about water: one whole sentence for every code of ``nongso.wire.reasons``.

Pure functions: code and values in, a sentence in the language of the answer out. A sentence
stands alone, so that it can also be spoken. A code of a newer gateway gets a general sentence
that names the code; so does a code whose values are missing.

``nongso.platform.greenhouse.condition`` speaks about the greenhouse as a whole.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup, escape

from nongso.platform.greenhouse.records import END_UNKNOWN, WET_TEST
from nongso.platform.greenhouse.resting import zone_sentence as rested
from nongso.platform.languages import NO_BREAK, _, duration, later, moment, number, quantity

Names = Mapping[str, str]  # zone id -> its name; a node's id -> its slug

_NAME = re.compile(r"\b[a-z0-9]+(?:-[a-z0-9]+)*-[0-9]+\b")  # a browser breaks it at the hyphen

_Sentence = Callable[["_Words"], str]
WHOLE_MINUTES_FROM = 600  # seconds; shorter advice is in half minutes


class _Words:
    """The values of a code, as they are said."""

    def __init__(self, values: Mapping[str, Any], names: Names, now: float) -> None:
        self._values = values
        self._names = names
        self._now = now

    def has(self, name: str) -> bool:
        """Whether the value is known; a missing one is an error, ``None`` is an answer."""
        return self._values[name] is not None

    def is_told(self, name: str) -> bool:
        """Whether the code came with this value; some do without it."""
        return name in self._values

    def percent(self, name: str) -> str:
        return quantity(float(self._values[name]), "%")

    def limit(self, name: str) -> str:
        return limit(float(self._values[name]))

    def time(self, name: str) -> str:
        return duration(float(self._values[name]))

    def advised(self, name: str) -> str:
        """A time that a person is to set: nobody turns a tap for 14 seconds."""
        seconds = float(self._values[name])
        step = 60 if seconds >= WHOLE_MINUTES_FROM else 30
        return duration(max(step, round(seconds / step) * step))

    def wait(self, name: str) -> str:
        """A time that is still to pass, never said shorter than it is."""
        seconds = float(self._values[name])
        step = 60 if seconds > 60 else 10
        return duration(math.ceil(seconds / step) * step)

    def is_over(self, name: str) -> bool:
        """Whether a time that was still to pass has passed."""
        return float(self._values[name]) <= 0

    def water(self, name: str) -> str:
        return quantity(float(self._values[name]), "l")

    def flow(self, name: str) -> str:
        return quantity(float(self._values[name]), "l/min")

    def volts(self, name: str) -> str:
        return quantity(float(self._values[name]), "V")

    def span(self, name: str) -> str:
        hours = float(self._values[name])
        if hours % 24 == 0:
            return _("%(count)s ngày", count=number(hours / 24))
        return _("%(count)s giờ", count=number(hours))

    def since(self, name: str) -> str:
        return moment(float(self._values[name]), self._now)

    def text(self, name: str) -> str:
        return str(self._values[name])

    def node(self) -> str:
        return self._names.get(str(self._values["node"]), str(self._values["node"]))

    def device(self) -> str:
        kind = str(self._values["device"])
        words = {
            "relay": _("bảng điều khiển van"),
            "meter": _("đồng hồ nước"),
            "tank": _("cảm biến mức nước"),
            "mains": _("đồng hồ điện"),
        }
        return words.get(kind.partition(".")[0], kind)

    def count(self, name: str) -> str:
        return number(float(self._values[name]))

    def zone(self, name: str = "zone") -> str:
        return within(self._names.get(str(self._values[name]), str(self._values[name])))


def limit(percent: float) -> str:
    """Write a percentage that somebody has set, with its tenths where it has any: 40%, 43,5%."""
    return quantity(percent, "%", 0 if percent == round(percent) else 1)


def within(zone_name: str) -> str:
    """Write a zone's name inside a sentence: "Khu 2" becomes "khu 2", kept on one line."""
    if zone_name.lower().startswith("khu "):
        return "khu" + NO_BREAK + zone_name[4:]
    return zone_name


def names_whole(text: str) -> Markup:
    """Keep names such as tb-03 on one line, wherever they stand in a text."""
    return Markup(_NAME.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


# --- the wish came to nothing ----------------------------------------------------------------


def _too_long(w: _Words) -> str:
    return _(
        "Chưa tưới: mỗi lần chỉ tưới được nhiều nhất %(most)s. Chọn số phút ít hơn rồi bấm lại.",
        most=w.time("max_seconds"),
    )


REFUSED: dict[str, _Sentence] = {
    "zone_unknown": lambda w: _(
        "Chưa tưới: tủ điều khiển không có khu tưới này. Xin báo nhân viên hợp tác xã."
    ),
    "zone_off": lambda w: _("Chưa tưới: khu này đang tắt. Chọn cách tưới khác rồi bấm tưới lại."),
    "zone_not_tested": lambda w: _(
        "Chưa tưới: khu này chưa thử nước. Xin ra cạnh van, mở trang nhà màng rồi bấm Thử nước."
    ),
    "expired": lambda w: _(
        "Lệnh tưới đến chậm %(late)s nên không chạy nữa. Nếu vẫn cần tưới, xin bấm lại.",
        late=w.time("late_seconds"),
    ),
    "forged": lambda w: _("Chưa tưới: không rõ lệnh này do ai gửi. Xin báo người phụ trách máy."),
    "seconds_out_of_range": _too_long,
    "zone_locked": lambda w: _(
        "Chưa tưới: khu này đang khóa vì có sự cố. Xin xem van và đường ống trước."
    ),
    "emergency_stop": lambda w: _(
        "Chưa tưới: nút dừng khẩn cấp ở tủ điều khiển đang được ấn. "
        "Xin xem có việc gì, rồi kéo nút ra."
    ),
    "stop_button_silent": lambda w: _(
        "Chưa tưới: nút dừng khẩn cấp ở tủ điều khiển không trả lời. Xin xem điện và dây nối."
    ),
    "zone_busy": lambda w: _(
        "Chưa tưới thêm: khu này đang tưới rồi. Chờ tưới xong, nếu vẫn cần thì bấm lại."
    ),
    "tank_low": lambda w: _(
        "Chưa tưới: bể chỉ còn %(left)s nước. Thêm nước vào bể rồi bấm tưới lại.",
        left=w.percent("tank_percent"),
    ),
    "tank_unknown": lambda w: _(
        "Chưa tưới: không biết bể còn bao nhiêu nước. Xin xem bể và cảm biến mức nước."
    ),
    "source_low": lambda w: _(
        "Chưa tưới: %(source)s chỉ còn %(left)s nước, cần ít nhất %(lowest)s. "
        "Xin chờ nước lên rồi bấm tưới lại.",
        source=w.text("source"),
        left=w.percent("level_percent"),
        lowest=w.limit("lowest_percent"),
    ),
    "source_level_unknown": lambda w: _(
        "Chưa tưới: không biết %(source)s còn bao nhiêu nước. "
        "Xin xem nguồn nước và cảm biến mức nước.",
        source=w.text("source"),
    ),
    "source_not_tested": lambda w: _(
        "Chưa tưới: nước của %(source)s đã quá hạn kiểm nghiệm. "
        "Xin lấy mẫu nước đi kiểm nghiệm, rồi báo người phụ trách máy ghi ngày mới.",
        source=w.text("source"),
    ),
    "outside_sun_hours": lambda w: _(
        "Chưa tự tưới: %(source)s bơm bằng điện mặt trời, đến %(at)s mới đủ nắng. "
        "Nếu cần tưới ngay, xin bấm Tưới.",
        source=w.text("source"),
        at=w.since("at"),
    ),
    "source_day_quota": lambda w: _(
        "Chưa tưới: hôm nay %(source)s đã lấy %(used)s, mỗi ngày chỉ được lấy %(most)s. "
        "Xin tưới ít phút hơn, hoặc chờ đến ngày mai.",
        source=w.text("source"),
        used=w.water("litres_used"),
        most=w.water("litres_most"),
    ),
    "source_season_quota": lambda w: _(
        "Chưa tưới: vụ này %(source)s đã lấy %(used)s, cả vụ chỉ được lấy %(most)s. "
        "Xin tưới ít phút hơn, hoặc hỏi hợp tác xã về phần nước còn lại.",
        source=w.text("source"),
        used=w.water("litres_used"),
        most=w.water("litres_most"),
    ),
    "resting": lambda w: _(
        "Chưa tưới: khu này vừa tưới xong, cần nghỉ thêm %(left)s cho nước thấm. "
        "Xin chờ rồi bấm lại.",
        left=w.time("seconds_left"),
    ),
    "daily_limit": lambda w: _(
        "Chưa tưới: hôm nay khu này đã tưới %(today)s, nhiều nhất là %(most)s một ngày.",
        today=w.time("seconds_today"),
        most=w.time("max_seconds"),
    ),
    "window_limit": lambda w: _(
        "Chưa tưới: trong %(span)s qua khu này đã tưới %(had)s, nhiều nhất là %(most)s. "
        "Xin chờ thêm, hoặc tưới ít phút hơn.",
        span=w.span("hours"),
        had=w.time("seconds_ran"),
        most=w.time("max_seconds"),
    ),
    "tank_ran_low": lambda w: _(
        "Chưa tưới: bể chỉ còn %(left)s nước, dưới mức giữ lại cho máy bơm. "
        "Thêm nước vào bể rồi bấm tưới lại.",
        left=w.percent("tank_percent"),
    ),
    "mains_bad": lambda w: _(
        "Chưa tưới: điện đang %(volts)s, máy bơm cần từ %(low)s đến %(high)s. "
        "Chờ điện tốt lại rồi bấm tưới.",
        volts=w.volts("volts"),
        low=w.volts("low_volts"),
        high=w.volts("high_volts"),
    ),
    "mains_uneven": lambda w: _(
        "Chưa tưới: điện ba pha lệch nhau %(apart)s, chạy dễ cháy máy bơm. "
        "Xin gọi thợ điện xem các pha.",
        apart=w.percent("apart_percent"),
    ),
    "mains_gone": lambda w: _("Chưa tưới: đang mất điện ở máy bơm. Chờ có điện lại rồi bấm tưới."),
    "waits_for_pump": lambda w: _(
        "Đang chờ đến lượt: máy bơm đang dành cho %(zone)s.", zone=w.zone()
    ),
    "already_waiting": lambda w: _(
        "Khu này đã có lệnh tưới đang chờ đến lượt. Không cần bấm thêm."
    ),
    "waited_too_long": lambda w: _(
        "Lệnh tưới chờ đến lượt lâu quá nên không chạy nữa. Nếu vẫn cần tưới, xin bấm lại."
    ),
    "pump_not_started": lambda w: _(
        "Chưa tưới: máy bơm hoặc van tổng không bật được. Xin xem điện và dây nối."
    ),
    "bus_silent": lambda w: _(
        "Chưa tưới: bảng điều khiển van không trả lời. Xin xem điện và dây nối của bảng."
    ),
    "supervisor_gone": lambda w: _(
        "Chưa tưới: phần giữ an toàn cho van không chạy. Van nào đang mở sẽ tự tắt sau vài giây. "
        "Xin báo người phụ trách máy."
    ),
    "board_without_auto_off": lambda w: _(
        "Chưa tưới: bảng điều khiển van này không tự tắt được, nên chỉ được mở bằng tay."
    ),
    "another_valve_stuck": lambda w: _(
        "Chưa tưới: van %(zone)s chưa đóng được. Xin ra xem van đó trước.", zone=w.zone()
    ),
    "valve_not_opened": lambda w: _(
        "Chưa tưới: van của khu này không mở được nên khu đã khóa. "
        "Xin xem điện và dây nối của van, rồi bấm Mở khóa."
    ),
    "interrupted": lambda w: _(
        "Lệnh tưới bị ngắt giữa chừng nên không chạy nữa. Nếu vẫn cần tưới, xin bấm lại."
    ),
    "stopped_meanwhile": lambda w: _(
        "Lệnh này không chạy nữa vì sau đó có người đã bấm dừng. Nếu vẫn cần, xin bấm lại."
    ),
    "cannot_record": lambda w: _(
        "Chưa tưới: bộ nhớ của tủ điều khiển bị đầy hoặc hỏng, không ghi được lệnh. "
        "Xin báo người phụ trách máy. Cần tưới ngay thì mở van bằng tay."
    ),
    "test_goes_on": lambda w: _(
        "Đang thử nước %(zone)s. Xin chờ thử xong rồi bấm lại.", zone=w.zone()
    ),
    "test_needs_quiet": lambda w: _(
        "Chưa thử được: đang có nước chảy ở %(zone)s, đồng hồ sẽ đếm lẫn. "
        "Xin chờ khu đó tưới xong rồi bấm lại.",
        zone=w.zone(),
    ),
    "test_is_over": lambda w: _(
        "Lần thử này đã xong, hoặc có người trả lời trước rồi. Xin xem kết quả trên trang này."
    ),
    "shut_not_seen": lambda w: _(
        "Chưa xong: chưa trả lời van của khu này đã đóng kín chưa. Xin nhìn tận van rồi trả lời."
    ),
    "not_understood": lambda w: _(
        "Chưa tưới: tủ điều khiển không hiểu lệnh này. Xin báo người phụ trách máy."
    ),
    "still_open": lambda w: _(
        "Chưa mở khóa: van %(zone)s vẫn chưa đóng được. Xin xem van và dây nối trước.",
        zone=w.zone(),
    ),
    # the platform's own
    "id_used": lambda w: _("Chưa làm: số hiệu của lệnh này đã dùng cho một lệnh khác."),
    "unlock_first": lambda w: _(
        "Chưa đổi cách tưới: khu này đang khóa vì có sự cố. "
        "Xem van và đường ống xong, xin bấm Mở khóa rồi mới đổi."
    ),
    "no_soil_probe": lambda w: _(
        "Chưa có trạm nào đo độ ẩm đất ở khu này nên không tưới theo độ ẩm đất được."
    ),
    "gateway_away": lambda w: _(
        "Chưa tưới: không liên lạc được với tủ điều khiển từ %(since)s. "
        "Lệnh này không được giữ lại; khi có liên lạc, xin bấm lại.",
        since=w.since("since"),
    ),
}

# --- why a zone does not water by itself ------------------------------------------------------

WAITED: dict[str, _Sentence] = {
    "soil_moist": lambda w: _(
        # Without the moisture: the page has a newer number than the moment of this decision.
        "Chưa cần tưới: đất còn đủ ẩm, chỉ tưới khi dưới %(low)s.",
        low=w.limit("low"),
    ),
    "no_reading": lambda w: _(
        "Chưa tự tưới: không có số đo độ ẩm đất mới. Xin xem trạm đo của khu này."
    ),
    "soaking": lambda w: (
        _("Vừa tưới xong, đang chờ số đo mới.")
        if w.is_over("seconds_left")
        else _("Vừa tưới xong, chờ thêm %(left)s cho nước thấm.", left=w.wait("seconds_left"))
    ),
    "mode_manual": lambda w: _("Khu này chỉ tưới khi có người bấm."),
    "by_hand_until": lambda w: _(
        "Đang tưới tay, chỉ tưới khi có người bấm. Tự tưới lại từ %(at)s.", at=w.since("at")
    ),
    "next_slot": lambda w: _("Lần tưới theo giờ hẹn tới: %(at)s.", at=w.since("at")),
    "no_slot": lambda w: _("Chưa hẹn giờ tưới nào, nên khu này chưa tự tưới."),
    "slot_missed": lambda w: _(
        "Đã bỏ lần tưới hẹn %(at)s vì lúc đó chưa tưới được. Không tưới bù.", at=w.since("at")
    ),
    "soil_has_water": lambda w: _(
        "Chưa cần tưới: cây mới dùng %(used)s, dùng đến %(allowed)s mới tưới.",
        used=w.water("litres"),
        allowed=w.water("allowed_litres"),
    ),
    "should_water": lambda w: _(
        "Nên tưới %(time)s: cây đã dùng %(used)s nước trong đất. "
        "Khu này chỉ gợi ý, không tự tưới.",
        time=w.advised("seconds"),
        used=w.water("litres"),
    ),
    "no_climate": lambda w: _(
        "Chưa tự tưới: không có số đo %(metric)s mới nên không biết cây dùng bao nhiêu nước. "
        "Xin xem trạm đo của nhà màng này.",
        metric=metric_word(w.text("metric")),
    ),
    "probe_frozen": lambda w: _(
        "Chưa tự tưới: cảm biến %(metric)s đứng yên một số nên không tin được. "
        "Xin xem cảm biến và dây nối.",
        metric=metric_word(w.text("metric")),
    ),
    "probe_drifting": lambda w: _(
        "Chưa tự tưới: cảm biến độ ẩm đất báo ướt dần dù không tưới nên không tin được. "
        "Xin xem đất, rồi xem cảm biến."
    ),
    "probe_taught": lambda w: _(
        "Chưa tự tưới: đang chỉnh đầu đo độ ẩm đất của khu này. "
        "Xin chỉnh đủ mức khô và mức ướt, mười phút sau khu này tự tưới lại."
    ),
    "stopped_by_person": lambda w: rested(None, 0),
}

# --- why a run was started -------------------------------------------------------------------

STARTED: dict[str, _Sentence] = {
    "wished": lambda w: _("Tưới theo yêu cầu."),
    "by_hand": lambda w: _("Có người tưới bằng tay."),
    "wet_test": lambda w: _("Mở van một lúc để thử nước."),
    "soil_dry": lambda w: _(
        "Tự tưới vì đất khô: còn %(moisture)s, cần ít nhất %(low)s.",
        moisture=w.percent("moisture"),
        low=w.limit("low"),
    ),
    "soil_filling": lambda w: _(
        "Tưới tiếp cho đủ ẩm: đất mới ẩm %(moisture)s, cần đến %(high)s.",
        moisture=w.percent("moisture"),
        high=w.limit("high"),
    ),
    "least_of_day": lambda w: _(
        "Không có số đo độ ẩm đất tin được nên tự tưới mức ít nhất, mỗi ngày một lần."
    ),
    "slot_due": lambda w: _("Tưới theo giờ hẹn %(at)s.", at=w.since("at")),
    "plants_used": lambda w: _(
        "Tự tưới vì cây đã dùng %(used)s nước trong đất.", used=w.water("litres")
    ),
    "plants_used_at_least": lambda w: _(
        "Mất số đo nên tự tưới mức ít nhất: ước cây đã dùng %(used)s nước.",
        used=w.water("litres"),
    ),
}

# --- how a run ended -------------------------------------------------------------------------


def _done(w: _Words) -> str:
    if not w.has("litres"):
        return _("Đã tưới xong %(time)s.", time=w.time("seconds"))
    return _(
        "Đã tưới xong %(time)s, nước chảy %(water)s.",
        time=w.time("seconds"),
        water=w.water("litres"),
    )


ENDED: dict[str, _Sentence] = {
    "done": _done,
    "stopped": lambda w: _("Đã dừng theo yêu cầu, van đã tắt."),
    "gateway_lost": lambda w: _("Nước đã tự tắt vì tủ điều khiển ngừng chạy."),
    "bus_lost": lambda w: _(
        "Nước đã tự tắt vì bảng điều khiển van không trả lời. Xin xem điện và dây nối."
    ),
    "no_flow": lambda w: _(
        "Đã mở van nhưng không có nước chảy. Bơm đã tắt, khu này đang khóa. "
        "Xin xem bể nước, máy bơm và van."
    ),
    "low_flow": lambda w: _(
        "Nước chảy yếu hơn hẳn mọi khi nên đã tự tắt. Khu này đang khóa. "
        "Xin xem van, bộ lọc và máy bơm."
    ),
    "high_flow": lambda w: _(
        "Nước chảy mạnh hơn hẳn mọi khi nên đã tự tắt. Khu này đang khóa. "
        "Xin xem có vỡ ống không, van nào chưa đóng kín không."
    ),
    "emergency_stop": lambda w: _("Đã dừng vì có người ấn nút dừng khẩn cấp ở tủ điều khiển."),
    "stop_button_silent": lambda w: _(
        "Nước đã tự tắt vì nút dừng khẩn cấp ở tủ điều khiển không trả lời."
    ),
    "restarted": lambda w: _("Nước đã tắt vì tủ điều khiển khởi động lại."),
    "valve_not_opened": lambda w: _(
        "Van không mở được nên đã dừng. Khu này đang khóa. Xin xem điện và dây nối của van."
    ),
    "valve_not_closed": lambda w: _(
        "Van không đóng được. Đã tắt bơm và khóa van tổng. Xin ra xem ngay."
    ),
    "tank_ran_low": lambda w: _(
        "Nước đã tự tắt vì bể chỉ còn %(left)s. Thêm nước vào bể rồi tưới tiếp.",
        left=w.percent("tank_percent"),
    ),
    "mains_bad": lambda w: _(
        "Nước đã tự tắt vì điện đang %(volts)s, máy bơm cần từ %(low)s đến %(high)s.",
        volts=w.volts("volts"),
        low=w.volts("low_volts"),
        high=w.volts("high_volts"),
    ),
    "mains_uneven": lambda w: _(
        "Nước đã tự tắt vì điện ba pha lệch nhau %(apart)s. Xin gọi thợ điện xem các pha.",
        apart=w.percent("apart_percent"),
    ),
    "mains_gone": lambda w: _("Nước đã tự tắt vì mất điện ở máy bơm."),
    "pump_not_started": lambda w: _(
        "Máy bơm hoặc van tổng không bật được nên đã dừng. Khu này đang khóa. "
        "Xin xem điện và dây nối."
    ),
    # the platform's own: no gateway will tell any more
    END_UNKNOWN: lambda w: _(
        "Không biết lần tưới này dừng lúc nào vì tủ điều khiển không báo lại. "
        "Van tự đóng, chậm nhất là khi hết giờ đã đặt."
    ),
}

CHANGED: dict[str, _Sentence] = {
    "mode_set": lambda w: _("Đã đổi cách tưới thành: %(mode)s.", mode=mode_word(w.text("mode"))),
    "unlocked": lambda w: (
        _("Đã mở khóa %(zone)s. Khu này đang tắt, chưa tưới được.", zone=w.zone())
        if w.text("mode") == "off"
        else _(
            "Đã mở khóa %(zone)s. Cách tưới: %(mode)s. Xin để ý lần tưới đầu.",
            zone=w.zone(),
            mode=mode_word(w.text("mode")),
        )
    ),
    "test_passed": lambda w: _("Thử nước xong: khu này tưới được."),
    "test_failed": lambda w: _("Thử nước không được: khu này đang tắt."),
    "failed_not_closed": lambda w: _(
        "Thử nước không được: khu này đang tắt. Phần giữ an toàn cho van không trả lời nên chưa "
        "biết van đã đóng chưa. Xin ra khóa van bằng tay."
    ),
}

# --- alarms ----------------------------------------------------------------------------------


def _frozen(w: _Words) -> str:
    if w.text("metric") == "soil_moisture" and w.has("litres"):
        return _(
            "Cảm biến độ ẩm đất %(zone)s đứng yên ở %(value)s dù đã tưới %(water)s. "
            "Không dùng số này để tưới. Xin xem cảm biến và dây nối.",
            zone=w.zone(),
            value=w.percent("value"),
            water=w.water("litres"),
        )
    return _(
        "Cảm biến %(metric)s của trạm %(node)s đứng yên một số suốt %(hours)s giờ. "
        "Không dùng số này để tưới. Xin xem cảm biến và dây nối.",
        metric=metric_word(w.text("metric")),
        node=w.node(),
        hours=w.count("hours"),
    )


def _silent(w: _Words) -> str:
    if w.text("device") == "switches":
        return _(
            "Trong tủ điều khiển, bảng nút bấm không trả lời: công tắc tưới tay đang không dùng "
            "được. Xin xem điện và dây nối."
        )
    return _(
        "Trong tủ điều khiển, %(device)s không trả lời. Xin xem điện và dây nối.",
        device=w.device(),
    )


ALARMS: dict[str, _Sentence] = {
    "valve_not_closed": lambda w: _(
        "Khẩn cấp: van %(zone)s không đóng được. Đã tắt bơm và khóa van tổng. Xin ra xem ngay.",
        zone=w.zone(),
    ),
    "valve_not_opened": lambda w: _(
        "Van %(zone)s không mở được. Xin xem điện và dây nối của van, rồi bấm Mở khóa.",
        zone=w.zone(),
    ),
    "no_flow": lambda w: _(
        "Đã mở van %(zone)s nhưng không có nước chảy. Bơm đã tắt. "
        "Xin xem bể nước, máy bơm và van, rồi bấm Mở khóa.",
        zone=w.zone(),
    ),
    "low_flow": lambda w: _(
        "Đã tắt nước ở %(zone)s vì nước chảy yếu: %(flow)s, mọi khi %(usual)s. "
        "Xin xem van, bộ lọc và máy bơm, rồi bấm Mở khóa.",
        zone=w.zone(),
        flow=w.flow("flow"),
        usual=w.flow("usual"),
    ),
    "high_flow": lambda w: _(
        "Khẩn cấp: đã tắt nước ở %(zone)s vì nước chảy quá mạnh: %(flow)s, mọi khi %(usual)s. "
        "Xin tìm chỗ vỡ ống hoặc van chưa đóng kín, rồi bấm Mở khóa.",
        zone=w.zone(),
        flow=w.flow("flow"),
        usual=w.flow("usual"),
    ),
    "emergency_stop": lambda w: _(
        "Có người ấn nút dừng khẩn cấp ở tủ điều khiển. Mọi van đã tắt, không khu nào tưới được "
        "cho đến khi kéo nút ra."
    ),
    "stop_button_silent": lambda w: _(
        "Trong tủ điều khiển, bảng nút bấm không trả lời nên không rõ nút dừng khẩn cấp có đang "
        "ấn không. Mọi van đã tắt, không khu nào tưới được cho đến khi bảng trả lời. "
        "Xin xem điện và dây nối."
    ),
    "leak": lambda w: _(
        "Khẩn cấp: nước vẫn chảy khi các van đã đóng, %(flow)s. Các khu đã khóa. "
        "Xin tìm chỗ vỡ ống, rồi bấm Mở khóa ở từng khu.",
        flow=w.flow("flow"),
    ),
    "bus_silent": _silent,
    "node_silent": lambda w: _(
        "Trạm đo %(node)s mất tín hiệu từ %(since)s. Xin xem pin và sóng của trạm.",
        node=w.node(),
        since=w.since("since"),
    ),
    "message_conflict": lambda w: _(
        "Trạm đo %(node)s gửi hai số khác nhau cho cùng một lần đo. Xin báo người phụ trách máy.",
        node=w.node(),
    ),
    "store_damaged": lambda w: _(
        "Tệp lưu số đo của tủ điều khiển bị hỏng và đã được cất riêng. "
        "Xin báo người phụ trách máy."
    ),
    "taken_up": lambda w: _(
        "Tủ điều khiển vừa được thay hoặc lấy lại từ bản sao lưu, nên chưa khu nào tự tưới. "
        "Xin xem từng khu, rồi bấm tưới hoặc chọn lại cách tưới."
    ),
    "telemetry_dropped": lambda w: (
        _(
            "Tủ điều khiển hết chỗ nên đã bỏ %(count)s số đo cũ chưa gửi được đến máy chủ "
            "“%(destination)s”. Xin báo người phụ trách máy.",
            count=w.count("count"),
            destination=w.text("destination"),
        )
        if w.is_told("destination")
        else _(
            "Tủ điều khiển hết chỗ nên đã bỏ %(count)s số đo cũ. Xin báo người phụ trách máy.",
            count=w.count("count"),
        )
    ),
    "water_test_due": lambda w: _(
        "Nước của %(source)s đã quá hạn kiểm nghiệm. Xin lấy mẫu nước đi kiểm nghiệm.",
        source=w.text("source"),
    ),
    "probe_frozen": _frozen,
    "probe_drifting": lambda w: _(
        "Cảm biến độ ẩm đất %(zone)s báo từ %(before)s lên %(now)s dù không tưới. "
        "Không dùng số này để tưới. Xin xem đất có ướt thật không, rồi xem cảm biến; "
        "xem xong, chọn lại cách tưới.",
        zone=w.zone(),
        before=w.percent("from_percent"),
        now=w.percent("to_percent"),
    ),
    "rows_refused": lambda w: _(
        "Máy chủ không nhận %(count)s dòng của tủ điều khiển (mã %(code)s). "
        "Các dòng đó vẫn được giữ trong tủ. Xin báo người phụ trách máy.",
        count=w.count("count"),
        code=w.text("code"),
    ),
    "main_not_closed": lambda w: _(
        "Khẩn cấp: van tổng không đóng được. Đã tắt bơm và đóng van các khu. Xin ra xem ngay."
    ),
    "coil_not_closed": lambda w: _(
        "Rơ-le số %(count)s trong tủ điều khiển không nhả. Xin báo người phụ trách máy.",
        count=number(float(w.text("coil")) + 1),
    ),
    "pump_not_started": lambda w: _(
        "Máy bơm hoặc van tổng không bật được khi tưới %(zone)s. "
        "Xin xem điện và dây nối, rồi bấm Mở khóa.",
        zone=w.zone(),
    ),
    "tank_ran_low": lambda w: _(
        "Bể chỉ còn %(left)s nước nên máy bơm đã tắt. Thêm nước vào bể.",
        left=w.percent("tank_percent"),
    ),
    "mains_bad": lambda w: _(
        "Điện ở máy bơm đang %(volts)s, cần từ %(low)s đến %(high)s. Chưa tưới được.",
        volts=w.volts("volts"),
        low=w.volts("low_volts"),
        high=w.volts("high_volts"),
    ),
    "mains_uneven": lambda w: _(
        "Điện ba pha ở máy bơm lệch nhau %(apart)s nên chưa tưới được. "
        "Xin gọi thợ điện xem các pha.",
        apart=w.percent("apart_percent"),
    ),
    "mains_gone": lambda w: _("Mất điện ở máy bơm nên chưa tưới được."),
    "pump_not_stopped": lambda w: _(
        "Khẩn cấp: máy bơm không tắt được. Xin ra ngắt điện máy bơm ngay."
    ),
    "supervisor_gone": lambda w: _(
        "Phần giữ an toàn cho van không chạy nên chưa tưới được. Xin báo người phụ trách máy."
    ),
}

URGENT_ALARMS = frozenset(  # water runs where it should not; their sentences say so first
    {"valve_not_closed", "main_not_closed", "leak", "pump_not_stopped", "high_flow"}
)


GOOD_ENDS = ("done", "stopped")  # of a run: as ordered, or as somebody wished


def end_level(code: str | None) -> str:
    """Return the level of a run's end: one that nobody wished is never good."""
    return "good" if code in GOOD_ENDS else "urgent" if code in URGENT_ALARMS else "attention"


def _say(
    table: Mapping[str, _Sentence],
    code: str | None,
    values: Mapping[str, Any] | None,
    names: Names,
    now: float,
    otherwise: str,
) -> str:
    sentence = table.get(code or "")
    if sentence is None:
        return otherwise
    try:
        return sentence(_Words(values or {}, names, now))
    except (KeyError, TypeError, ValueError, OverflowError):  # fewer or other values
        return otherwise


def refusal(
    code: str | None, values: Mapping[str, Any] | None, names: Names, now: float = 0
) -> str:
    """Say why a wish came to nothing."""
    general = _("Chưa tưới được (mã %(code)s). Xin báo người phụ trách máy.", code=code or "?")
    return _say(REFUSED, code, values, names, now, general)


def waiting(
    code: str | None, values: Mapping[str, Any] | None, names: Names, now: float = 0
) -> str:
    """Say why a zone is not watered by itself now; empty when nothing is known."""
    return _say({**WAITED, **REFUSED}, code, values, names, now, "")


def advised(zone_name: str, values: Mapping[str, Any] | None) -> str:
    """Say that a zone whose soil is reckoned should be watered, with its name."""
    table: dict[str, _Sentence] = {
        "should_water": lambda w: _(
            "%(zone)s nên tưới %(time)s: cây đã dùng %(used)s nước trong đất.",
            zone=zone_name,
            time=w.advised("seconds"),
            used=w.water("litres"),
        )
    }
    general = _("%(zone)s nên tưới.", zone=zone_name)
    return _say(table, "should_water", values, {}, 0, general)


def start(
    code: str | None,
    values: Mapping[str, Any] | None,
    names: Names,
    cause: str = "wished",
    by: str | None = None,
) -> str:
    """Say why a run was started."""
    if cause == "wished" and by:
        return _("Tưới theo yêu cầu của %(name)s.", name=by)
    if cause == WET_TEST and by:
        return _("Thử nước, người thử: %(name)s.", name=by)
    general = {
        "band": _("Tự tưới theo độ ẩm đất."),
        "schedule": _("Tưới theo giờ hẹn."),
        "balance": _("Tự tưới theo lượng nước cây cần."),
    }.get(cause, _("Tưới theo yêu cầu."))
    return _say(STARTED, code, values, names, 0, general)


def end(code: str | None, values: Mapping[str, Any] | None, names: Names) -> str:
    """Say how a run ended, and that nobody counted its water where ``litres`` is ``None``."""
    general = _("Lần tưới này đã dừng (mã %(code)s). Xin ra xem.", code=code or "?")
    said = _say(ENDED, code, values, names, 0, general)
    found = values or {}
    is_unmetered = "litres" in found and found["litres"] is None and found.get("seconds")
    if code == END_UNKNOWN or not is_unmetered:
        return said
    return (
        said
        + " "
        + _(
            "Không biết đã chảy bao nhiêu lít vì không có đồng hồ nước hoặc đồng hồ không trả lời."
        )
    )


def alarm(code: str, values: Mapping[str, Any] | None, names: Names, now: float) -> str:
    """Say an alarm."""
    general = _("Tủ điều khiển báo sự cố (mã %(code)s). Xin ra xem.", code=code)
    return _say(ALARMS, code, values, names, now, general)


def outcome(
    code: str | None, values: Mapping[str, Any] | None, names: Names, now: float = 0
) -> str:
    """Say what a command that moved no water has done."""
    return _say(CHANGED, code, values, names, now, _("Đã làm xong."))


METRICS = {
    "air_temperature": later("nhiệt độ"),
    "air_humidity": later("độ ẩm không khí"),
    "light": later("ánh sáng"),
    "soil_moisture": later("độ ẩm đất"),
    "soil_temperature": later("nhiệt độ đất"),
    "soil_ec": later("độ mặn của đất (EC)"),
    "soil_ph": later("độ chua của đất (pH)"),
    "soil_nitrogen": later("đạm trong đất (N)"),
    "soil_phosphorus": later("lân trong đất (P)"),
    "soil_potassium": later("kali trong đất (K)"),
    "co2": later("khí CO₂"),
    "par": later("ánh sáng cho cây (PAR)"),
    "solar_radiation": later("bức xạ mặt trời"),
    "air_pressure": later("áp suất không khí"),
    "wind_speed": later("tốc độ gió"),
    "wind_direction": later("hướng gió"),
    "rain_total": later("lượng mưa đã rơi"),
    "vapour_deficit": later("độ thiếu hụt ẩm"),
    "dew_point": later("điểm sương"),
    "tank_level": later("mức nước trong bể"),
    "door_open": later("cửa mở"),
    "water_flow": later("nước chảy"),
    "water_total": later("lượng nước đã chảy"),
    "battery": later("pin"),
    "voltage": later("điện áp"),
    "current": later("dòng điện"),
    "power": later("công suất điện"),
    "energy_total": later("lượng điện đã dùng"),
    "frequency": later("tần số điện"),
    "power_factor": later("hệ số công suất"),
}


def mode_word(mode: str) -> str:
    """Return the name of a watering mode."""
    words = {
        "off": _("tắt"),
        "manual": _("tưới tay"),
        "band": _("theo độ ẩm đất"),
        "schedule": _("theo giờ hẹn"),
        "balance": _("theo lượng nước cây cần"),
        "advice": _("chỉ gợi ý"),
    }
    return words.get(mode, mode)


def metric_word(metric: str) -> str:
    """Return the name of what is measured."""
    name, dot, channel = metric.partition(".")
    return str(METRICS.get(name, name)) + (f" {channel}" if dot else "")
