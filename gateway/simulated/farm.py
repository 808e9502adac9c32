"""The simulated farm as a process: physics ten times a second, relay board, chips.

The relay board and the chips live in real time; ``speed`` lets only the physics run faster. At
speed 1 the farm's time is the real time of day; faster, it runs ahead from there. What happened
while the process was away is caught up at the start, with every valve closed. Ends with status 0
on SIGTERM or SIGINT, every relay off; with status 1 and one sentence when it cannot begin.
"""

import asyncio
import logging
import signal
import sys
import time
from pathlib import Path

from nongso.gateway.simulated.chips import ChipBus
from nongso.gateway.simulated.faults import FaultFile, Faults, switched
from nongso.gateway.simulated.model import FarmModel
from nongso.gateway.simulated.newcomers import Newcomers
from nongso.gateway.simulated.relay import EdgeLog, Relays
from nongso.gateway.simulated.relay_board import BusError, SimulatedBus, check_port
from nongso.gateway.simulated.settings import FarmSettings, SettingsError, read
from nongso.gateway.simulated.state import StateFile

TICK_SECONDS = 0.1
SAVE_SECONDS = 5.0
_CATCH_UP_SECONDS = 31 * 86400.0
_LONGEST_PAUSE = 60.0  # a laptop that slept; what is beyond it did not happen


def taken_up(settings: FarmSettings, state: StateFile, now: float) -> FarmModel | None:
    """Build the model as it was saved; a state that is not ours is set aside and said."""
    saved = state.content.get("model")
    if saved is None:
        return None
    model = FarmModel(settings, now)
    try:
        model.restore(saved)
    except (ValueError, OverflowError) as error:
        state.set_aside(f"cannot be used ({error})")
        return None
    return model


def begin(settings: FarmSettings, state: StateFile, now: float) -> FarmModel:
    """Build the model as it is at ``now``: from the saved state, or new."""
    model = taken_up(settings, state, now)
    if model is None:
        return FarmModel(settings, now)
    away = now - model.at
    if 0.0 < away <= _CATCH_UP_SECONDS:
        model.advance(away)
    model.at = now  # after an accelerated run the saved time may be ahead
    return model


async def _serve(settings: FarmSettings, model: FarmModel, state: StateFile) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    nodes = Newcomers(settings)
    edges = EdgeLog(settings.edges)
    relays = Relays(edges.write, count=settings.relays)
    bus = SimulatedBus(
        settings.modbus_host, settings.modbus_port, relays, model.water, settings.switches
    )
    chips: ChipBus | None = None
    try:
        await bus.start()
        check_port(settings.chips_host, settings.chips_port)
        # Called from the chip bus' threads: at worst one value is a step older than another.
        chips = ChipBus(
            settings.chips_host, settings.chips_port, lambda slug: model.truth(nodes[slug])
        )
        chips.start()
        print(
            f"Simulated farm ready: {len(settings.houses)} greenhouses, relay board on "
            f"{bus.host}:{bus.port}, chips on {chips.address[0]}:{chips.address[1]}, "
            f"speed {settings.speed:g}.",
            flush=True,
        )
        await _live(settings, model, relays, bus, state, stop)
    finally:
        relays.power_off()
        await bus.stop()
        if chips is not None:
            chips.stop()
        edges.close()
        state.try_put(model=model.state())


def _suffer(
    faults: Faults, settings: FarmSettings, model: FarmModel, relays: Relays, bus: SimulatedBus
) -> None:
    """Let the farm have these faults."""
    if faults.has("brown_out"):
        relays.power_off()
    relays.weld(frozenset(switched(settings, at) for at in faults.at("welded")))
    relays.dead = frozenset(switched(settings, at) for at in faults.at("dead_relay"))
    bus.suffer(faults)
    model.suffer(faults)


async def _live(
    settings: FarmSettings,
    model: FarmModel,
    relays: Relays,
    bus: SimulatedBus,
    state: StateFile,
    stop: asyncio.Event,
) -> None:
    """Move the physics until told to stop."""
    last = saved = time.monotonic()
    file = FaultFile(settings)
    while not stop.is_set():
        now = time.monotonic()
        _suffer(file.now(time.time()), settings, model, relays, bus)
        model.advance(min(now - last, _LONGEST_PAUSE) * settings.speed, relays.coils)
        last = now
        if now - saved >= SAVE_SECONDS:
            saved = now
            state.try_put(model=model.state())
        try:
            await asyncio.wait_for(stop.wait(), TICK_SECONDS)
        except TimeoutError:
            continue


def run(settings_file: Path) -> int:
    """Run the simulated farm until SIGTERM or SIGINT. Returns the exit status."""
    # Frames that strangers garble on the bus are the strangers' concern; each one is answered.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    try:
        settings = read(settings_file)
        state = StateFile(settings.state)
        model = begin(settings, state, time.time())
        asyncio.run(_serve(settings, model, state))
    except (SettingsError, BusError) as error:
        print(f"The simulated farm cannot begin. {error}", file=sys.stderr, flush=True)
        return 1
    except OSError as error:
        print(f"The simulated farm cannot begin: {error}", file=sys.stderr, flush=True)
        return 1
    return 0
