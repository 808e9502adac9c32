"""What a label printer makes of its commands: small readers that give back the dots.

Written from the makers' references, not from our own code: ZPL II ``^GF`` with the alternative
compression, TSPL ``BITMAP`` (a 0 burns), ESC/POS ``GS v 0`` (a 1 burns). Each returns rows of
dots a label, a byte a dot: 0 where it is burnt, 255 where the paper stays white. Anything
unknown is an error.
"""

import re

import zxingcpp

Dots = list[bytes]

_ONE_BURNS = [
    bytes(0 if byte >> (7 - bit) & 1 else 255 for bit in range(8)) for byte in range(256)
]
_ZERO_BURNS = [bytes(255 - dot for dot in dots) for dots in _ONE_BURNS]


def rows_of(data: bytes, stride: int, one_burns: bool = True) -> Dots:
    table = _ONE_BURNS if one_burns else _ZERO_BURNS
    return [
        b"".join([table[byte] for byte in data[at : at + stride]])
        for at in range(0, len(data), stride)
    ]


def inflated(text: str, stride: int) -> bytes:
    """ZPL's compressed hexadecimal rows as bytes."""
    rows: list[str] = []
    row, repeat = "", 0
    for letter in text:
        if letter == ":":
            assert not row
            assert not repeat
            rows.append(rows[-1])
            continue
        if letter in ",!":
            assert not repeat
            assert len(row) % 2 == 0  # the guide: an odd zero is written before the comma
            row = row.ljust(stride * 2, "0" if letter == "," else "F")
        elif "G" <= letter <= "Y":
            repeat += ord(letter) - ord("F")
            continue
        elif "g" <= letter <= "z":
            repeat += (ord(letter) - ord("f")) * 20
            continue
        else:
            assert letter in "0123456789ABCDEF"
            row += letter * max(repeat, 1)
            repeat = 0
        assert len(row) <= stride * 2
        if len(row) == stride * 2:
            rows.append(row)
            row = ""
    assert not row
    return bytes.fromhex("".join(rows))


def zpl(data: bytes) -> list[Dots]:
    labels = []
    for label in re.findall(r"\^XA(.*?)\^XZ", data.decode("ascii"), re.DOTALL):
        commands = re.findall(r"\^([A-Z]{2})([^^]*)", label)
        told = {name: body.strip() for name, body in commands}
        width, length = int(told["PW"]), int(told["LL"])
        dots = [b"\xff" * width for _ in range(length)]
        left = top = 0
        for name, body in commands:
            body = body.strip()
            if name == "FO":
                left, top = map(int, body.split(","))
            elif name == "GF":
                kind, sent, total, stride, rows = body.split(",", 4)
                assert kind == "A"
                assert sent == total
                assert 1 <= int(total) <= 99_999
                picture = inflated(rows, int(stride))
                assert len(picture) == int(total)
                for y, line in enumerate(rows_of(picture, int(stride))):
                    dots[top + y] = (dots[top + y][:left] + line)[:width]
            else:
                assert name in ("MN", "PW", "LL", "LH", "LS", "PR", "FS", "PQ"), name
        labels.append(dots)
    return labels


def tspl(data: bytes) -> list[Dots]:
    labels: list[Dots] = []
    size = (0.0, 0.0)
    dots: Dots = []
    while data:
        if data.startswith(b"BITMAP "):
            x, y, stride, height, mode = map(int, data[7:].split(b",", 5)[:5])
            assert (x, y, mode) == (0, 0, 0)
            at = len(b",".join(data.split(b",", 5)[:5])) + 1
            dots = rows_of(data[at : at + stride * height], stride, one_burns=False)
            data = data[at + stride * height :]
            assert data.startswith(b"\r\n")
            data = data[2:]
            continue
        line, _, data = data.partition(b"\r\n")
        word = line.split(b" ")[0].decode()
        if word == "SIZE":
            size = tuple(map(float, re.findall(r"[\d.]+", line.decode())))  # type: ignore[assignment]
        elif word == "PRINT":
            assert line == b"PRINT 1,1"
            assert min(size) > 0
            labels.append(dots)
        else:
            assert word in ("GAP", "BLINE", "DIRECTION", "REFERENCE", "CLS", "SPEED", "DENSITY")
    return labels


def escpos(data: bytes) -> Dots:
    """The whole roll as one picture: a receipt printer knows no labels."""
    assert data.startswith(b"\x1b@")
    data = data[2:]
    roll: Dots = []
    while data:
        if data.startswith(b"\x1dv0\x00"):
            stride, height = (int.from_bytes(data[at : at + 2], "little") for at in (4, 6))
            assert height <= 2303
            roll += rows_of(data[8 : 8 + stride * height], stride)
            data = data[8 + stride * height :]
        elif data.startswith(b"\x1d\x0c"):
            data = data[2:]
        else:
            assert data == b"\x1dV\x42\x00", data[:8]
            break
    return roll


def read(dots: Dots) -> list[str]:
    """What a phone reads on the paper, from top to bottom and left to right."""
    width = max(map(len, dots))
    grey = b"".join(row.ljust(width, b"\xff") for row in dots)
    view = zxingcpp.ImageView(memoryview(grey), width, len(dots), zxingcpp.ImageFormat.Lum)
    found = zxingcpp.read_barcodes(
        view, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    )
    by_place = sorted(
        found, key=lambda one: (one.position.top_left.y // 60, one.position.top_left.x)
    )
    return [one.text for one in by_place]
