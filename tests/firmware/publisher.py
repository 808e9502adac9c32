"""Runs on MicroPython: what a node in steady state takes from its heap, collection switched off.

``publisher.py PORT COUNT``: publishes to the broker at this port. Prints the bytes taken for 1,000
publishes of a packed sample, each with its PUBACK; for 1,000 readings, each packed, kept, sent,
acknowledged by the gateway and forgotten; and by how much the heap has grown after ``COUNT``
publishes with collection on.
"""

import asyncio
import gc
import sys

from nongso.node import record
from nongso.node.interpreter import ticks_ms
from nongso.node.messages import Messages
from nongso.node.mqtt import Client
from nongso.node.ring import Item, Ring
from nongso.node.window import Underway, Window
from nongso.wire import ack

TOPIC = b"bench/1/tan-binh/tb-01/up"
BOOT = (1 << 30) - 1
COLUMNS = ("air_temperature", "air_humidity", "light", "soil_moisture", "soil_moisture.2")
COLUMNS += ("co2", "battery")
VALUES = [2450, 712, 61000, 444, 512, 815, 372]
HEADING = record.pack_heading(BOOT, False, COLUMNS)
AT = 1790000000

items = [Item(HEADING, record.pack(100000, AT, True, 0, VALUES), (0, 0))]
messages = Messages("02a1b2c3d4e5f601")
window = Window()
ring = Ring("ring", batch=10)
confirmed = 0


def on_puback(number):
    """Count it."""
    global confirmed
    confirmed += 1
    window.confirmed(number)


async def publish(client, count):
    """Publish the same sample so many times, at most four without PUBACK."""
    global confirmed
    confirmed = sent = 0
    while confirmed < count:
        if sent < count and sent - confirmed < 4:
            out = client.begin(TOPIC, sent + 1)
            if out is not None:
                messages.write(out, items, AT, AT, b"clock")
                client.end()
                sent += 1
        client.turn(ticks_ms())
        client.check()
        await asyncio.sleep_ms(0)


async def read(client, count):
    """So many readings, each to its end."""
    global confirmed
    confirmed = 0
    found = record.Reader()
    for seq in range(1, count + 1):
        ring.append(HEADING, record.pack(seq, AT, True, ring.lost, VALUES))
        item = ring.read()
        found.open(item.body)
        window.add(Underway(BOOT, [found.seq], [item]))
        entry = window.due(ticks_ms())
        messages.write(client.begin(TOPIC, seq), entry.items, AT, AT, b"clock")
        window.sent(entry, ticks_ms(), seq)
        client.end()
        while confirmed < seq:
            client.turn(ticks_ms())
            client.check()
            await asyncio.sleep_ms(0)
        for done in window.acknowledge(ack.decode(ack.encode(BOOT, seq, seq))):
            ring.forget(done.items[-1].place)


async def taken(work):
    """Bytes that some work takes from the heap."""
    gc.collect()
    gc.threshold(-1)
    gc.disable()
    before = gc.mem_alloc()
    await work
    used = gc.mem_alloc() - before
    gc.enable()
    gc.threshold(4096)
    gc.collect()
    return used


async def main():
    """Measure and print."""
    client = Client(
        *("127.0.0.1", int(sys.argv[1]), "bench", None, None, "s", b"off", print, on_puback)
    )
    await client.connect()
    await publish(client, 100)
    for_publishes = await taken(publish(client, 1000))
    await read(client, 100)
    for_readings = await taken(read(client, 1000))
    before = gc.mem_alloc()
    await publish(client, int(sys.argv[2]))
    gc.collect()
    print(for_publishes, for_readings, gc.mem_alloc() - before)
    client.close()


asyncio.run(main())
