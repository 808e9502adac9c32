"""Is my greenhouse all right? A level and plain sentences, from what was gathered.

Pure functions. The level is one of four: ``urgent``, ``attention``, ``lost`` (nobody knows) and
``good``; the sentences come most important first, each whole in itself.
"""

from dataclasses import dataclass

from nongso.platform.greenhouse.now import STALE_SECONDS, HouseNow, Value, ZoneNow
from nongso.platform.greenhouse.records import BY_HAND, RECKONED, Gateway
from nongso.platform.greenhouse.resting import house_sentence
from nongso.platform.greenhouse.sentences import (
    URGENT_ALARMS,
    advised,
    alarm,
    limit,
    metric_word,
    refusal,
    within,
)
from nongso.platform.languages import _, moment, quantity
from nongso.wire import marks

LEVELS = ("urgent", "attention", "lost", "good")  # worst first
TOO_COLD = 5.0  # °C: seedlings under film are harmed below
TOO_HOT = 40.0  # °C: leaves are harmed above
TOO_WET = 90.0  # % soil moisture
DOUBTS = ("probe_frozen", "probe_drifting")  # a number that is there and is not believed


@dataclass(frozen=True)
class Condition:
    """How a greenhouse is: a level, and sentences with the level each stands for."""

    level: str
    sentences: tuple[tuple[str, str], ...]


def level_word(level: str) -> str:
    """Return the word that stands beside the colour."""
    words = {
        "urgent": _("Khẩn cấp"),
        "attention": _("Cần chú ý"),
        "lost": _("Mất tín hiệu"),
        "good": _("Bình thường"),
    }
    return words[level]


def judge(house: HouseNow) -> Condition:
    """Say how a greenhouse is."""
    if house.gateway is None:
        return _past_only(house)
    found = [_alarm(house, a.code, a.values, a.zone) for a in house.alarms]
    found += _gateway(house.gateway, house.at)
    if house.is_stale:
        found.append(("lost", stale(house)))
    else:
        found += _air(house)
        doubted = doubted_zones(house)
        for zone in house.zones:
            found += _soil(zone, zone.zone.id in doubted)
        found += _sensors(house)
    found += _resting(house)
    found += _untried(house)
    running = [("good", running_sentence(z, house.at)) for z in house.zones if z.running]
    found.sort(key=lambda pair: LEVELS.index(pair[0]))
    if not found:
        found = [("good", _all_right(house))]
    level = found[0][0]
    return Condition(level, (*found, *running))


def _resting(house: HouseNow) -> list[tuple[str, str]]:
    """Name the zones that somebody's stop keeps from watering by themselves."""
    resting = [z for z in house.zones if z.zone.is_resting and z.running is None]
    everything = next((z.stop for z in resting if z.stop and z.stop.zone is None), None)
    found = [] if everything is None else [("attention", house_sentence(everything, house.at))]
    return found + [
        (
            "attention",
            _(
                "%(zone)s đang tạm nghỉ vì có người đã bấm dừng. "
                "Muốn tự tưới lại, xin bấm Tưới hoặc Cho tự tưới lại.",
                zone=z.zone.name,
            ),
        )
        for z in resting
        if z.stop is None or z.stop.zone is not None
    ]


def _untried(house: HouseNow) -> list[tuple[str, str]]:
    """Name the zones that somebody has unlocked and that have not watered well since."""
    return [
        (
            "attention",
            _(
                "%(zone)s vừa mở khóa sau sự cố, chưa tưới xong lần nào. Xin ra xem lần tưới đầu.",
                zone=z.zone.name,
            ),
        )
        for z in house.zones
        if z.is_untried
    ]


STANDING = (  # alarms with which no zone of the gateway is opened as long as they last
    *("emergency_stop", "stop_button_silent", "supervisor_gone"),
    *("tank_ran_low", "mains_bad", "mains_uneven", "mains_gone"),
)


def why_no_water(house: HouseNow) -> dict[str, str]:
    """Say of each zone that a press for water would surely be refused there now, and why.

    Only what the gateway has told; it alone decides, so a zone that is not named may be refused.
    """
    gateway = house.gateway
    if gateway is None:
        return {}
    whole = ""
    if gateway.is_away(house.at):
        values: dict[str, object] = {"since": gateway.seen_at or gateway.registered_at}
        whole = refusal("gateway_away", values, house.names, house.at)
    for found in house.alarms:
        is_board = found.code == "bus_silent" and found.values.get("device") == "relay"
        if not whole and (found.code in STANDING or is_board):
            whole = refusal(found.code, found.values, house.names, house.at)
    said = {}
    for z in house.zones:
        code = "zone_locked" if z.zone.state == "locked" else ""
        code = code or ("zone_off" if z.zone.mode == "off" and z.zone.is_armed else "")
        if whole or code:
            said[z.zone.id] = whole or refusal(code, {}, house.names, house.at)
    return said


