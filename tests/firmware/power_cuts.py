"""The ring on littlefs, the file system of the boards, cut off at every single flash operation.

Runs under MicroPython only, from ``test_power_cuts.py``. After each cut: the file system mounts;
every sample that the ring had written and nobody acknowledged is there, in order, and nothing
else; what was acknowledged does not come back; what made room is counted.

Arguments: a workload, a seed, and ``good`` or a mistake that the test must notice. Or ``wear`` and
days: how many blocks so long an outage, and two days without one, erase.
"""

# ruff: noqa: SIM105 (there is no contextlib)

import gc
import os
import random
import sys

import vfs
from flash import Flash, PowerCut, mounted

from nongso.node import kept as kept_module
from nongso.node import log, record
from nongso.node import ring as ring_module

gc.threshold(-1)  # the heap is large here

SAMPLES = 18

# batch, bytes of the ring, bytes of a segment; up to which sample is acknowledged after sample n
WORKLOADS = {
    "each": (1, 4096, 1024, lambda n: n - 2 if n % 3 == 2 else -1),
    "batches": (5, 4096, 1024, lambda n: n - 2 if n % 3 == 2 else -1),
    "outage": (10, 4096, 1024, lambda n: n - 1 if n < 4 or n > 15 else -1),
    "overfull": (4, 600, 200, lambda n: -1),
}


def new_ring():
    """The ring of the workload."""
    batch, capacity, segment, _ = WORKLOADS[workload]
    return ring_module.Ring("/flash/ring", capacity, segment, batch)


def work(flash, written, forgotten):
    """Append, read and forget; note what is surely done (0) and what was begun (1)."""
    ring = new_ring()
    underway = []
    for number in range(SAMPLES):
        written[1] = number
        ring.append(b"heading", b"%06d" % number + b"." * 30)
        if flash.is_dead:  # closing the file hid the cut
            raise PowerCut
        written[0] = number - len(ring.tail())
        item = ring.read()
        while item is not None:
            underway.append(item)
            item = ring.read()
        done = WORKLOADS[workload][3](number)
        while underway and int(underway[0].body[:6]) <= done:
            forgotten[1] = int(underway[0].body[:6])
            ring.forget(underway.pop(0).place)
            if flash.is_dead:
                raise PowerCut
            forgotten[0] = forgotten[1]


def left():
    """Samples that a restarted node would send, and how many it says it gave up."""
    ring = new_ring()
    lost = ring.lost
    found = []
    item = ring.read()
    while item is not None:
        found.append(int(item.body[:6]))
        item = ring.read()
    ring.append(b"heading", b"999999")  # it can go on
    ring.flush()
    assert ring.read().body == b"999999"
    return found, lost


def check(cut):
    """Cut at one operation and look what is left; returns what is wrong, or ``None``."""
    random.seed(cut * 1000 + seed)
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    mounted(flash)
    flash.operations = 0
    flash.cut = cut
    written, forgotten = [-1, -1], [-1, -1]
    try:
        work(flash, written, forgotten)
    except PowerCut:
        pass
    vfs.umount("/flash")
    again = Flash(flash.memory)
    try:
        mounted(again)
        found, lost = left()
    except Exception as e:
        return f"cut {cut}: {e!r}"
    finally:
        try:
            vfs.umount("/flash")
        except OSError:
            pass
    what = f"cut {cut}: {found}, lost {lost}, written {written}, forgotten {forgotten}"
    if not found:
        return None if forgotten[1] >= written[0] else what + ": nothing left"
    if found != list(range(found[0], found[-1] + 1)):
        return what + ": not in order"
    if found[0] > max(forgotten[1] + 1, lost):
        return what + ": a hole that nobody counted"
    if found[0] <= forgotten[0] or found[0] < lost:
        return what + ": comes back"
    if not written[0] <= found[-1] <= written[1]:
        return what + ": the newest are gone, or more than was ever taken"
    return None


def make_mistake(name):
    """Change the ring so that it is wrong."""
    if name == "no-sync":
        # On littlefs closing a file commits it; without either nothing is on the flash.
        ring_module.sync = lambda file: None
        kept = []
        real_open = open

        def unclosed(path, mode):
            file = real_open(path, mode)
            if mode != "ab":
                return file
            kept.append(file)
            return Unclosed(file)

        ring_module.open = unclosed

    if name == "cursor-anew":

        def keep_anew(self, numbers):
            try:
                os.remove(self._path)
            except OSError:
                pass
            real_keep(self, numbers)

        real_keep = kept_module.Kept.keep
        kept_module.Kept.keep = keep_anew


class Unclosed:
    """A file that its user cannot close."""

    def __init__(self, file):
        self._file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def write(self, piece):
        """Write to the real file."""
        return self._file.write(piece)


def wear(days, is_online):
    """Blocks erased per sample of seven values at the node's own sizes, one each five minutes."""
    flash = Flash(blocks=128)
    vfs.VfsLfs2.mkfs(flash)
    mounted(flash)
    columns = "air_temperature air_humidity light soil_moisture soil_moisture.2 soil_temperature"
    heading = record.pack_heading(77, False, (columns + " battery").split())
    ring = ring_module.Ring("/flash/ring", 262144, batch=10)
    flash.erases = 0
    for number in range(days * 288):
        values = [2450 + number % 90, 712, 61000, 444, 512, 2131, 372]
        ring.append(heading, record.pack(number, 1790000000 + 300 * number, True, 0, values))
        if is_online:
            ring.forget(ring.read().place)
    vfs.umount("/flash")
    return flash.erases / (days * 288), ring.lost


log.say = lambda text: None
if sys.argv[1] == "wear":
    offline, lost = wear(int(sys.argv[2]), False)
    online, _ = wear(2, True)
    print(f"{offline:.4f} offline, {online:.4f} online, {lost} lost")
    sys.exit()
workload, seed = sys.argv[1], int(sys.argv[2])
make_mistake(sys.argv[3])
flash = Flash()
vfs.VfsLfs2.mkfs(flash)
mounted(flash)
flash.operations = flash.erases = 0
work(flash, [-1, -1], [-1, -1])
vfs.umount("/flash")
total, erases = flash.operations, flash.erases
wrong = []
for cut in range(1, total + 1):
    problem = check(cut)
    if problem:
        wrong.append(problem)
for problem in wrong[:5]:
    print(problem)
print(f"{total} cuts, {len(wrong)} wrong, {erases} erases")
