"""Runs before ``main.py`` at each start of a board. Keeps the heap in order; nothing else."""

import gc

gc.collect()
gc.threshold(gc.mem_free() // 4 + gc.mem_alloc())
