"""What is said about an alert: one whole sentence, with what to do, and one when it is over.

Pure functions: code and values in, a sentence in the language of the reader out. Sentences of
the gateway's own alarms are those of ``nongso.platform.greenhouse.sentences``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from nongso.platform.greenhouse import sentences as water
from nongso.platform.languages import _, moment, number, quantity
from nongso.wire.reasons import LOOKED_AFTER

Values = Mapping[str, Any]
_Sentence = Callable[[Values, int], str]


def _warmth(values: Values) -> str:
    return quantity(float(values["value"]), "°C", 1)


def _wet(values: Values) -> str:
    return quantity(float(values["value"]), "%")


def _wind(values: Values) -> str:
    return quantity(float(values["value"]), "m/s")


def _gas(values: Values) -> str:
    return quantity(float(values["value"]), "ppm")


def _zone(values: Values) -> str:
    return water.within(str(values["zone"]))


def _dry(v: Values, now: int) -> str:
    if v.get("waters_itself"):
        return _(
            "%(house)s: đất %(zone)s vẫn khô dù tự tưới, còn %(wet)s. "
            "Xin xem van, đường ống và bể nước.",
            house=v["house"],
            zone=_zone(v),
            wet=_wet(v),
        )
    return _(
        "%(house)s: đất %(zone)s khô, còn %(wet)s, cần ít nhất %(least)s. Nên tưới 10 phút.",
        house=v["house"],
        zone=_zone(v),
        wet=_wet(v),
        least=water.limit(float(v["limit"])),
    )


def _silent(v: Values, now: int) -> str:
    nodes = [str(node) for node in v["nodes"]]
    since = moment(float(v["since"]), now) if v.get("since") else ""
    if not since:
        return _(
            "%(house)s: có trạm đo mất tín hiệu. Xin xem pin và sóng của trạm.", house=v["house"]
        )
    if v.get("all"):
        return _(
            "%(house)s: cả %(count)s trạm đo mất tín hiệu từ %(since)s. "
            "Xin xem điện, sóng và pin của các trạm.",
            house=v["house"],
            count=number(len(nodes)),
            since=since,
        )
    if len(nodes) > 1:
        return _(
            "%(house)s: các trạm đo %(nodes)s mất tín hiệu từ %(since)s. "
            "Xin xem pin và sóng của các trạm.",
            house=v["house"],
            nodes=", ".join(nodes),
            since=since,
        )
    return _(
        "%(house)s: trạm đo %(node)s mất tín hiệu từ %(since)s. Xin xem pin và sóng của trạm.",
        house=v["house"],
        node=nodes[0] if nodes else "?",
        since=since,
    )


def _away(v: Values, now: int) -> str:
    return _(
        "Không liên lạc được với %(name)s từ %(since)s. Nước đang tưới vẫn tự tắt đúng giờ, "
        "chưa tưới từ xa được. Xin xem điện và mạng của tủ.",
        name=v["name"],
        since=moment(float(v["since"]), now),
    )


_STANDING: dict[str, _Sentence] = {
    "cold": lambda v, now: _(
        "%(house)s lạnh: trong nhà còn %(warmth)s. Xin đóng bạt, chuẩn bị che cây.",
        house=v["house"],
        warmth=_warmth(v),
    ),
    "frost": lambda v, now: _(
        "Khẩn cấp: %(house)s trong nhà còn %(warmth)s. Xin đóng bạt, che cây ngay.",
        house=v["house"],
        warmth=_warmth(v),
    ),
    "heat": lambda v, now: _(
        "%(house)s nóng: trong nhà %(warmth)s. Xin mở bạt cho thoáng.",
        house=v["house"],
        warmth=_warmth(v),
    ),
    "scorch": lambda v, now: _(
        "Khẩn cấp: %(house)s trong nhà nóng %(warmth)s. Xin mở hết bạt, che nắng ngay.",
        house=v["house"],
        warmth=_warmth(v),
    ),
    "wind": lambda v, now: _(
        "Gió mạnh %(wind)s ở %(name)s. Xin đóng cửa nhà màng và buộc chặt bạt.",
        wind=_wind(v),
        name=v["name"],
    ),
    "gale": lambda v, now: _(
        "Khẩn cấp: gió rất mạnh %(wind)s ở %(name)s. Xin đóng kín nhà màng ngay, "
        "buộc chặt bạt và không đứng trong nhà.",
        wind=_wind(v),
        name=v["name"],
    ),
    "soil_dry": _dry,
    "soil_wet": lambda v, now: _(
        "%(house)s: đất %(zone)s ướt quá, %(wet)s. Chưa nên tưới thêm, xin khơi rãnh thoát nước.",
        house=v["house"],
        zone=_zone(v),
        wet=_wet(v),
    ),
    "co2_low": lambda v, now: _(
        "%(house)s: khí CO₂ còn %(gas)s, cây lớn chậm. Nếu trời không lạnh, "
        "xin mở bạt cho thoáng.",
        house=v["house"],
        gas=_gas(v),
    ),
    "co2_high": lambda v, now: _(
        "Khẩn cấp: %(house)s có khí CO₂ %(gas)s, dễ bị ngạt. Xin chưa vào nhà, "
        "mở bạt từ bên ngoài cho thoáng.",
        house=v["house"],
        gas=_gas(v),
    ),
    "battery_low": lambda v, now: _(
        "Pin của trạm đo %(node)s yếu, còn %(volts)s. Xin sạc hoặc thay pin.",
        node=v["node"],
        volts=quantity(float(v["volts"]), "V", 2),
    ),
    "tank_low": lambda v, now: _(
        "Bể nước của %(name)s còn %(wet)s. Xin thêm nước vào bể.", name=v["name"], wet=_wet(v)
    ),
    "tank_empty": lambda v, now: _(
        "Khẩn cấp: bể nước của %(name)s chỉ còn %(wet)s. Xin thêm nước vào bể ngay, "
        "nếu không sẽ không tưới được.",
        name=v["name"],
        wet=_wet(v),
    ),
    "node_silent": _silent,
    "gateway_silent": _away,
}

_OVER: dict[str, _Sentence] = {
    "cold": lambda v, now: _(
        "Đã ổn: %(house)s hết lạnh, trong nhà %(warmth)s.", house=v["house"], warmth=_warmth(v)
    ),
    "frost": lambda v, now: _(
        "Đã ổn: %(house)s qua mức nguy hiểm, trong nhà %(warmth)s.",
        house=v["house"],
        warmth=_warmth(v),
    ),
    "heat": lambda v, now: _(
        "Đã ổn: %(house)s bớt nóng, trong nhà %(warmth)s.", house=v["house"], warmth=_warmth(v)
    ),
    "scorch": lambda v, now: _(
        "Đã ổn: %(house)s qua mức nguy hiểm, trong nhà %(warmth)s.",
        house=v["house"],
        warmth=_warmth(v),
    ),
    "wind": lambda v, now: _(
        "Đã ổn: gió ở %(name)s đã nhẹ, %(wind)s.", name=v["name"], wind=_wind(v)
    ),
    "gale": lambda v, now: _(
        "Đã ổn: gió ở %(name)s đã bớt, %(wind)s. Xin xem lại bạt và khung nhà.",
        name=v["name"],
        wind=_wind(v),
    ),
    "soil_dry": lambda v, now: _(
        "Đã ổn: %(house)s, đất %(zone)s đã đủ ẩm, %(wet)s.",
        house=v["house"],
        zone=_zone(v),
        wet=_wet(v),
    ),
    "soil_wet": lambda v, now: _(
        "Đã ổn: %(house)s, đất %(zone)s đã ráo, %(wet)s.",
        house=v["house"],
        zone=_zone(v),
        wet=_wet(v),
    ),
    "co2_high": lambda v, now: _(
        "Đã ổn: %(house)s, khí CO₂ đã xuống %(gas)s.", house=v["house"], gas=_gas(v)
    ),
    "battery_low": lambda v, now: _(
        "Đã ổn: pin của trạm đo %(node)s đã đủ, %(volts)s.",
        node=v["node"],
        volts=quantity(float(v["volts"]), "V", 2),
    ),
    "tank_low": lambda v, now: _(
        "Đã ổn: bể nước của %(name)s có %(wet)s.", name=v["name"], wet=_wet(v)
    ),
    "tank_empty": lambda v, now: _(
        "Đã ổn: bể nước của %(name)s có %(wet)s.", name=v["name"], wet=_wet(v)
    ),
    "node_silent": lambda v, now: _(
        "Đã ổn: các trạm đo của %(house)s lại gửi số về.", house=v["house"]
    ),
    "gateway_silent": lambda v, now: _("Đã ổn: %(name)s lại liên lạc được.", name=v["name"]),
    "valve_not_closed": lambda v, now: _(
        "Đã ổn: van đã đóng lúc %(at)s. Không phải làm gì thêm.", at=moment(float(v["at"]), now)
    ),
    "leak": lambda v, now: _(
        "Đã ổn: nước ngừng chảy lúc %(at)s. Không phải làm gì thêm.",
        at=moment(float(v["at"]), now),
    ),
    "pump_not_stopped": lambda v, now: _(
        "Đã ổn: máy bơm đã tắt lúc %(at)s. Không phải làm gì thêm.",
        at=moment(float(v["at"]), now),
    ),
}


def _easing(code: str, values: Values) -> str:
    """Between the limits, or not long enough beyond them: no longer wrong, not yet over."""
    value = quantity(float(values["eases"]), unit(code), 1 if unit(code) == "°C" else 0)
    if values.get("zone"):
        return _(
            "%(what)s ở %(house)s, %(zone)s: đang khá lên, nay %(value)s. Chờ thêm cho chắc.",
            what=rule_word(code),
            house=values.get("house", ""),
            zone=_zone(values),
            value=value,
        )
    return _(
        "%(what)s ở %(house)s: đang khá lên, nay %(value)s. Chờ thêm cho chắc.",
        what=rule_word(code),
        house=values.get("house") or values.get("name", ""),
        value=value,
    )


def standing(code: str, values: Values, now: int) -> str:
    """Say what is wrong and what to do; of what is on its way back, that it is."""
    if "eases" in values and unit(code):
        return _easing(code, values)
    sentence = _STANDING.get(code)
    if sentence is None:
        said, names = values.get("said"), values.get("names")
        return water.alarm(
            str(values.get("alarm") or code),
            said if isinstance(said, Mapping) else {},
            names if isinstance(names, Mapping) else {},
            now,
        )
    try:
        return sentence(values, now)
    except (KeyError, TypeError, ValueError):  # kept by another version: fewer values
        return _("Có việc cần xem (mã %(code)s). Xin mở trang nhà màng.", code=code)


def over_word(code: str, values: Values) -> str:
    """Return the word of an alert that is over, to stand beside the colour."""
    if values.get("gone"):
        return _("Thôi báo")
    return _("Đã mở khóa") if code in LOOKED_AFTER else _("Đã ổn")


def over(code: str, values: Values, raised_at: int, cleared_at: int, now: int) -> str:
    """Say that it is over."""
    if values.get("gone"):
        return _(
            "Thôi báo: việc báo lúc %(raised)s không còn được theo dõi, "
            "nên không rõ đã ổn hay chưa.",
            raised=moment(raised_at, now),
        )
    if code in LOOKED_AFTER:  # whether it is mended, the next water will show
        return _(
            "Đã mở khóa lúc %(at)s sau việc báo lúc %(raised)s. Xin để ý lần tưới đầu.",
            raised=moment(raised_at, now),
            at=moment(cleared_at, now),
        )
    sentence = _OVER.get(code)
    try:
        if sentence is not None:
            return sentence({"at": cleared_at, **values}, now)
    except (KeyError, TypeError, ValueError):
        pass
    return _(
        "Đã ổn: việc báo lúc %(raised)s đã hết lúc %(at)s. Không phải làm gì thêm.",
        raised=moment(raised_at, now),
        at=moment(cleared_at, now),
    )


def title(values: Values, what: str) -> str:
    """Return what stands above a message: where it is, and that it is said again."""
    place = str(values.get("house") or values.get("name") or "Nông số")
    if what == "repeated":
        return _("%(place)s: nhắc lại, chưa ai bấm Đã biết", place=place)
    if what == "escalated":
        return _("%(place)s: báo thêm vì chưa ai bấm Đã biết", place=place)
    return place


def level_word(level: str) -> str:
    """Return the word that stands beside the colour."""
    words = {"alarm": _("Khẩn cấp"), "warning": _("Cần chú ý"), "info": _("Để biết")}
    return words.get(level, level)


def rule_word(code: str) -> str:
    """Return the name of a rule, for the page of limits."""
    words = {
        "cold": _("Lạnh"),
        "frost": _("Rét hại"),
        "heat": _("Nóng"),
        "scorch": _("Nóng hại cây"),
        "wind": _("Gió mạnh"),
        "gale": _("Gió rất mạnh"),
        "soil_dry": _("Đất khô"),
        "soil_wet": _("Đất ướt quá"),
        "co2_low": _("Thiếu khí CO₂"),
        "co2_high": _("Thừa khí CO₂"),
        "battery_low": _("Pin trạm đo yếu"),
        "tank_low": _("Bể sắp cạn"),
        "tank_empty": _("Bể cạn"),
        "node_silent": _("Trạm đo mất tín hiệu"),
        "gateway_silent": _("Tủ điều khiển mất liên lạc"),
        "valve_not_closed": _("Van không đóng được"),
        "leak": _("Rò nước"),
        "pump_not_stopped": _("Máy bơm không tắt được"),
        "valve_not_opened": _("Van không mở được"),
        "no_flow": _("Mở van mà không có nước"),
        "main_not_closed": _("Van tổng không đóng được"),
        "coil_not_closed": _("Rơ-le không nhả"),
        "pump_not_started": _("Máy bơm không bật được"),
        "tank_ran_low": _("Bể cạn giữa lúc tưới"),
        "mains_bad": _("Điện quá yếu hoặc quá mạnh"),
        "mains_uneven": _("Điện ba pha lệch nhau"),
        "mains_gone": _("Mất điện ở máy bơm"),
        "emergency_stop": _("Nút dừng khẩn cấp đang ấn"),
        "stop_button_silent": _("Nút dừng khẩn cấp không trả lời"),
        "low_flow": _("Nước chảy yếu"),
        "high_flow": _("Nước chảy quá mạnh"),
        "bus_silent": _("Thiết bị trong tủ không trả lời"),
        "supervisor_gone": _("Phần giữ an toàn cho van ngừng chạy"),
        "water_test_due": _("Nước quá hạn kiểm nghiệm"),
        "probe_frozen": _("Cảm biến đứng yên một số"),
        "probe_drifting": _("Cảm biến đất báo ướt dần dù không tưới"),
        "message_conflict": _("Trạm đo gửi số trái nhau"),
        "store_damaged": _("Tệp lưu số đo bị hỏng"),
        "taken_up": _("Tủ điều khiển mới được thay hoặc khôi phục"),
        "telemetry_dropped": _("Mất số đo cũ"),
        "rows_refused": _("Máy chủ không nhận số liệu"),
        "gateway_alarm": _("Sự cố khác của tủ điều khiển"),
    }
    return words.get(code, code)


def crop_word(crop: str) -> str:
    """Return the name of a crop."""
    words = {
        "general": _("Chưa rõ, dùng mức chung"),
        "greens": _("Rau ăn lá"),
        "tomato": _("Cà chua"),
        "melon": _("Dưa"),
        "strawberry": _("Dâu tây"),
    }
    return words.get(crop, crop)


def unit(code: str) -> str:
    """Return the unit in which a rule's limits are written; empty for states."""
    for codes, word in (
        (("cold", "frost", "heat", "scorch"), "°C"),
        (("wind", "gale"), "m/s"),
        (("soil_dry", "soil_wet", "tank_low", "tank_empty"), "%"),
        (("co2_low", "co2_high"), "ppm"),
    ):
        if code in codes:
            return word
    return ""
