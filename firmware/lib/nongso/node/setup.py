"""A board that is to be let in: a page of its own for Wi-Fi and claim code, then the asking.

How this works. The board opens a Wi-Fi of its own; whoever joins it sees one page, types the
farm's Wi-Fi, the claim code and the address that came with it. The board keeps them, starts anew,
joins the farm's Wi-Fi and asks there for its configuration (``nongso.wire.claim``). What goes
wrong is told on the page at the next start. What is a Wi-Fi here comes in as ``net``
(``own_wifi.py``).

A board without a name waits on its page for ever. One that is a station already opens it when
somebody holds its button at a start (``button.py``), or when its broker has long refused it
(``uplink``), and goes back to work if nobody comes. What it was stays in ``config.json`` until a
gateway has let it in, and is then replaced in one step. What it had not sent by then is another
house's: it is given up before the board speaks to the new one (``settle``).
"""

import asyncio
import json
import os

from nongso.node.interpreter import (
    TYPE_CHECKING,
    sleep_ms,
    ticks_diff,
    ticks_ms,
    wait_ms,
)
from nongso.node.log import hide, say
from nongso.wire import claim

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nongso.node.hardware import SetUpNetwork

_PATIENCE_MS = 15000
_LONGEST_REQUEST = 4096
_OPEN_SECONDS = 600  # as long as a claim code lives
_LASTING = ("own_password", "refused_seconds", "open_seconds")  # of ``setup``, through all names

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
_AUTHORITIES = ("broker-ca.pem", "broker-ca-2.pem")
_USED = (
    "<p>Trạm này đã dùng ở nơi khác. Khi tủ điều khiển mới nhận trạm, số đo cũ chưa gửi sẽ bị "
    "bỏ.</p>"
)
_TROUBLES = {
    "wifi": "Không vào được Wi-Fi của nông trại. Xin xem lại tên và mật khẩu.",
    "gateway": "Không gặp tủ điều khiển ở địa chỉ này. Xin xem lại địa chỉ.",
    "letters": "Mã nhận trạm có 10 chữ và số, không có I, L, O, 0, 1. Xin xem lại mã.",
    "typo": "Mã nhận trạm không đúng. Xin xem lại từng chữ; mã cũ còn dùng được.",
    "other": "Mã này dành cho trạm khác, hoặc tủ điều khiển không nhận. Xin lấy mã mới.",
    "code": "Mã nhận trạm đã hết hạn, đã dùng hoặc nhập sai quá nhiều lần. Xin lấy mã mới.",
    "form": "Chưa đủ hoặc chưa đúng. Xin xem lại từng ô.",
}
_REFUSALS = {"403": "typo", "409": "other", "410": "code"}  # the door's answers


def is_needed(text: "str | None") -> bool:
    """Say whether this ``config.json`` is that of a board without a name, or with a new code."""
    if text is None:
        return True
    found = _read(text)  # a mistake in it is said, not written over
    return "setup" in found and ("broker" not in found or _is_open(_wished(found)))


def board_of(text: "str | None") -> "dict[str, Any]":
    """Return what ``config.json`` says of the board's pins."""
    found = _read(text).get("board")
    return found if isinstance(found, dict) else {}


def settle(text: "str | None", forget_sleep: "Callable[[], None]") -> None:
    """Give up what the board had not sent in the house before, if it has just come into another.

    ``forget_sleep`` gives up what outlived a sleep. A power cut in the midst of it is no harm: the
    mark in ``config.json`` goes last.
    """
    config = _read(text)
    config["setup"] = wished = _wished(config)
    if not wished.pop("was_elsewhere", False):
        return
    given_up = 0
    try:
        names = os.listdir("ring")
    except OSError:
        names = []
    for name in names:
        given_up += os.stat("ring/" + name)[6]
        os.remove("ring/" + name)
    forget_sleep()
    _keep(config)
    if given_up:
        say("%d bytes of readings that another gateway never got are given up" % given_up)


async def run(net: "SetUpNetwork", text: "str | None") -> None:
    """Ask for a configuration, or open the page; returns when the board is to start anew."""
    config = _read(text)
    config["setup"] = wished = _wished(config)
    if _is_open(wished):
        hide(wished.get("password"))
        try:
            found = await _claim(net, wished)
        except _Failed as e:
            say("set-up: %s" % e)
            wished["trouble"] = str(e)
            _keep(config)
        else:
            found["setup"] = dict(_lasting(wished), was_elsewhere=True)
            _name_authority(found, config)
            _keep(found)
            say("the gateway has let this board in")
            return
    seconds = wished.get("open_seconds")
    if not isinstance(seconds, int):
        seconds = _OPEN_SECONDS
    await _serve(net, config, seconds if "broker" in config else None)


async def invite(net: "SetUpNetwork", seconds: int, on_turn: "Callable[[], object]") -> bool:
    """Open the page of a station at work (``nongso.node.hardware.Board.invite``)."""
    with open("config.json") as file:
        config = _read(file.read())
    return await _serve(net, config, seconds, on_turn)


