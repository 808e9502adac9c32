"""The node as a whole (trạm đo): samples at its interval, keeps, sends."""

import asyncio
import gc

from nongso.node import record
from nongso.node.calibration import Calibration
from nongso.node.clock import Clock, Origins
from nongso.node.interpreter import (
    TYPE_CHECKING,
    random_bits,
    sleep_ms,
    ticks_add,
    ticks_diff,
    ticks_ms,
)
from nongso.node.life import GOOD_AFTER_MS, SAFE_FOR_MS
from nongso.node.log import Trouble, say
from nongso.node.orders import Orders
from nongso.node.ring import Ring
from nongso.node.uplink import Uplink

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from nongso.node.hardware import Board, Slots
    from nongso.node.life import Life
    from nongso.node.sampling import Sampler
    from nongso.node.settings import Settings

_FEED_MS = 2000  # the RP2's watchdog bites after at most 8.4 s
_LONGEST_HUSH_MS = 120000
_CLOCK_MS = 21600000  # cheap crystals lose a second in six hours
_CLOCK_AGAIN_MS = 600000
_BROKER_PATIENCE_MS = 900000  # then a start anew may help a chip whose radio hangs


class Station:
    """One node. ``boot`` is a new random number with each start."""

    def __init__(
        self,
        settings: "Settings",
        board: "Board",
        sampler: "Sampler",
        slots: "Slots",
        life: "Life",
    ) -> None:
        """Open the ring. Raises ``RingError`` if the board's folder cannot be used."""
        self._board, self._sampler, self._life = board, sampler, life
        self._began_at = ticks_ms()
        self._interval_ms = settings.interval_seconds * 1000
        self.boot = random_bits(30)
        self._seq = 0
        self._ring = Ring(
            board.folder + "/ring", settings.ring_bytes, batch=settings.samples_in_memory
        )
        self._clock = Clock(board.unix_seconds)
        self._origins = Origins(board.folder)
        self._has_untimed = False
        self._alive_at = ticks_ms()
        self._ended = asyncio.Event()
        self._failure: Exception | None = None
        self._starts_anew = False
        self._heading = record.pack_heading(self.boot, board.simulated, sampler.columns)
        self._clock_trouble = Trouble("clock")
        orders = Orders(sampler, Calibration(board.folder), self._clock.unix)
        self._uplink = Uplink(
            settings, board, self._ring, self._clock, self._origins, self.boot, slots, orders
        )
        say(
            "node %s of %s starts, boot %d, %s%s"
            % (
                settings.node,
                settings.farm,
                self.boot,
                ", ".join(sampler.columns),
                "; SIMULATED board" if board.simulated else "",
            )
        )
        if settings.broker.user not in (None, settings.node):
            # Such a broker confirms what it throws away (MQTT 3.1.1 has no word for "forbidden").
            say(
                "config.json: node is %s, but broker.user is %s: a broker set up by nongso lets "
                "each user write under its own name only" % (settings.node, settings.broker.user)
            )

    async def run(self) -> bool:
        """Run until the board is switched off or is to start anew; says whether it is.

        Raises what ended a part of the node.
        """
        tasks = [
            asyncio.create_task(self._until_it_ends(part))
            for part in (
                self._be_safe() if self._life.is_safe else self._keep_sampling(),
                self._uplink.run(),
                self._watch(),
                self._keep_time(),
                self._board.wait_for_switch_off(),
                self._try_new_version(),
            )
        ]
        await self._ended.wait()
        for task in tasks:
            task.cancel()
        self._ring.flush()
        await self._uplink.say_goodbye()
        say("node ends; what is not acknowledged stays in the ring")
        if self._failure is not None:
            raise self._failure
        return self._starts_anew

    async def _try_new_version(self) -> None:
        await self._uplink.updates.run()
        self._starts_anew = True

    async def _until_it_ends(self, part: "Coroutine[None, None, None]") -> None:
        try:
            await part
        except Exception as e:
            self._failure = e
        self._ended.set()

    async def _be_safe(self) -> None:
        """Measure nothing for a while, then start anew to try the ordinary way."""
        while ticks_diff(ticks_ms(), self._began_at) < SAFE_FOR_MS:
            self._alive_at = ticks_ms()
            await sleep_ms(1000)
        self._life.good()
        self._starts_anew = True

    async def _watch(self) -> None:
        """Feed the watchdog as long as every part of the node shows that it is alive."""
        while not self._uplink.updates.has_failed():
            now = ticks_ms()
            if (
                ticks_diff(now, self._alive_at) < self._interval_ms + _LONGEST_HUSH_MS
                and ticks_diff(now, self._uplink.alive_at) < _LONGEST_HUSH_MS
            ):
                self._board.feed()
            if not self._life.is_safe and ticks_diff(now, self._began_at) > GOOD_AFTER_MS:
                self._life.good()
            if ticks_diff(now, self._uplink.linked_at) > _BROKER_PATIENCE_MS:
                say("no broker for too long: the node starts anew, its ring stays as it is")
                break
            await sleep_ms(_FEED_MS)
        self._starts_anew = True

    async def _keep_time(self) -> None:
        """Set the clock anew now and then; the first time is the network's."""
        trouble = Trouble("time server")
        pause_ms = _CLOCK_MS
        while True:
            await sleep_ms(pause_ms)
            try:
                await self._board.set_clock()
            except OSError as e:
                trouble.failed(str(e))
                pause_ms = _CLOCK_AGAIN_MS
            else:
                trouble.well("answers again")
                pause_ms = _CLOCK_MS

    async def _keep_sampling(self) -> None:
        due = ticks_ms()
        while True:
            await self._sample()
            self._alive_at = ticks_ms()
            gc.collect()
            due = ticks_add(due, self._interval_ms)
            wait = ticks_diff(due, ticks_ms())
            if wait <= 0:  # held up longer than an interval: do not catch up
                due = ticks_ms()
            await sleep_ms(max(wait, 0))

    async def _sample(self) -> None:
        uptime = self._clock.uptime()
        unix = self._clock.unix()
        self._set_origin(uptime, unix)
        values = await self._sampler.sample()
        self._seq += 1
        at = uptime if unix is None else unix
        body = record.pack(self._seq, at, unix is not None, self._ring.lost, values)
        self._ring.append(self._heading, body)
        self._uplink.wake()

    def _set_origin(self, uptime: int, unix: "int | None") -> None:
        """When the clock becomes known, give their time to the samples from before."""
        if unix is None:
            self._has_untimed = True
            self._clock_trouble.failed("not set yet; times count from now")
        elif self._has_untimed:
            self._has_untimed = False
            try:
                self._origins.remember(self.boot, unix - uptime)
            except OSError as e:
                say("cannot keep when this boot began (%s)" % e)
            self._clock_trouble.well("known")
