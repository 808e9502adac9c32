"""A board without a name: a page of its own for Wi-Fi and claim code, then the asking.

How this works. The board opens a Wi-Fi of its own; whoever joins it sees one page, types the
farm's Wi-Fi, the claim code and the address that came with it. The board keeps them, starts anew,
joins the farm's Wi-Fi and asks there for its configuration (``nongso.wire.claim``). What goes
wrong is told on the page at the next start. What is a Wi-Fi here comes in as ``net``
(``board.py``).
"""

import asyncio
import json
import os

from nongso.node.interpreter import TYPE_CHECKING, wait_ms
from nongso.node.log import hide, say
from nongso.wire import claim

if TYPE_CHECKING:
    from typing import Any

    from nongso.node.hardware import SetUpNetwork

_PATIENCE_MS = 15000
_LONGEST_REQUEST = 4096

_PAGE = """<!doctype html><html lang="vi"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>Trạm đo</title>
<style>body{font:18px sans-serif;margin:1em auto;max-width:24em;padding:0 1em}
input,button{font:inherit;width:100%%;padding:.5em;margin:.2em 0 1em;box-sizing:border-box}
p.bad{background:#fde8e8;padding:.6em}</style></head>
<body><h1>Cài đặt trạm đo</h1>%s</body></html>"""
_FORM = """<form method="post"><label>Tên Wi-Fi của nông trại
<input name="ssid" required maxlength="32" value="%s"></label>
<label>Mật khẩu Wi-Fi<input name="password" type="password" maxlength="63"></label>
<label>Mã nhận trạm<input name="code" required autocapitalize="characters" value="%s"></label>
<label>Địa chỉ tủ điều khiển<input name="gateway" required value="%s"></label>
<button>Lưu</button></form>"""
_SAVED = (
    "<p>Đã lưu. Trạm đo vào Wi-Fi %s và hỏi tủ điều khiển. Nếu không được, Wi-Fi này mở lại.</p>"
)
_TROUBLES = {
    "wifi": "Không vào được Wi-Fi của nông trại. Xin xem lại tên và mật khẩu.",
    "gateway": "Không gặp tủ điều khiển ở địa chỉ này. Xin xem lại địa chỉ.",
    "code": "Mã nhận trạm không đúng hoặc đã hết hạn. Xin lấy mã mới.",
    "form": "Chưa đủ hoặc chưa đúng. Xin xem lại từng ô.",
}


def is_needed(text: "str | None") -> bool:
    """Say whether this ``config.json`` is that of a board without a name."""
    if text is None:
        return True
    try:
        found = json.loads(text)
    except (ValueError, RuntimeError, MemoryError):
        return False  # a mistake in it is said, not written over
    return isinstance(found, dict) and "setup" in found and "broker" not in found


async def run(net: "SetUpNetwork", text: "str | None") -> None:
    """Ask for a configuration, or open the page; returns when the board is to start anew."""
    wished = json.loads(text)["setup"] if text else {}
    if wished.get("code") and not wished.get("trouble"):
        hide(wished.get("password"))
        try:
            _keep(await _claim(net, wished))
            say("the gateway has let this board in")
            return
        except _Failed as e:
            say("set-up: %s" % e)
            wished["trouble"] = str(e)
            _keep({"setup": wished})
    await _serve(net, wished)


class _Failed(Exception):
    """What went wrong, a key of ``_TROUBLES``."""


def _keep(config: "dict[str, Any]") -> None:
    ca = config.pop("ca", None)
    if ca:  # first: a configuration that names it is of no use without it
        with open(config["broker"]["ca_file"], "w") as file:
            file.write(ca)
    with open("config.json.new", "w") as file:
        file.write(json.dumps(config))
    os.rename("config.json.new", "config.json")


# --- asking -----------------------------------------------------------------


async def _claim(net: "SetUpNetwork", wished: "dict[str, Any]") -> "dict[str, Any]":
    try:
        await net.join(wished["ssid"], wished["password"])
    except OSError:
        raise _Failed("wifi")
    key = claim.key_of(wished["code"])
    nonce = os.urandom(16).hex()
    number = net.number()
    asked = {"eui64": number, "nonce": nonce, "proof": claim.proof(key, number, nonce)}
    host, _, port = wished["gateway"].partition(":")
    try:
        answer = await wait_ms(_post(host, int(port), json.dumps(asked)), _PATIENCE_MS)
    except (OSError, ValueError, EOFError, asyncio.TimeoutError):
        raise _Failed("gateway")
    try:
        found = json.loads(claim.unseal(key, nonce, answer))
    except ValueError:
        raise _Failed("code")
    wifi = found.setdefault("wifi", {})
    wifi["ssid"], wifi["password"] = wished["ssid"], wished["password"]
    return found  # type: ignore[no-any-return]


