"""The node as a whole (trạm đo): samples at its interval, keeps, sends."""

import asyncio
import gc

from nongso.node import record
from nongso.node.clock import Clock, Origins
from nongso.node.interpreter import (
    TYPE_CHECKING,
    const,
    random_bits,
    sleep_ms,
    ticks_add,
    ticks_diff,
    ticks_ms,
)
from nongso.node.life import GOOD_AFTER_MS, SAFE_FOR_MS
from nongso.node.log import Trouble, say
from nongso.node.ring import Ring
from nongso.node.uplink import Uplink

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from nongso.node.hardware import Board, Slots
    from nongso.node.life import Life
    from nongso.node.sampling import Sampler
    from nongso.node.settings import Settings

_FEED_MS = const(2000)  # the RP2's watchdog bites after at most 8.4 s
_LONGEST_HUSH_MS = const(120000)
_NEVER = const(1 << 30)
_LINK_IS_GONE_MS = const(5000)
_CLOCK_MS = const(21600000)  # cheap crystals lose a second in six hours
_CLOCK_AGAIN_MS = const(600000)
_BROKER_PATIENCE_MS = const(900000)  # then a start anew may help a chip whose radio hangs


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
        self._sleep_every, self._awake_ms = settings.sleep_every, settings.awake_seconds * 1000
        carried = None
        if self._sleep_every:
            from nongso.node import sleep

            carried = sleep.unpack(board.carried())
        self.boot = random_bits(30) if carried is None else carried.boot
        self._seq = 0 if carried is None else carried.seq
        self._waiting = self._sleep_every if carried is None else carried.waiting
        self._ring = Ring(
            board.folder + "/ring",
            settings.ring_bytes,
            # A node that sleeps decides by itself what goes to the flash.
            batch=_NEVER if self._sleep_every else settings.samples_in_memory,
        )
        for heading, body in carried.samples if carried is not None else ():
            self._ring.append(heading, body)
        self._clock = Clock(board.unix_seconds, uptime=carried.uptime if carried else 0)
        self._origins = Origins(board.folder)
        self._has_untimed = False
        self._alive_at = ticks_ms()
        self._ended = asyncio.Event()
        self._failure: Exception | None = None
        self._starts_anew = False
        self._is_tired = False
        self._may_connect = asyncio.Event()
        self._heading = record.pack_heading(self.boot, board.simulated, sampler.columns)
        self._clock_trouble = Trouble("clock")
        self._uplink = Uplink(
            settings,
            board,
            self._ring,
            self._clock,
            self._origins,
            self.boot,
            slots,
            sampler,
            self._start_is_good,
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
        if self._sleep_every and not self._life.is_safe:
            first = self._sample_and_send()
        else:
            first = self._be_safe() if self._life.is_safe else self._keep_sampling()
        tasks = [
            asyncio.create_task(self._until_it_ends(part))
            for part in (
                first,
                self._connect(),
                self._watch(),
                self._keep_time(),
                self._show(),
                self._board.wait_for_switch_off(),
                self._try_new_version(),
            )
        ]
        await self._ended.wait()
        for task in tasks:
            task.cancel()
        if self._is_tired:
            await self._uplink.say_goodbye(is_off=False)
        else:
            self._ring.flush()
            await self._uplink.say_goodbye()
            say("node ends; what is not acknowledged stays in the ring")
        if self._failure is not None:
            raise self._failure
        return self._starts_anew

    def sleep(self) -> None:
        """Go to sleep if the node is one that sleeps and nothing else ended its run."""
        if not self._is_tired:
            return
        from nongso.node import sleep

        ms = max(1000, self._interval_ms - ticks_diff(ticks_ms(), self._began_at))
        wakes_at = self._clock.uptime() + ms // 1000
        try:
            carried = sleep.pack(self.boot, self._seq, wakes_at, self._waiting, self._ring.tail())
        except ValueError:
            self._ring.flush()
            carried = sleep.pack(self.boot, self._seq, wakes_at, self._waiting, [])
        self._board.carry(carried)
        self._board.sleep(ms)

    async def _sample_and_send(self) -> None:
        """Measure once, and connect when enough is waiting; then sleep, whatever came of it."""
        await self._sample()
        self._waiting += 1
        if self._waiting >= self._sleep_every:
            self._waiting = 0
            self._may_connect.set()
            while (
                not self._ring.is_empty()
                and ticks_diff(ticks_ms(), self._began_at) < self._awake_ms
            ):
                self._alive_at = ticks_ms()
                await sleep_ms(50)
            if not self._ring.is_empty():
                say("not everything could be sent in time: it goes to the flash")
                self._ring.flush()
                self._keep_origin()
        self._life.good()
        self._is_tired = True

    async def _connect(self) -> None:
        if self._sleep_every and not self._life.is_safe:
            await self._may_connect.wait()
        await self._uplink.run()
        self._starts_anew = True

    async def _try_new_version(self) -> None:
        await self._uplink.updates.run()
        self._starts_anew = True

    async def _until_it_ends(self, part: "Coroutine[None, None, None]") -> None:
        try:
            await part
        except Exception as e:
            self._failure = e
        self._ended.set()

    def _start_is_good(self) -> None:
        if not self._life.is_safe:
            self._life.good()

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
            if ticks_diff(now, self._began_at) > GOOD_AFTER_MS:
                self._start_is_good()
            if ticks_diff(now, self._uplink.answered_at) > _BROKER_PATIENCE_MS:
                say("no broker for too long: the node starts anew, its ring stays as it is")
                break
            await sleep_ms(_FEED_MS)
        self._starts_anew = True

    async def _show(self) -> None:
        """Blink every four seconds, as often as ``docs/node.md`` says."""
        while True:
            for _ in range(self._blinks()):
                self._board.light(True)
                await sleep_ms(60)
                self._board.light(False)
                await sleep_ms(240)
            await sleep_ms(4000)

    def _blinks(self) -> int:
        if self._life.is_safe:
            return 5
        if ticks_diff(ticks_ms(), self._uplink.linked_at) > _LINK_IS_GONE_MS:
            return 2
        if self._uplink.is_unheard():
            return 3
        return 4 if self._sampler.has_trouble() else 1

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
            self._keep_origin()
            self._clock_trouble.well("known")

    def _keep_origin(self) -> None:
        """Keep when this boot began, for what it measured before the clock was known."""
        unix = self._clock.unix()
        if unix is None or self._origins.of(self.boot) is not None:
            return
        try:
            self._origins.remember(self.boot, unix - self._clock.uptime())
        except OSError as e:
            say("cannot keep when this boot began (%s)" % e)
