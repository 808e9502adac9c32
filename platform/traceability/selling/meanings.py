"""What a column of a market's table may mean, and guessing it from its title.

A title is read without marks and signs, in Vietnamese or English; the longest words that it
holds decide. It is a proposal: a person looks at it and corrects it. Words that would mislead
(the weight of a parcel, a price of before) stand in the list with no meaning, so that they beat
the shorter word inside them. A meaning is proposed for one column only, the first.
"""

import re
from collections.abc import Sequence

from nongso.platform.languages import _
from nongso.platform.traceability.shopper.shelf import folded

# Words are folded: lower case, without marks, single spaces.
_WORDS: dict[str, tuple[str, ...]] = {
    "name": ("ten san pham", "ten hang", "ten hang hoa", "ten", "product name", "product title",
             "item name", "title", "name"),
    "sku": ("ma san pham", "ma hang", "ma hang hoa", "ma sku", "sku", "seller sku",
            "product code", "item code", "parent sku"),
    "gtin": ("gtin", "ma vach", "ma gtin", "barcode", "bar code", "ean", "upc",
             "product identifier code"),
    "brand": ("thuong hieu", "nhan hieu", "ten thuong hieu", "brand", "brand name"),
    "kind": ("nganh hang", "danh muc", "loai san pham", "loai hang", "nhom hang", "category",
             "product type"),
    "description": ("mo ta", "mo ta san pham", "gioi thieu", "gioi thieu san pham",
                    "description", "product description", "long description"),
    "about_en": ("mo ta tieng anh", "gioi thieu tieng anh", "gioi thieu bang tieng anh",
                 "description en", "english description", "description in english"),
    "content": ("quy cach", "quy cach dong goi", "dong goi", "dung tich", "phan loai",
                "khoi luong tinh", "net content", "net weight", "pack size", "specification",
                "variation", "variant", "option"),
    "grams": ("khoi luong g", "khoi luong gram", "khoi luong tinh g", "trong luong g",
              "can nang g", "net weight g", "weight g", "weight gram"),
    "kilograms": ("khoi luong kg", "khoi luong tinh kg", "trong luong kg", "can nang kg",
                  "net weight kg", "weight kg"),
    "price": ("gia", "gia ban", "gia ban le", "don gia", "gia san pham", "price", "unit price",
              "retail price", "selling price"),
    "ingredients": ("thanh phan", "nguyen lieu", "ingredients", "ingredient"),
    "directions": ("huong dan su dung", "cach dung", "cach su dung", "directions", "usage",
                   "how to use"),
    "storage": ("bao quan", "cach bao quan", "huong dan bao quan", "dieu kien bao quan",
                "storage", "storage condition", "storage conditions"),
    "warnings": ("luu y", "canh bao", "thong tin canh bao", "warning", "warnings"),
    "origin": ("xuat xu", "nguon goc xuat xu", "noi san xuat", "nuoc san xuat", "origin",
               "country of origin", "country region of origin"),
    "shelf_life": ("han su dung", "thoi han su dung", "hsd", "shelf life"),
    "standard": ("tieu chuan", "tieu chuan ap dung", "standard"),
    "model": ("kieu loai", "ky hieu", "model"),
    "certificates": ("chung nhan", "giay chung nhan", "chung chi", "certificate",
                     "certificates", "certification"),
    "stars": ("ocop", "so sao", "so sao ocop", "hang sao", "hang ocop"),
    "maker": ("nha san xuat", "co so san xuat", "don vi san xuat", "chu the", "ten nha san xuat",
              "manufacturer", "manufacturer name", "producer"),
    "address": ("dia chi", "dia chi san xuat", "dia chi nha san xuat", "address",
                "manufacturer address"),
    "contact": ("dien thoai", "lien he", "so dien thoai", "phone", "telephone", "contact"),
    "picture": ("anh", "hinh", "hinh anh", "anh san pham", "hinh anh san pham", "anh bia",
                "anh chinh", "image", "main image", "cover image", "photo", "picture"),
    "page": ("truy xuat", "truy xuat nguon goc", "ma truy xuat", "link truy xuat", "duong dan",
             "lien ket", "traceability", "traceability link", "product url", "link", "url"),
    "lot": ("ma lo", "so lo", "lo san xuat", "lot", "lot number", "batch", "batch number"),
    "proof": ("bang chung", "tep bang chung", "proof"),
    "": ("gia tri", "gia goc", "gia khuyen mai", "gia truoc", "phi van chuyen", "sale price",
         "discount price", "original price", "khoi luong kien", "can nang kien", "can nang goi",
         "khoi luong goi", "package weight", "parcel weight", "shipping weight",
         "package description", "tieng anh", "ten tieng anh", "english name", "ten cua hang",
         "ten shop", "shop name", "ten phan loai", "ten nhom phan loai", "variation name",
         "sku phan loai", "video", "url video", "video url", "bang quy doi kich co", "size chart",
         "anh phan loai", "hinh anh phan loai", "image per variation", "dia chi kho",
         "warehouse address", "ngay san xuat", "ngay het han", "expiry date", "stock",
         "so luong ton", "don vi tinh", "mo ta ngan"),
}  # fmt: skip
_OF_WORDS = {words: meaning for meaning, many in _WORDS.items() for words in many}
MEANINGS = tuple(filter(None, _WORDS))
_MOST_WORDS = max(words.count(" ") + 1 for words in _OF_WORDS)
_LONGEST_TITLE = 200  # letters that are looked at