def doubted_zones(house: HouseNow) -> set[str | None]:
    """The zones whose soil moisture is a good-looking number that the gateway does not believe."""
    return {
        a.zone
        for a in house.alarms
        if a.code in DOUBTS and a.values.get("metric") == "soil_moisture"
    }


def stale(house: HouseNow) -> str:
    """Say since when nothing was heard."""
    if house.newest_at is None:
        return _("Chưa có số đo nào.")
    return _(
        "Mất tín hiệu từ %(since)s. Số bên dưới là số cũ, chưa biết bây giờ thế nào.",
        since=moment(house.newest_at, house.at),
    )


def running_sentence(zone: ZoneNow, now: int) -> str:
    """Say that water runs in a zone, and when it ends by itself."""
    run = zone.running
    if run is None:
        return ""
    ends = moment(run.started_at + run.ordered_seconds, now)
    name = within(zone.zone.name)
    if run.cause == BY_HAND:
        return _by_switch(name) if run.is_by_switch else by_hand_sentence(name, ends)
    if zone.litres >= 1:
        return _(
            "Đang tưới %(zone)s, đã chảy %(water)s. Nước sẽ tự tắt lúc %(ends)s.",
            zone=name,
            water=quantity(zone.litres, "l"),
            ends=ends,
        )
    return _("Đang tưới %(zone)s. Nước sẽ tự tắt lúc %(ends)s.", zone=name, ends=ends)


def _by_switch(name: str) -> str:
    """Say that a zone's hand-auto switch is at hand; only the switch ends that."""
    return _(
        "Đang tưới %(zone)s bằng tay: công tắc ở tủ điều khiển đang để tay. "
        "Nước chảy không bị coi là rò và được tính cho khu này. "
        "Tưới xong thì gạt công tắc về tự động.",
        zone=name,
    )


def by_hand_sentence(name: str, ends: str) -> str:
    """Say that a person waters a zone, and until when that is right."""
    return _(
        "Đang tưới %(zone)s bằng tay. Đến %(ends)s, nước chảy không bị coi là rò và được tính "
        "cho khu này. Tưới xong sớm thì bấm Dừng tưới.",
        zone=name,
        ends=ends,
    )


def _past_only(house: HouseNow) -> Condition:
    if house.newest_at is None:
        return Condition("lost", (("lost", _("Chưa có số đo nào.")),))
    return Condition(
        "lost",
        (
            (
                "lost",
                _(
                    "Chỉ có số đo cũ, lần cuối %(at)s. Nhà màng này chưa nối với tủ điều khiển.",
                    at=moment(house.newest_at, house.at),
                ),
            ),
        ),
    )


def _alarm(
    house: HouseNow, code: str, values: dict[str, object], zone: str | None
) -> tuple[str, str]:
    level = "urgent" if code in URGENT_ALARMS else "attention"
    filled = {"zone": zone, **values} if zone else values
    return level, alarm(code, filled, house.names, house.at)


def _gateway(gateway: Gateway, now: int) -> list[tuple[str, str]]:
    if gateway.seen_at is None:
        return [("lost", _("Tủ điều khiển chưa gửi gì về."))]
    if not gateway.is_away(now):
        return []
    return [
        (
            "attention",
            _(
                "Không liên lạc được với tủ điều khiển từ %(since)s. "
                "Nước đang tưới vẫn tự tắt đúng giờ. Chưa tưới từ xa được.",
                since=moment(gateway.seen_at, now),
            ),
        )
    ]


def _air(house: HouseNow) -> list[tuple[str, str]]:
    air = house.best.get("air_temperature")
    if air is None or air.value is None or not air.is_good:
        return []
    warmth = quantity(air.value, "°C")
    if air.value <= TOO_COLD:
        return [
            (
                "urgent",
                _(
                    "Khẩn cấp: trong nhà còn %(warmth)s. Xin đóng bạt, che cây ngay.",
                    warmth=warmth,
                ),
            )
        ]
    if air.value >= TOO_HOT:
        return [
            ("attention", _("Trong nhà nóng %(warmth)s. Xin mở bạt cho thoáng.", warmth=warmth))
        ]
    return []


def _soil(zone: ZoneNow, is_doubted: bool) -> list[tuple[str, str]]:
    if zone.zone.state == "locked":
        return [
            (
                "attention",
                _(
                    "%(zone)s đang khóa vì có sự cố, chưa tưới được. "
                    "Xin xem van và đường ống rồi bấm Mở khóa.",
                    zone=zone.zone.name,
                ),
            )
        ]
    if is_thirsty(zone):
        return [("attention", advised(zone.zone.name, zone.zone.values))]
    soil = zone.moisture
    if is_doubted or soil is None or soil.value is None or not soil.is_good:
        return []
    wet = quantity(soil.value, "%")
    low = (zone.zone.band or {}).get("low")
    if soil.value >= TOO_WET:
        return [
            (
                "attention",
                _(
                    "%(zone)s đất ướt quá: %(wet)s. Chưa nên tưới thêm.",
                    zone=zone.zone.name,
                    wet=wet,
                ),
            )
        ]
    if not isinstance(low, (int, float)) or soil.value >= low or zone.running is not None:
        return []
    least = limit(low)
    if zone.zone.mode in RECKONED:
        text = _(
            "%(zone)s đất khô: còn %(wet)s, cần ít nhất %(least)s. "
            "Xin xem đất: lượng nước tính được có thể sai.",
            zone=zone.zone.name,
            wet=wet,
            least=least,
        )
        return [("attention", text)]
    if zone.zone.mode == "band" and zone.zone.code != "stopped_by_person":
        text = _(
            "%(zone)s đất khô: còn %(wet)s, cần ít nhất %(least)s. Khu này sẽ tự tưới.",
            zone=zone.zone.name,
            wet=wet,
            least=least,
        )
    else:
        text = _(
            "%(zone)s đất khô: còn %(wet)s, cần ít nhất %(least)s. Nên tưới 10 phút.",
            zone=zone.zone.name,
            wet=wet,
            least=least,
        )
    return [("attention", text)]


