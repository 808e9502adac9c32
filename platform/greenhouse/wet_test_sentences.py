"""What is said of a zone's wet test, by what its gateway has told of it (``rows.WetTests``)."""

from typing import Any

from nongso.platform.greenhouse.records import Zone
from nongso.platform.languages import _, duration, moment, quantity
from nongso.wire.reasons import UNSEEN

Test = dict[str, Any]
MUCH_LESS, MUCH_MORE = 0.6, 1.35  # of what is known: as the valves' supervisor stops a run
ASKED_SECONDS = 86400  # so long after a test that was broken off its greenhouse's page asks


def was_halted(test: Test | None) -> bool:
    """Whether a test was broken off and what somebody saw meanwhile still says something."""
    return test is not None and test["state"] == "broken_off" and test["code"] not in UNSEEN


def unanswered(zone: Zone, now: int) -> Test | None:
    """Return a zone's test of which wrong water may be told now: it goes on, or was halted."""
    test: Test | None = (zone.wet_test or {}).get("last")
    if test is None or (zone.is_armed and now - test["at"] > ASKED_SECONDS):
        return None
    return test if test["state"] in ("open", "closing") or was_halted(test) else None


def zone_sentence(zone: Zone, now: int) -> str:
    """Say on its greenhouse's page who has tested a zone, or why it does not water yet."""
    return armed_sentence(zone, now) if zone.is_armed else untested_sentence(zone, now)


def armed_sentence(zone: Zone, now: int) -> str:
    """Say who has tested a zone that waters, and when; empty where nobody has."""
    passed = (zone.wet_test or {}).get("passed")
    if not zone.is_armed or passed is None:
        return ""
    by, seen_by = passed["by"] or "?", passed["seen_by"] or "?"
    at = moment(passed["seen_at"] or passed["at"], now)
    if by == seen_by:
        return _("Đã thử nước lúc %(at)s, người thử: %(by)s.", at=at, by=by)
    return _(
        "Đã thử nước lúc %(at)s. Người mở van: %(by)s. Người nhìn thấy nước: %(seen_by)s.",
        at=at,
        by=by,
        seen_by=seen_by,
    )


def usual_sentence(test: Test) -> str:
    """Say what is kept of the flow that a test has measured."""
    if test["flow_l_per_min"] is None:
        return ""
    return _(
        "Tủ điều khiển nhớ lượng nước của khu này là %(flow)s. Sau này nước chảy mạnh hơn hay "
        "yếu hơn hẳn thì tủ tự tắt và báo.",
        flow=_flow(test["flow_l_per_min"]),
    )


def flow_sentence(test: Test | None) -> str:
    """Say that a test has measured much more or less than was known of its zone.

    More may come out at another zone whose valve does not close: nobody at this valve sees it.
    """
    flow, known = (test or {}).get("flow_l_per_min"), (test or {}).get("known_l_per_min")
    if test is not None and known and not test["litres"]:
        return _(
            "Trước đây khu này chảy %(known)s, lần này đồng hồ không đếm được gì. "
            "Xin xem van tay, bộ lọc và đồng hồ nước.",
            known=_flow(known),
        )
    if flow is None or not known or MUCH_LESS * known <= flow <= MUCH_MORE * known:
        return ""
    if flow > known:
        return _(
            "Nước chảy mạnh hơn hẳn mức đã biết của khu này: %(flow)s, trước là %(known)s. Có thể "
            "van khu khác chưa đóng kín hoặc vỡ ống. Xin đi xem các khu khác và đường ống.",
            flow=_flow(flow),
            known=_flow(known),
        )
    return _(
        "Nước chảy yếu hơn hẳn mức đã biết của khu này: %(flow)s, trước là %(known)s. "
        "Xin xem van tay, bộ lọc và máy bơm.",
        flow=_flow(flow),
        known=_flow(known),
    )


def untested_sentence(zone: Zone, now: int) -> str:
    """Say why a zone that is not armed does not water."""
    last = (zone.wet_test or {}).get("last")
    if last is not None and last["state"] in ("open", "closing", "asked"):
        return _("Đang thử nước khu này. Người thử: %(name)s.", name=last["by"] or "?")
    if last is not None and last["state"] == "failed":
        return why_sentence(zone, now)
    return _("Khu này chưa thử nước nên chưa tưới được. Xin ra cạnh van rồi bấm Thử nước.")


def why_sentence(zone: Zone, now: int) -> str:
    """Say what is wrong after a test that failed, or that one was broken off."""
    test = (zone.wet_test or {})["last"]
    if test["state"] == "broken_off":
        return _broken_off(test)
    said = _failed(test)
    at = moment(test["seen_at"] or test["at"], now)
    name = test["seen_by"] or test["by"] or "?"
    return _("Thử nước lúc %(at)s không được. Người thử: %(name)s.", at=at, name=name) + " " + said