def _read(text: "str | None") -> "dict[str, Any]":
    """Read ``config.json``; nothing where it is none that can be used."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RuntimeError, MemoryError):
        return {}
    return found if isinstance(found, dict) else {}


def _wished(config: "dict[str, Any]") -> "dict[str, Any]":
    """What stands under ``setup``."""
    wished = config.get("setup")
    return wished if isinstance(wished, dict) else {}


def _is_open(wished: "dict[str, Any]") -> bool:
    """Say whether somebody has typed a code with which nobody has asked yet."""
    return bool(wished.get("code")) and not wished.get("trouble")


def _lasting(wished: "dict[str, Any]") -> "dict[str, Any]":
    return {name: wished[name] for name in _LASTING if name in wished}


class _Failed(Exception):
    """What went wrong, a key of ``_TROUBLES``."""


def _name_authority(found: "dict[str, Any]", before: "dict[str, Any]") -> None:
    """Give the new certificate another file than the old one, which counts until the end."""
    old = before.get("broker")
    if "ca" in found and isinstance(old, dict) and old.get("ca_file") == _AUTHORITIES[0]:
        found["broker"]["ca_file"] = _AUTHORITIES[1]
    elif "ca" in found:
        found["broker"]["ca_file"] = _AUTHORITIES[0]


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
        head, answer = await wait_ms(_post(host, int(port), json.dumps(asked)), _PATIENCE_MS)
    except (OSError, ValueError, EOFError, asyncio.TimeoutError):
        raise _Failed("gateway")
    status = head.partition(" ")[2][:3]
    if status != "200":
        raise _Failed(_REFUSALS.get(status, "gateway"))
    try:
        found = json.loads(claim.unseal(key, nonce, answer))
    except ValueError:
        raise _Failed("code")
    wifi = found.setdefault("wifi", {})
    wifi["ssid"], wifi["password"] = wished["ssid"], wished["password"]
    return found  # type: ignore[no-any-return]


async def _post(host: str, port: int, body: str) -> "tuple[str, str]":
    """Ask; returns the answer's first lines and its body."""
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
    first, _, rest = answer.decode().partition("\r\n\r\n")
    return first, rest.strip()


async def _hung_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection now: MicroPython frees its socket here only, and a board has few."""
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        pass  # the other end went first


# --- the page ----------------------------------------------------------------


async def _serve(
    net: "SetUpNetwork",
    config: "dict[str, Any]",
    seconds: "int | None",
    on_turn: "Callable[[], object]" = ticks_ms,
) -> bool:
    """Show the page until somebody has filled it in; says whether that is so.

    With ``seconds`` it ends so long after its opening, or after the last who brought a code. A
    phone that only looks whether there is Internet keeps nothing open.
    """
    done = asyncio.Event()
    came_at = ticks_ms()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came_at
        try:
            request = await wait_ms(_request(reader), _PATIENCE_MS)
            if "code=" in request[1]:
                came_at = ticks_ms()
            page, is_saved = _answer(request, config)
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

    own_password = _wished(config).get("own_password")
    hide(own_password)
    host, port = await net.open(own_password)
    try:
        server = await asyncio.start_server(answer, host, port)
        while not done.is_set():
            if seconds is not None and ticks_diff(ticks_ms(), came_at) > seconds * 1000:
                say("set-up: nobody came; back to work")
                break
            on_turn()
            await sleep_ms(200)
        server.close()
        await server.wait_closed()
    finally:
        net.close()
    return done.is_set()


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


def _answer(request: "tuple[str, str]", config: "dict[str, Any]") -> "tuple[str, bool]":
    """Return the page, and whether the form was right and is kept."""
    method, body = request
    wished = _wished(config)
    trouble = wished.get("trouble", "")
    # A platform's page brings code and address along; what went wrong before was another code.
    shown = dict(wished, code="")
    if method != "POST":
        shown.update(_fields(body))
    if method == "POST":
        shown = _fields(body)
        kept, trouble = _checked(shown)
        if not trouble:
            kept.update(_lasting(wished))
            config["setup"] = kept
            _keep(config)
            return _PAGE % (_SAVED % _escaped(kept["ssid"])), True
    words = _TROUBLES.get(trouble, "")
    said = '<p class="bad">%s</p>' % words if words else ""
    if "broker" in config:
        said += _USED
    filled = tuple(_escaped(shown.get(name, "")) for name in ("ssid", "code", "gateway"))
    form = _FORM % filled
    return _PAGE % (said + form), False


def _checked(fields: "dict[str, str]") -> "tuple[dict[str, Any], str]":
    """Return what is to be kept, and what is wrong with it, a key of ``_TROUBLES``."""
    try:
        code = claim.plain_code(fields.get("code", ""))
    except claim.ClaimError:
        return {}, "letters"
    host, _, port = fields.get("gateway", "").strip().partition(":")
    ssid, password = fields.get("ssid", ""), fields.get("password", "")
    port = port or "8082"
    good = host and " " not in host and all("0" <= c <= "9" for c in port) and len(port) < 6
    if not good or not 0 < len(ssid.encode()) <= 32 or 0 < len(password) < 8:
        return {}, "form"
    gateway = "%s:%s" % (host, port)
    return {"ssid": ssid, "password": password, "code": code, "gateway": gateway}, ""


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