def is_thirsty(zone: ZoneNow) -> bool:
    """Whether its plants have used what they may, by the reckoning that only advises."""
    return zone.zone.code == "should_water" and zone.zone.mode == "advice" and not zone.running


def _is_moist_enough(house: HouseNow) -> bool:
    """Whether every soil that is read is enough by what its own zone waters by.

    Where nobody has said how moist it should be, a percentage alone says nothing of it.
    """
    known = [z for z in house.zones if z.moisture is not None]
    return all(
        z.zone.code == "soil_has_water" if z.zone.mode in RECKONED else bool(z.zone.band)
        for z in known
    )


def _sensors(house: HouseNow) -> list[tuple[str, str]]:
    """Name the sensors whose newest word is not to be trusted, or that fell silent."""
    found = []
    zones = {z.zone.id: z.zone.name for z in house.zones}
    silent = dict(house.lost)
    for value in house.values:
        if house.at - value.at > STALE_SECONDS:
            silent[value.node] = max(silent.get(value.node, 0), value.at)
        elif not value.is_good:
            found.append(("attention", faulty(value, zones.get(value.zone))))
    alive = {v.node for v in house.values if house.at - v.at <= STALE_SECONDS} - house.lost.keys()
    spoken = {str(a.values.get("node")) for a in house.alarms if a.code == "node_silent"}
    for node, at in sorted(silent.items()):
        known = {house.names.get(name, name) for name in spoken}
        if node not in alive and node not in known:
            found.append(
                (
                    "attention",
                    _(
                        "Trạm đo %(node)s mất tín hiệu từ %(since)s. "
                        "Xin xem pin và sóng của trạm.",
                        node=node,
                        since=moment(at, house.at),
                    ),
                )
            )
    return found


def faulty(value: Value, zone: str | None) -> str:
    """Say that a sensor cannot be trusted."""
    if zone and value.metric.name == "soil_moisture":
        return _(
            "Cảm biến độ ẩm đất %(zone)s báo số không đúng. Không dùng số này để tưới. "
            "Cần xem lại cảm biến và dây nối.",
            zone=within(zone),
        )
    if marks.quality(value.mark) == "failed":
        return _(
            "Cảm biến %(what)s của trạm %(node)s không cho số. Cần xem lại cảm biến và dây nối.",
            what=metric_word(value.name),
            node=value.node,
        )
    return _(
        "Cảm biến %(what)s của trạm %(node)s báo số không đúng. Không dùng số này. "
        "Cần xem lại cảm biến và dây nối.",
        what=metric_word(value.name),
        node=value.node,
    )


def _all_right(house: HouseNow) -> str:
    """Model sentence 1, with what there is; its time is that of the oldest number it says."""
    shown = {v.metric.name: v for v in house.headline() if v.is_good and v.value is not None}
    air, soil = shown.get("air_temperature"), shown.get("soil_moisture")
    spoken = [v.at for v in (air, soil) if v is not None and house.at - v.at <= STALE_SECONDS]
    at = moment(min(spoken, default=house.newest_at or house.at), house.at)
    name = house.greenhouse.name
    if soil is not None and air is not None:
        shows = {
            "name": name,
            "wet": quantity(soil.value or 0.0, "%"),
            "warmth": quantity(air.value or 0.0, "°C", 1),
            "at": at,
        }
        if _is_moist_enough(house):
            return _(
                "%(name)s: bình thường. Đất đủ ẩm (%(wet)s), trong nhà %(warmth)s. Đo lúc %(at)s.",
                **shows,
            )
        return _(
            "%(name)s: bình thường. Độ ẩm đất %(wet)s, trong nhà %(warmth)s. Đo lúc %(at)s.",
            **shows,
        )
    if air is not None:
        return _(
            "%(name)s: bình thường. Trong nhà %(warmth)s. Đo lúc %(at)s.",
            name=name,
            warmth=quantity(air.value or 0.0, "°C", 1),
            at=at,
        )
    return _("%(name)s: bình thường. Đo lúc %(at)s.", name=name, at=at)