def _failed(test: Test) -> str:
    if test["code"] == "still_flows":
        return _(
            "Đã tắt bơm và mọi van mà nước vẫn chảy %(flow)s. Xin tìm chỗ rò và xem các van đã "
            "đóng kín chưa, rồi thử lại.",
            flow=_flow(test["closed_l_per_min"] or 0.0),
        )
    if test["code"] == "not_shut":
        return _(
            "Đã tắt bơm và van của khu này mà nước vẫn chảy %(flow)s. Xin xem van này có kẹt "
            "không, van khác đã đóng kín chưa, ống có rò không, rồi thử lại.",
            flow=_flow(test.get("shut_l_per_min") or 0.0),
        )
    known = {
        "saw_nothing": _(
            "Không thấy nước ở khu này. Xin xem van tay đầu ống, ống nối và bộ lọc, rồi thử lại."
        ),
        "saw_elsewhere": _(
            "Nước chảy ở khu khác: dây van trong tủ hoặc ống có thể bị nối nhầm. "
            "Xin nối lại cho đúng, rồi thử lại cả hai khu."
        ),
        "saw_open": _(
            "Van của khu này không đóng kín. Xin xem rác kẹt trong van và dây nối của van, "
            "rồi thử lại."
        ),
        "no_flow": _(
            "Van đã mở nhưng không có nước. Xin xem bể nước, máy bơm, van tổng và van tay, "
            "bấm Mở khóa rồi thử lại."
        ),
        "valve_not_opened": _(
            "Rơ-le của van không bật. Xin xem điện và dây nối của van, bấm Mở khóa rồi thử lại."
        ),
        "valve_not_closed": _(
            "Van không đóng lại được nên đã tắt bơm và khóa van tổng. Xin ra xem van ngay."
        ),
        "pump_not_started": _(
            "Máy bơm hoặc van tổng không bật. Xin xem điện và dây nối, bấm Mở khóa rồi thử lại."
        ),
    }
    return known.get(test["code"], _("Xin xem van và đường ống, rồi thử lại."))


def _broken_off(test: Test) -> str:
    if test["code"] == "by_hand":
        return _("Trong lúc thử có người tưới tay nên đo không đúng. Xin khóa vòi rồi thử lại.")
    if test["code"] == "rewired":
        return _("Van của khu này đã nối sang chỗ khác trong tủ. Xin thử nước lại.")
    if test["code"] == "stopped":
        return _("Lần thử trước có người bấm dừng nên chưa biết khu này thế nào. Xin thử lại.")
    if test["code"] == "not_answered":
        return _("Lần thử trước không ai trả lời đã nhìn thấy gì. Xin thử lại.")
    return _("Lần thử trước bị ngắt giữa chừng nên chưa biết khu này thế nào. Xin thử lại.")


def measured(test: Test, has_meter: bool) -> list[str]:
    """Say what the gateway has measured in a test that waits for its answer."""
    said = [_("Rơ-le của van đã bật và đã tắt đúng lệnh.")]
    if test["pump_after_seconds"] is not None:
        after = duration(max(1, round(test["pump_after_seconds"])))
        said.append(_("Máy bơm chạy sau khi van mở %(time)s.", time=after))
    if not has_meter:
        none = _("Tủ này không có đồng hồ nước nên không đo được gì: chỉ dựa vào mắt nhìn.")
        return [*said, none]
    if not test["litres"]:
        said.append(_("Đồng hồ nước chưa đếm được gì trong lần thử này: chỉ dựa vào mắt nhìn."))
    else:
        if test["water_after_seconds"] is not None:
            after = duration(max(1, round(test["water_after_seconds"])))
            said.append(_("Đồng hồ thấy nước chảy sau khoảng %(time)s.", time=after))
        water = quantity(test["litres"], "l", _decimals(test["litres"]))
        said.append(_("Đã chảy %(water)s.", water=water))
        if test["flow_l_per_min"] is not None:
            flow = _flow(test["flow_l_per_min"])
            said.append(_("Nước chảy đều %(flow)s.", flow=flow))
    if test["closed_l_per_min"] is None:
        said.append(_("Không đo được nước đã ngừng chưa. Xin nhìn xem còn chảy không."))
    elif test["litres"]:  # what was not seen to flow cannot be said to stop
        said.append(_("Bơm và van tổng tắt rồi thì nước ngừng chảy."))
    if test.get("is_shut"):
        said.append(_shut(test))
    return said


def _shut(test: Test) -> str:
    """Say how it was measured that the valve itself closes."""
    flow, left = _flow(test["fall_l_per_min"] or 0.0), test["shut_l_per_min"] or 0.0
    if not left:
        return _(
            "Bơm tắt, van mở: nước tự chảy %(flow)s. Bơm tắt, van đóng: nước không chảy. "
            "Van này đóng được.",
            flow=flow,
        )
    return _(
        "Bơm tắt, van mở: nước tự chảy %(flow)s. Bơm tắt, van đóng: còn %(left)s.",
        flow=flow,
        left=_flow(left),
    )


def _flow(l_per_min: float) -> str:
    return quantity(l_per_min, "l/min", _decimals(l_per_min))


def _decimals(value: float) -> int:
    """A small zone's few litres are told to a tenth."""
    return 0 if value >= 10 else 1
