"""HMAC-SHA256 (RFC 2104) and comparing it, for boards have no ``hmac``."""

import hashlib


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the HMAC-SHA256 of a message."""
    key = key if len(key) <= 64 else hashlib.sha256(key).digest()
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()


def is_same(one: str, other: str) -> bool:
    """Compare two texts; takes as long for a wrong one as for the right one."""
    if len(one) != len(other):
        return False
    difference = 0
    for i in range(len(one)):
        difference |= ord(one[i]) ^ ord(other[i])
    return difference == 0
