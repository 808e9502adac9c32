"""An update on littlefs, cut off at every single flash operation, from the offer to the trial.

Runs under MicroPython only, from ``test_power_cuts.py``. After each cut the board starts: what it
chooses to run must be whole, the version before or the new one, and the new one only once it had
been declared so; then the update is offered again and must come to its end.
Argument: ``good``, or ``early``, a mistake that the test must notice.
"""

import asyncio
import gc
import hashlib
import json
import sys
from collections import namedtuple

import vfs
from flash import Flash, PowerCut, mounted
from slots import Slots

from nongso.node import fetching, log, updates
from nongso.wire import release

gc.threshold(-1)  # the heap is large here
log.say = updates.say = fetching.say = lambda text: None

KEY = bytes(range(32))
EUI64 = "02a1b2c3d4e5f601"
BLOCKS = 64  # a folder takes two
OLD, NEW = 1790000000, 1790000500
Settings = namedtuple("Settings", ("key", "eui64", "trial_seconds"))
SETTINGS = Settings(KEY.hex(), EUI64, 600)


def content_of(version):
    """The files of a version; one is the same in both."""
    return {
        "run.mpy": b"%d" % version * 90,
        "lib/nongso/node/ring.mpy": b"the same in both" * 70,
        "drivers/soil.mpy": b"%d" % version * 9,
    }


def listed(version):
    """The list of a version, and all its files by their SHA-256."""
    by_hash = {hashlib.sha256(c).digest().hex(): c for c in content_of(version).values()}
    files = [
        release.File(path, len(c), hashlib.sha256(c).digest().hex())
        for path, c in sorted(content_of(version).items())
    ]
    text = release.encode_list(files)
    by_hash[hashlib.sha256(text).digest().hex()] = text
    return text, by_hash


def bring(slots, version):
    """Offer a version and answer every question of the node, as the gateway does."""
    text, by_hash = listed(version)
    offer = release.Offer(version, "0.2.0", len(text), hashlib.sha256(text).digest().hex(), 0)

    async def send(message):
        if flash.is_dead:  # closing a file hid the cut
            raise PowerCut
        asked = json.loads(message)
        if asked["do"] == "fetch":
            piece = by_hash[asked["sha256"]][asked["from"] :][:256]
            node.take(release.encode_piece(asked["sha256"], asked["from"], piece))

    node = updates.Updates(SETTINGS, slots, send, 100)
    node.take(release.encode_offer(offer, release.sign(KEY, EUI64, offer)))
    asyncio.run(asyncio.wait_for(node.run(), 5))


def started():
    """The slots after a start of the board."""
    slots = Slots("/flash")
    slots.choose()
    return slots


def whole_number():
    """Start the board; return the number of what runs, if every byte of it is right."""
    slots = started()
    number = slots.number
    if number not in (OLD, NEW):
        return f"runs {number}"
    for path, content in content_of(number).items():
        with open(slots.place(slots.running) + "/" + path, "rb") as file:
            if file.read() != content:
                return f"{path} of {number} is damaged"
    return number


def update(flash, taken):
    """From the offer to the confirmation; ``taken`` hears how far it came."""
    bring(started(), NEW)
    taken.append("brought")
    if flash.is_dead:
        raise PowerCut
    started().confirm()
    if flash.is_dead:
        raise PowerCut
    taken.append("confirmed")


if sys.argv[1] == "early":
    _idle = Slots.idle

    def idle(self):
        slot = _idle(self)
        self.finish(slot, NEW, "0.2.0")
        return slot

    Slots.idle = idle

flash = Flash(blocks=BLOCKS)
vfs.VfsLfs2.mkfs(flash)
mounted(flash)
if sys.argv[1] == "early":
    Slots.idle = _idle
bring(started(), OLD)
started().confirm()
assert whole_number() == OLD
if sys.argv[1] == "early":
    Slots.idle = idle
vfs.umount("/flash")
before = bytes(flash.memory)

flash = Flash(bytearray(before), BLOCKS)
mounted(flash)
flash.operations = 0
update(flash, [])
total = flash.operations
vfs.umount("/flash")

wrong = []
for cut in range(1, total + 1):
    flash = Flash(bytearray(before), BLOCKS)
    mounted(flash)
    flash.operations, flash.cut = 0, cut
    taken = []
    try:
        update(flash, taken)
    except PowerCut:
        pass
    except Exception as e:
        if not flash.is_dead:
            wrong.append(f"cut {cut}: {e!r}")
    vfs.umount("/flash")
    gc.collect()
    flash = Flash(flash.memory, BLOCKS)
    mounted(flash)
    try:
        number = whole_number()
        if isinstance(number, str):
            wrong.append(f"cut {cut}: {number}")
        elif "confirmed" in taken and number != NEW:
            wrong.append(f"cut {cut}: the new version is gone")
        elif number == OLD:
            update(flash, [])
            if whole_number() != NEW:
                wrong.append(f"cut {cut}: it does not come to its end")
    except Exception as e:
        wrong.append(f"cut {cut}: after it {e!r}")
    vfs.umount("/flash")
for problem in wrong[:5]:
    print(problem)
print(f"{total} cuts, {len(wrong)} wrong")
