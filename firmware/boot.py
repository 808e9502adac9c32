"""Runs before ``main.py`` at each start of a board: room for its imports; nothing else."""

import gc

gc.collect()
