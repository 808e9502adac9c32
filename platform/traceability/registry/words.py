"""What the registry's kinds and units are called."""

from nongso.platform.languages import _
from nongso.platform.traceability.registry import records as kinds


def kind_of_certificate(kind: str) -> str:
    """What sort of paper."""
    return {
        kinds.OCOP: _("Giấy chứng nhận OCOP"),
        kinds.VIETGAP: _("Giấy chứng nhận VietGAP"),
        kinds.FOOD_SAFETY: _("Giấy an toàn thực phẩm"),
        kinds.TEST_REPORT: _("Phiếu kiểm nghiệm"),
        kinds.STANDARD: _("Bản công bố tiêu chuẩn"),
        kinds.OTHER: _("Giấy khác"),
    }[kind]


def unit_of_area(unit: str) -> str:
    """What a unit of land is called, with its size where it differs by region."""
    return {
        "m2": "m²",
        "ha": "ha",
        "sao": _("sào Bắc Bộ (360 m²)"),
        "mau": _("mẫu Bắc Bộ (3.600 m²)"),
        "thuoc": _("thước Bắc Bộ (24 m²)"),
    }[unit]
