"""What a judged proof file says to people, in English and Vietnamese: proven, and not proven.

Texts only, without the web's catalogues: whoever verifies a file has no Flask. Sentences are
whole, because each may be read aloud.
"""

import datetime
from collections.abc import Iterable

from nongso.platform.traceability.proof.lotproof import Record, Refused, Verdict, code_of

LANGUAGES = ("en", "vi")
_ZONE = datetime.timezone(datetime.timedelta(hours=7))

_REFUSALS = {
    "unreadable": (
        "The file cannot be read as a proof: {why}.",
        "Không đọc được tệp này như một tệp bằng chứng.",
    ),
    "not_a_proof": (
        "This is not a proof file of a lot ({format}).",
        "Đây không phải tệp bằng chứng của một lô ({format}).",
    ),
    "empty": (
        "The proof is from an empty log, which proves nothing.",
        "Bằng chứng lấy từ sổ rỗng, không chứng minh được gì.",
    ),
    "signature": (
        "The signatures are not right: {why}.",
        "Chữ ký của sổ hoặc của bên chứng kiến không đúng.",
    ),
    "other_key": (
        "The file is signed with another key than the one you gave, and that key has not "
        "confirmed it: {key}",
        "Tệp được ký bằng khóa khác với khóa đã đưa, và khóa đã đưa không xác nhận khóa này: "
        "{key}",
    ),
    "proof": (
        "The hashes do not fit together: {why}.",
        "Các mã băm trong tệp không khớp nhau.",
    ),
    "changed": (
        "A record is not what was entered: number {index} of the log ({type}) was changed after "
        "it was recorded, or its proof is wrong: {why}.",
        "Có bản ghi không còn như lúc ghi vào sổ: bản ghi số {index} ({type}) đã bị sửa sau khi "
        "ghi, hoặc bằng chứng của nó sai.",
    ),
    "no_records": (
        "The file holds no record, so it proves nothing.",
        "Tệp không có bản ghi nào nên không chứng minh được gì.",
    ),
    "other_lot": (
        "None of the records says how lot {lot} came about.",
        "Không bản ghi nào cho biết lô {lot} được làm ra thế nào.",
    ),
    "gap": (
        "The file leaves something out: record {index} uses lot {lot}, and no record says where "
        "that came from.",
        "Tệp bị thiếu: bản ghi số {index} lấy từ lô {lot}, nhưng không bản ghi nào cho biết lô "
        "ấy từ đâu đến.",
    ),
    "two_histories": (
        "The log has two histories: the checkpoint that you kept for {size} entries is another "
        "one than this file's. Keep both and show them to others.",
        "Sổ này có hai bản khác nhau: dấu niêm đã giữ cho {size} bản ghi khác với dấu niêm trong "
        "tệp. Xin giữ cả hai và đưa cho người khác xem.",
    ),
    "other_log": (
        "The checkpoint that you kept is of another log ({kept}, not {origin}).",
        "Con dấu đã giữ là của sổ khác ({kept}, không phải {origin}).",
    ),
    "not_comparable": (
        "The checkpoint that you kept ({size} entries) cannot be compared with this file, which "
        "has checkpoints of {sizes} entries. Ask for a proof file of that day, or compare online: "
        "nongso trace witness.",
        "Không so được dấu niêm đã giữ ({size} bản ghi) với tệp này (có dấu niêm cho {sizes} bản "
        "ghi). Xin lấy tệp của cùng ngày.",
    ),
}

