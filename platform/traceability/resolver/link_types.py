"""The sorts of link that are known here, by the words of GS1's Web Vocabulary."""

from typing import Any

from nongso.platform.languages import later

VOCABULARY = "https://ref.gs1.org/voc/"
DEFAULT = "defaultLink"
LINKSET_WORDS = ("linkset", "all")

# What a clerk can choose from, with the words for it; the same words stand on the product's page.
NAMES: dict[str, Any] = {
    "pip": later("Giới thiệu sản phẩm"),
    "recipeInfo": later("Cách nấu, cách dùng"),
    "consumerHandlingStorageInfo": later("Cách bảo quản"),
    "certificationInfo": later("Giấy chứng nhận"),
    "hasRetailers": later("Nơi bán"),
    "relatedVideo": later("Phim"),
    "instructions": later("Hướng dẫn"),
    "ingredientsInfo": later("Thành phần"),
    "nutritionalInfo": later("Giá trị dinh dưỡng"),
    "locationInfo": later("Nơi làm ra, đường đến"),
    "homepage": later("Trang của hợp tác xã"),
    "socialMedia": later("Mạng xã hội"),
    "reviews": later("Nhận xét của người mua"),
    "sustainabilityInfo": later("Môi trường"),
    "faqs": later("Hỏi đáp"),
}

_SPELLINGS = (
    VOCABULARY,
    "http://ref.gs1.org/voc/",
    "https://gs1.org/voc/",
    "https://www.gs1.org/voc/",
    "http://gs1.org/voc/",
    "gs1:",
)


def asked(text: str) -> str:
    """The word of a link type, however it was written: gs1:pip, pip, or the whole address."""
    for beginning in _SPELLINGS:
        if text.startswith(beginning):
            return text.removeprefix(beginning)
    return text
