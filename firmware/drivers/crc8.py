"""CRC-8 as Sensirion's chips use it (SHT4x datasheet, section 4.4)."""


def crc8(buffer, start, end):
    """Return the checksum of a part of a buffer."""
    crc = 0xFF  # start; polynomial 0x31
    for i in range(start, end):
        crc ^= buffer[i]
        for _ in range(8):
            crc = (crc << 1) ^ 0x31 if crc & 0x80 else crc << 1
            crc &= 0xFF
    return crc