_TYPES = {
    "lot.planted": ("planted", "trồng"),
    "lot.harvested": ("harvested", "thu hoạch"),
    "field.fertilised": ("fertilised", "bón phân"),
    "field.sprayed": ("sprayed", "phun thuốc"),
    "field.watered": ("watered", "tưới"),
    "field.pruned": ("crop care", "chăm cây"),
    "field.weighed": ("weighed again", "cân lại"),
    "field.moved": ("moved", "chuyển chỗ"),
    "field.measured": ("measured in a drying yard or store", "đo ở sân phơi, kho"),
    "field.corrected": ("a line of the diary declared wrong", "báo dòng nhật ký ghi sai"),
    "epcis.captured": ("recorded by somebody else", "ghi chép của nơi khác"),
    "lot.received": ("weighed in", "cân vào"),
    "lot.transformed": ("made", "làm ra"),
    "lot.packed": ("packed", "đóng gói"),
    "lot.withdrawn": ("record withdrawn as wrong", "hủy bản ghi vì ghi sai"),
    "lot.split": ("split", "tách lô"),
    "lot.merged": ("merged", "gộp lô"),
    "lot.lost": ("loss", "hao hụt"),
    "lot.taken_over": ("taken over by a new owner", "sang chủ khác"),
    "lot.handed_over": ("handed over", "giao cho người khác giữ"),
    "lot.handed_back": ("handed back", "trả lại chủ"),
    "lot.undone": ("a step undone", "bỏ một bước ghi sai"),
    "lot.declared_wrong": ("declared wrong", "báo là ghi sai"),
    "lot.corrected": ("recorded again, corrected", "ghi lại cho đúng"),
    "lot.account_set_right": ("account of packs put right", "sửa sổ gói cho khớp"),
    "lot.sampled": ("sample taken", "lấy mẫu"),
    "lot.sample_used": ("sample used up", "dùng hết mẫu"),
    "lot.tested": ("tested", "kiểm nghiệm"),
    "lot.test_declared_wrong": ("a test declared wrong", "báo kết quả kiểm nghiệm ghi sai"),
    "lot.test_corrected": ("a test recorded again, corrected", "ghi lại kết quả kiểm nghiệm"),
    "lot.recalled": ("recalled", "thu hồi"),
    "lot.recall_ended": ("recall ended", "hết thu hồi"),
    "carton.packed": ("put into a carton", "xếp vào thùng"),
    "carton.opened": ("carton opened", "mở thùng"),
    "goods.shipped": ("dispatched", "gửi hàng"),
    "goods.arrived": ("arrived", "hàng đến nơi"),
    "goods.returned": ("returned", "hàng trả lại"),
    "goods.shipping_voided": ("dispatch taken back", "bỏ lần gửi ghi sai"),
    "goods.sold": ("sold", "bán"),
    "goods.destroyed": ("destroyed", "tiêu hủy"),
    "labels.issued": ("labels issued", "cấp tem"),
    "labels.spoiled": ("labels reported spoiled", "báo tem hỏng"),
    "labels.applied": ("labels put on packs", "dán tem lên gói"),
    "labels.rolled": ("labels printed before there was a lot", "in sẵn tem chưa có lô"),
    "labels.scratched": ("sheet with scratch codes given out", "giao tờ tem có mã cào"),
    "labels.returned": ("unused labels returned", "trả lại tem không dùng"),
}


def _at(language: str) -> int:
    return LANGUAGES.index(language)


def refusal(error: Refused, language: str = "en") -> str:
    """Say why a file proves nothing."""
    text = _REFUSALS[error.code][_at(language)]
    values = {
        name: ", ".join(map(str, value)) if isinstance(value, list) else value
        for name, value in error.values.items()
    }
    return text.format(**values)


def moment(at: int) -> str:
    """Write a time of the farm: 21/11/2026 15:04."""
    return f"{datetime.datetime.fromtimestamp(at, _ZONE):%d/%m/%Y %H:%M}"


def record(one: Record, language: str = "en") -> str:
    """Say what a record is about: day, deed, lots and quantities."""
    words = _TYPES.get(one.type)
    name = one.body.get("nongso:name")
    parts = [one.day, words[_at(language)] if words else one.type]
    if isinstance(name, str) and one.type != "labels.issued":
        parts.append(name)
    if one.type.startswith("labels.") and "nongso:first" in one.body:
        parts.append(f"{one.body.get('nongso:first')}–{one.body.get('nongso:last')}")
    quantities = one.body.get("outputQuantityList") or one.body.get("quantityList")
    if isinstance(quantities, list):
        parts += [_quantity(q, language) for q in quantities if isinstance(q, dict)]
    return " · ".join(parts)


def _quantity(quantity: dict[str, object], language: str) -> str:
    code, much = code_of(quantity.get("epcClass", "")), quantity.get("quantity")
    if not isinstance(much, (int, float)):
        return code
    unit = quantity.get("uom")
    packs = "gói" if language == "vi" else "pack" if much == 1 else "packs"
    word = "kg" if unit == "KGM" else packs if unit is None else unit
    number = f"{much:,.3f}".rstrip("0").rstrip(".")
    if language == "vi":
        number = number.translate(str.maketrans(",.", ".,"))
    return f"{code} {number} {word}"


