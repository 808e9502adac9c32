"""What the weather inside a greenhouse means for plants and soil: formulas, no farm.

Numbers in, numbers out; no sensor, clock or network, and of the disk only the tables beside it.
Each formula names its source; units stand in the names. Times and ages belong to whoever asks.
Field and server both use this room.
"""
