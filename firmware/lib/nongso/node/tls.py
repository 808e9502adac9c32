"""TLS to the broker: only to one whose certificate the farm's own authority has signed.

Loaded only where ``broker.ca_file`` is set: an encrypted connection takes some 26 KB of a small
board's memory, and 1.5 s to begin (measured on a Pico W's interpreter). The clock must be set
before, because every certificate begins some day.
"""

import binascii
import ssl

_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


def context(ca_file: str) -> ssl.SSLContext:
    """Trust what this certificate (PEM or DER) has signed. Raises ``OSError``, ``ValueError``."""
    with open(ca_file, "rb") as file:
        found = file.read()
    if _BEGIN in found:  # not every board's interpreter reads that form
        found = binascii.a2b_base64(found.split(_BEGIN)[1].split(_END)[0])
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.verify_mode = ssl.CERT_REQUIRED  # MicroPython starts without it
    made.load_verify_locations(cadata=found)
    return made