def propose(titles: Sequence[str]) -> list[str]:
    """What each column probably means; an empty text where nobody can tell."""
    found: list[str] = []
    for title in titles:
        meaning = _meaning(title)
        found.append("" if meaning in found else meaning)
    return found


def _meaning(title: str) -> str:
    parts = re.findall(r"[a-z0-9]+", folded(title[:_LONGEST_TITLE]))
    for length in range(min(_MOST_WORDS, len(parts)), 0, -1):
        for at in range(len(parts) - length + 1):
            meaning = _OF_WORDS.get(" ".join(parts[at : at + length]))
            if meaning is not None:
                return meaning
    return ""


def words_of(meaning: str) -> str:
    """What a meaning is called."""
    return {
        "name": _("Tên sản phẩm"),
        "sku": _("Mã hàng (máy tự đặt)"),
        "gtin": _("Mã GTIN"),
        "brand": _("Nhãn hiệu"),
        "kind": _("Loại"),
        "description": _("Mô tả: giới thiệu, thành phần, cách dùng"),
        "about_en": _("Giới thiệu bằng tiếng Anh"),
        "content": _("Cỡ gói, ví dụ 500 g"),
        "grams": _("Khối lượng tịnh (g)"),
        "kilograms": _("Khối lượng tịnh (kg)"),
        "price": _("Giá bán mỗi gói (đồng)"),
        "ingredients": _("Thành phần"),
        "directions": _("Hướng dẫn sử dụng"),
        "storage": _("Cách bảo quản"),
        "warnings": _("Lưu ý khi dùng"),
        "origin": _("Xuất xứ"),
        "shelf_life": _("Hạn sử dụng (số ngày)"),
        "standard": _("Tiêu chuẩn áp dụng"),
        "model": _("Ký hiệu, kiểu loại"),
        "certificates": _("Giấy chứng nhận còn hạn"),
        "stars": _("Số sao OCOP"),
        "maker": _("Nơi sản xuất"),
        "address": _("Địa chỉ nơi sản xuất"),
        "contact": _("Liên hệ cho người mua"),
        "picture": _("Địa chỉ ảnh sản phẩm"),
        "page": _("Địa chỉ trang sản phẩm"),
        "lot": _("Mã lô mới nhất"),
        "proof": _("Địa chỉ tệp bằng chứng của lô mới nhất"),
    }[meaning]
