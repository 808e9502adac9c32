"""What drivers take from MicroPython's ``micropython`` module, for CPython."""


def const(value: int) -> int:
    """Return the value; MicroPython's compiler puts it in place."""
    return value