async def _post(host: str, port: int, body: str) -> str:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        head = "POST /claim HTTP/1.0\r\nHost: %s\r\nContent-Length: %d\r\n\r\n" % (host, len(body))
        writer.write((head + body).encode())
        await writer.drain()
        answer = b""
        while len(answer) < claim.MAX_ANSWER:
            piece = await reader.read(512)
            if not piece:
                break
            answer += piece
    finally:
        await _hung_up(writer)
    return answer.decode().partition("\r\n\r\n")[2].strip()


async def _hung_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection now: MicroPython frees its socket here only, and a board has few."""
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass  # the other end went first


# --- the page ----------------------------------------------------------------


async def _serve(net: "SetUpNetwork", wished: "dict[str, Any]") -> None:
    """Show the page until somebody has filled it in."""
    done = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            page, is_saved = _answer(await wait_ms(_request(reader), _PATIENCE_MS), wished)
            body = page.encode()
            head = "HTTP/1.0 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
            head += "Cache-Control: no-store\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(head.encode() + body)
            await wait_ms(writer.drain(), _PATIENCE_MS)
            if is_saved:
                done.set()
        except (OSError, ValueError, EOFError, asyncio.TimeoutError):
            pass  # the phone went away
        finally:
            await _hung_up(writer)

    host, port = await net.open(wished.get("own_password"))
    server = await asyncio.start_server(answer, host, port)
    await done.wait()
    server.close()


async def _request(reader: asyncio.StreamReader) -> "tuple[str, str]":
    """Read a request: its method, and its body or what stands behind the address's ``?``."""
    first = (await reader.readline()).decode()
    length = 0
    for _ in range(60):
        line = (await reader.readline()).decode().lower()
        if line in ("\r\n", "\n", ""):
            break
        if line.startswith("content-length:"):
            length = int(line.partition(":")[2])
    if length > _LONGEST_REQUEST:
        raise ValueError("too long")
    body = await reader.readexactly(length) if length else b""
    method, _, rest = first.partition(" ")
    return method, body.decode() if method == "POST" else rest.partition(" ")[0].partition("?")[2]


def _answer(request: "tuple[str, str]", wished: "dict[str, Any]") -> "tuple[str, bool]":
    """Return the page, and whether the form was right and is kept."""
    method, body = request
    trouble = wished.get("trouble", "")
    # A platform's page brings code and address along; what went wrong before was another code.
    shown = dict(wished, code="")
    if method != "POST":
        shown.update(_fields(body))
    if method == "POST":
        shown = _fields(body)
        kept = _checked(shown)
        if kept is not None:
            if wished.get("own_password"):
                kept["own_password"] = wished["own_password"]
            _keep({"setup": kept})
            return _PAGE % (_SAVED % _escaped(kept["ssid"])), True
        trouble = "form"
    words = _TROUBLES.get(trouble, "")
    said = '<p class="bad">%s</p>' % words if words else ""
    filled = tuple(_escaped(shown.get(name, "")) for name in ("ssid", "code", "gateway"))
    form = _FORM % filled
    return _PAGE % (said + form), False


def _checked(fields: "dict[str, str]") -> "dict[str, Any] | None":
    host, _, port = fields.get("gateway", "").strip().partition(":")
    try:
        code = claim.plain_code(fields.get("code", ""))
    except claim.ClaimError:
        return None
    ssid, password = fields.get("ssid", ""), fields.get("password", "")
    port = port or "8082"
    good = host and " " not in host and all("0" <= c <= "9" for c in port) and len(port) < 6
    if not good or not 0 < len(ssid.encode()) <= 32 or 0 < len(password) < 8:
        return None
    return {"ssid": ssid, "password": password, "code": code, "gateway": "%s:%s" % (host, port)}


def _fields(body: str) -> "dict[str, str]":
    """Read a form as browsers send it."""
    found = {}
    for pair in body.split("&"):
        name, _, value = pair.partition("=")
        out, i = bytearray(), 0
        while i < len(value):
            if value[i] == "%":
                out.append(int(value[i + 1 : i + 3], 16))
                i += 2
            else:
                out.extend(b" " if value[i] == "+" else value[i].encode())
            i += 1
        found[name] = bytes(out).decode()
    return found


def _escaped(text: str) -> str:
    for char, safe in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(char, safe)
    return text
