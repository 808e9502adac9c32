"""The two 8-bit checksums of our chips: Sensirion's (SHT4x datasheet, section 4.4) and Maxim's
(DS18B20 datasheet, figure 11).
"""


def crc8(buffer, start, end):
    """Return Sensirion's checksum of a part of a buffer."""
    crc = 0xFF  # start; polynomial 0x31, highest bit first
    for i in range(start, end):
        crc ^= buffer[i]
        for _ in range(8):
            crc = (crc << 1) ^ 0x31 if crc & 0x80 else crc << 1
            crc &= 0xFF
    return crc


def crc8_maxim(buffer, start, end):
    """Return Maxim's checksum of a part of a buffer."""
    crc = 0  # the same polynomial, lowest bit first
    for i in range(start, end):
        crc ^= buffer[i]
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8C if crc & 1 else crc >> 1
    return crc