def told(verdict: Verdict, language: str = "en") -> Iterable[str]:
    """Say what a file proves and what it does not, line by line."""
    return (_english if language == "en" else _vietnamese)(verdict)


def _english(v: Verdict) -> Iterable[str]:
    yield f"PROVEN for lot {v.lot}:"
    since = f"since {moment(v.since)}" if v.since else "since they were signed (no time is proven)"
    yield (
        f"  The {len(v.records)} records below are unchanged {since}. They stand in the log "
        f"{v.origin}, which has {v.size} entries."
    )
    yield f"  The log's key is {v.key}"
    if v.key_was_kept:
        yield "  It is the key that you gave, or was confirmed by it."
    else:
        yield (
            "  ATTENTION: this key comes from the file itself. Compare it with the notice board "
            "or with a file of before, or give the key that you kept: --key"
        )
    for one in v.witnesses:
        kept = "" if one.kept else ", whose key comes from the file itself"
        yield (f"  {one.name}{kept}, saw the same log of {one.size} entries on {moment(one.at)}.")
    if not v.witnesses:
        yield "  No witness has signed: whether others were shown the same log is not proven."
    if v.compared:
        yield "  It is the same log as in the checkpoint that you kept."
    for code in v.withdrawn:
        yield f"  ATTENTION: the record of lot {code} was withdrawn as wrong."
    for code in v.recalled:
        yield f"  ATTENTION: lot {code} was recalled."
    yield "RECORDS:"
    for record_ in v.records:
        yield f"  {record_.index:>7}  {record(record_)}"
    if v.sealed:
        yield (
            f"  {v.sealed} private fields (who recorded it, whose roots they were) are sealed: "
            "they cannot be read here, and cannot have been changed either."
        )
    yield "NOT PROVEN:"
    yield "  That what was stated is true. The log shows what was recorded and when."
    yield "  That the pack in your hand is of this lot: a label can be copied."
    yield "  That there is no other record of the lot, a failed test or a recall for example: the"
    yield "  file may leave it out, or it came later. See the lot's page for that."


def _vietnamese(v: Verdict) -> Iterable[str]:
    yield f"ĐÃ CHỨNG MINH cho lô {v.lot}:"
    since = f"từ {moment(v.since)}" if v.since else "từ lúc được ký (không rõ giờ)"
    yield (
        f"  {len(v.records)} bản ghi dưới đây chưa bị sửa {since}. Các bản ghi nằm trong sổ "
        f"{v.origin}, sổ có {v.size} bản ghi."
    )
    yield f"  Khóa của sổ: {v.key}"
    if v.key_was_kept:
        yield "  Đây là khóa đã đưa, hoặc được khóa ấy xác nhận."
    else:
        yield (
            "  CHÚ Ý: khóa này lấy từ chính tệp. Xin so với bảng thông báo hoặc tệp cũ, hay đưa "
            "khóa đã giữ bằng --key"
        )
    for one in v.witnesses:
        kept = "" if one.kept else " (khóa lấy từ chính tệp)"
        yield f"  {one.name}{kept} đã thấy cùng sổ này, {one.size} bản ghi, lúc {moment(one.at)}."
    if not v.witnesses:
        yield "  Chưa có bên chứng kiến nào ký: chưa rõ người khác có được xem cùng một sổ không."
    if v.compared:
        yield "  Đây là cùng một sổ với dấu niêm đã giữ."
    for code in v.withdrawn:
        yield f"  CHÚ Ý: bản ghi của lô {code} đã bị hủy vì ghi sai."
    for code in v.recalled:
        yield f"  CHÚ Ý: lô {code} đang bị thu hồi."
    yield "CÁC BẢN GHI:"
    for record_ in v.records:
        yield f"  {record_.index:>7}  {record(record_, 'vi')}"
    if v.sealed:
        yield (
            f"  {v.sealed} mục riêng tư (ai ghi, củ của hộ nào) được niêm kín: ở đây không đọc "
            "được, và cũng không thể đã bị sửa."
        )
    yield "CHƯA CHỨNG MINH:"
    yield "  Lời khai là đúng. Sổ chỉ cho biết đã ghi gì và ghi lúc nào."
    yield "  Gói trên tay thuộc lô này: tem có thể bị chép lại."
    yield "  Không có bản ghi nào khác về lô, chẳng hạn kết quả không đạt hay thu hồi: tệp có thể"
    yield "  thiếu, hoặc có bản ghi về sau. Xin xem trang của lô."
