"""Changed addresses by the hundred thousand, against the reader and against the pages themselves.

Real addresses (of packs, lots, products, other keys, compressed ones) are cut, doubled, swapped,
escaped and filled with odd letters. Three things must hold for each. The reader returns a link or
refuses with a sentence; what it returns can be written and read again. No page answers 5xx. An
address that begins with a key is answered 400 exactly when the reader refuses it.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote_to_bytes

from flask import Flask
from sqlalchemy import select
from werkzeug.test import create_environ

from nongso.platform.app import create_app
from nongso.platform.traceability import digital_link as dl
from nongso.platform.traceability.digital_link.catalogue import KEYS
from nongso.platform.traceability.labelling import issuing as labelling
from nongso.platform.traceability.records import LabelCode
from nongso.platform.traceability.resolver.asked_address import sent_link

sys.path.append(str(Path(__file__).parents[1] / "tests" / "traceability"))
sys.path.append(str(Path(__file__).parents[1] / "tests" / "platform"))
from cooperative import Farm, open_farm

BASE = "http://127.0.0.1:8080"
EMPTY = create_environ("/")
GTIN = "09524000059109"  # 952: GS1's prefix for demonstrations
ODD = [
    *"/?#%&=+.:@!$'()*,;<>{}|\\^`~_-[]\"",
    "%00",
    "%2F",
    "%",
    "%zz",
    "%E1%BA%BF",
    "//",
    "..",
    "%0d%0a",
]
NAMES = [
    *KEYS,
    "10",
    "21",
    "22",
    "235",
    "254",
    "17",
    "3103",
    "99",
    "88",
    "gtin",
    "lot",
    "linkType",
]


def seeds(farm: Farm) -> list[str]:
    """Pack noodles, print labels, and return their addresses with others."""
    code = farm.packed(20, product=farm.product(name="Miến dong", gtin=GTIN)).code
    farm.do(labelling.issue, labelling.Wish(code, 2), {"text": "Miến"})
    with farm.records.session() as session:
        serial = session.scalars(select(LabelCode.serial)).first()
    return real(code, str(serial))


def real(code: str, serial: str) -> list[str]:
    """Addresses that open something, and some that only look like it."""
    return [
        f"/01/{GTIN}",
        f"/01/{GTIN}/10/{code}",
        f"/01/{GTIN}/10/{code}/21/{serial}",
        f"/01/{GTIN}/22/A/10/{code}?17=271130&linkType=pip",
        f"/01/{GTIN}/10/a%2Fb?3103=000500&15=271100",
        f"/t/{code}",
        f"/T/{code}/{serial}?lang=en",
        "/00/095212345678900016?02=09524000059109&37=20",
        "/414/9521234567899/254/R-3",
        "/8004/9521CAN",
        "/253/9526064000028000001",
        "/8010/95260640ABC/8011/77",
        "/ARFS9Ufdyg",
        "/CxFS9UfdysxXZnB6BC0gAhBiCjDkg",
        f"/01/{GTIN}/EGYrszg9A",
    ]


def changed(dice: random.Random, address: str) -> str:
    """The address after one to four changes."""
    for _change in range(dice.randint(1, 4)):
        at = dice.randint(0, len(address))
        match dice.randrange(8):
            case 0:
                address = address[:at] + dice.choice(ODD) + address[at:]
            case 1:
                address = address[:at] + address[at + dice.randint(1, 5) :]
            case 2:
                address = address[:at] + chr(dice.randint(33, 126)) + address[at + 1 :]
            case 3:
                parts = address.split("/")
                dice.shuffle(parts)
                address = "/".join(parts)
            case 4:
                parts = address.split("/")
                parts[dice.randrange(len(parts))] = dice.choice(NAMES)
                address = "/".join(parts)
            case 5:
                begin, end = sorted((dice.randint(0, len(address)), at))
                address += address[begin:end]
            case 6:
                joint = "&" if "?" in address else "?"
                address += f"{joint}{dice.choice(NAMES)}={dice.randint(0, 10**6):06d}"
            case _:
                address = address[:at] + dice.choice("0123456789") + address[at + 1 :]
    return "/" + address.lstrip("/")[:2000]


def refused(address: str) -> bool:
    """Whether the reader refuses; raises what it should not raise."""
    try:
        link = sent_link(BASE, address)
    except dl.LinkError as error:
        if not str(error):
            raise
        return True
    assert dl.parse(link.address).elements == link.elements, address
    return False


def ask(app: Flask, address: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of a request for exactly this address; ``headers`` as WSGI has them."""
    path, _mark, query = address.partition("?")
    environ = {**EMPTY, "QUERY_STRING": query, "wsgi.input": BytesIO()}
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
    environ["REQUEST_URI"] = address
    environ.update(headers)
    found: list[str] = []
    body = app(environ, lambda status, _headers, _error=None: found.append(status))  # type: ignore[arg-type,return-value]
    whole = b"".join(body)
    getattr(body, "close", lambda: None)()
    return int(found[0][:3]), whole


def judged(app: Flask, address: str) -> tuple[int, bool]:
    """The status of an address, and whether it is a wrong one."""
    asked = address.partition("#")[0]
    no = refused(asked)
    status, _body = ask(app, asked)
    key = asked[1:].partition("?")[0].partition("/")[0]
    path = unquote_to_bytes(asked.partition("?")[0])
    # Two slashes in a row are first made one, with a redirect; a line end opens no page at all.
    is_key = key in KEYS and b"//" not in path and b"\n" not in path and b"\r" not in path
    return status, status >= 500 or (is_key and status != 308 and (status == 400) != no)


def main() -> int:
    """Run; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=20261122)
    wish = parser.parse_args()
    dice = random.Random(wish.seed)
    found: Counter[int] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        farm = open_farm(Path(folder))
        begin = seeds(farm)
        app = create_app(farm.settings)
        begun = time.monotonic()
        for _address in range(wish.count):
            address = changed(dice, dice.choice(begin))
            status, is_wrong = judged(app, address)
            found[status] += 1
            if is_wrong:
                wrong.append(f"{status} {address}")
        seconds = time.monotonic() - begun
        farm.records.close()
        app.extensions["nongso.records"].close()
        app.extensions["nongso.telemetry"].close()
    print(f"{wish.count} addresses in {seconds:.1f} s, {wish.count / seconds:.0f} a second")
    print("answers:", ", ".join(f"{status}: {n}" for status, n in sorted(found.items())))
    for line in wrong[:20]:
        print("WRONG", line)
    print(f"{len(wrong)} wrong")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
