"""How a new board gets its name, password and key with a claim code, over the farm's network.

The code is read from one screen and typed into another; it never goes over the network. From it
both sides make a key (slowly, so that trying codes is slow too). The board asks ``POST /claim``
with its number, a nonce and the proof that it knows the code; the answer is sealed with the same
key: the bytes are mixed with a stream of SHA-256 and signed. A code is good for one board.
"""

import hashlib

from nongso.wire.keyed import hmac_sha256, is_same

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # no look-alikes
CODE_LENGTH = 10
ROUNDS = 1000
MAX_ANSWER = 8192


class ClaimError(ValueError):
    """A code, a proof or an answer is not what it should be."""


def plain_code(typed: str) -> str:
    """Return a code as it was meant, however it was typed. Raises ``ClaimError``."""
    code = "".join(c for c in typed.upper() if c not in " -.\t")
    if len(code) != CODE_LENGTH or not all(c in ALPHABET for c in code):
        raise ClaimError("not a claim code")
    return code


def key_of(code: str) -> bytes:
    """Make the key of a code."""
    text = plain_code(code).encode()
    found = hashlib.sha256(b"nongso claim 1 " + text).digest()
    for _ in range(ROUNDS):
        found = hashlib.sha256(found + text).digest()
    return found


def proof(key: bytes, eui64: str, nonce: str) -> str:
    """Prove that one knows the code."""
    return hmac_sha256(key, ("ask %s %s" % (eui64, nonce)).encode()).hex()


def is_proved(key: bytes, eui64: str, nonce: str, found: str) -> bool:
    """Check a proof."""
    return is_same(proof(key, eui64, nonce), found)


def _mixed(key: bytes, nonce: str, content: bytes) -> bytes:
    out = bytearray(content)
    block = b""
    for i in range(len(out)):
        if not i & 31:
            block = hashlib.sha256(key + b"%s %d" % (nonce.encode(), i)).digest()
        out[i] ^= block[i & 31]
    return bytes(out)


def seal(key: bytes, nonce: str, content: bytes) -> str:
    """Seal an answer; the nonce of each asking is another one."""
    sealed = _mixed(key, nonce, content).hex()
    return hmac_sha256(key, ("answer %s %s" % (nonce, sealed)).encode()).hex() + sealed


def unseal(key: bytes, nonce: str, answer: str) -> bytes:
    """Open an answer. Raises ``ClaimError`` if another code or nobody's sealed it."""
    right, sealed = answer[:64], answer[64:]
    if not is_same(hmac_sha256(key, ("answer %s %s" % (nonce, sealed)).encode()).hex(), right):
        raise ClaimError("the answer is not from whoever gave the code")
    return _mixed(key, nonce, bytes.fromhex(sealed))
