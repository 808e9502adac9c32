"""Lays down the farm's past through the gateway's inbox, and lets the live farm go on from it.

The window of the past is fixed at the first call and kept in ``state.json`` together with the
farm as it is at its end, before anything is sent. So a call that was cut off, or a second one,
sends the very same messages, and the live farm starts where the curves end. A message counts as
sent when the gateway has acknowledged it on ``…/ack``; the broker's word proves nothing.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from nongso.gateway.simulated.past import Message, Past, live_through, window
from nongso.gateway.simulated.settings import FarmSettings, read
from nongso.gateway.simulated.state import StateFile
from nongso.wire import ack, topics

IN_FLIGHT = 400
RESEND_SECONDS = 4.0
PATIENCE_SECONDS = 30.0
_CONNECT_SECONDS = 10.0

Progress = Callable[[int, int], None]


class HistoryError(Exception):
    """The past could not be laid down; the text says how far it came and what to look at."""


@dataclass(frozen=True)
class Lived:
    """The past of a farm, fixed on the disk. ``past.waterings`` are told otherwise (``past_runs``,
    ``past_account``)."""

    state: StateFile
    start: int
    end: int
    past: Past


@dataclass(frozen=True)
class Sent:
    """What was sent and acknowledged. ``resent`` counts messages that had to go out again."""

    messages: int
    readings: int
    resent: int
    seconds: float
    start: int
    end: int


def live(settings: FarmSettings | Path, days: int | None = None) -> Lived:
    """Live through the farm's past; a second call finds the same one.

    Raises ``HistoryError`` when it cannot be fixed on the disk.
    """
    if isinstance(settings, Path):
        settings = read(settings)
    if days is not None:
        settings = replace(settings, days=days)
    state = StateFile(settings.state)
    known = state.content.get("history")
    if known is None:
        start, end = window(time.time(), settings.days)
    else:
        start, end = int(known["start"]), int(known["end"])
        settings = replace(settings, days=(end - start) // 86400)
    past = live_through(settings, start, end)
    if known is None:
        kept = state.content.get("model") or past.model.state()
        try:
            state.put(model=kept, history={"start": start, "end": end, "sent_at": None})
        except OSError as error:
            raise HistoryError(f"Cannot write {state.file}: {error}") from None
    return Lived(state, start, end, past)


def publish(
    lived: Lived,
    broker: Mapping[str, Any],
    on_progress: Progress = lambda done, total: None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> Sent:
    """Send the past of the farm and wait until the gateway has acknowledged all of it.

    ``broker`` has ``host``, ``port``, ``user`` and ``password`` of a user who may write for all
    nodes (``demo``). ``on_progress(done, total)`` counts acknowledged messages. Raises
    ``HistoryError`` when the broker cannot be entered, or when the gateway acknowledges nothing
    for ``patience_seconds``; a later call goes on with the same past.
    """
    began = time.monotonic()
    messages = lived.past.messages
    sender = _Sender(messages, broker, on_progress, patience_seconds)
    sender.send()
    history = {"start": lived.start, "end": lived.end, "sent_at": int(time.time())}
    lived.state.try_put(history=history)
    return Sent(
        messages=len(messages),
        readings=sum(message.readings for message in messages),
        resent=sender.resent,
        seconds=time.monotonic() - began,
        start=lived.start,
        end=lived.end,
    )


class _Sender:
    """Keeps up to ``IN_FLIGHT`` messages under way and sends again what is not acknowledged."""

    def __init__(
        self,
        messages: list[Message],
        broker: Mapping[str, Any],
        on_progress: Progress,
        patience_seconds: float,
    ) -> None:
        self._waiting = list(reversed(messages))
        self._total = len(messages)
        self._under_way: dict[tuple[str, str, int, int], Message] = {}
        self._acks = sorted({topics.topic(m.farm, m.node, "ack") for m in messages})
        self._broker, self._on_progress = broker, on_progress
        self._patience = patience_seconds
        self._changed = threading.Condition()
        self._ready = False
        self._refused = ""
        self.acknowledged = 0
        self.resent = 0

    def send(self) -> None:
        """Send everything; returns when all is acknowledged."""
        broker = self._broker
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="", clean_session=True)
        client.username_pw_set(str(broker["user"]), str(broker["password"]))
        client.max_inflight_messages_set(IN_FLIGHT)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.reconnect_delay_set(1, 2)
        try:
            client.connect(str(broker["host"]), int(broker["port"]), keepalive=30)
        except OSError as error:
            raise HistoryError(
                f"Cannot reach the broker at {broker['host']}:{broker['port']}: {error}"
            ) from None
        client.loop_start()
        try:
            self._wait_ready()
            self._pump(client)
        finally:
            client.disconnect()
            client.loop_stop()

    def _wait_ready(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._refused, _CONNECT_SECONDS)
            if not self._ready:
                raise HistoryError(
                    f"The broker at {self._broker['host']}:{self._broker['port']} does not let "
                    f"user {self._broker['user']!r} in: {self._refused or 'no answer'}"
                )

    def _pump(self, client: mqtt.Client) -> None:
        heard = resent_at = time.monotonic()
        done = -1
        while True:
            with self._changed:
                if done == self.acknowledged:
                    self._changed.wait(0.25)
                now = time.monotonic()
                if self.acknowledged != done:
                    done, heard = self.acknowledged, now
                batch = self._next_batch()
                if not batch and now - max(heard, resent_at) > RESEND_SECONDS:
                    batch = list(self._under_way.values())
                    self.resent += len(batch)
                    resent_at = now
            self._on_progress(done, self._total)
            if done == self._total:
                return
            if now - heard > self._patience:
                raise HistoryError(
                    f"The gateway has acknowledged {done} of {self._total} messages of the past, "
                    f"and none for {self._patience:.0f} s. Is it running and connected to the "
                    f"broker at {self._broker['host']}:{self._broker['port']}? See its log."
                )
            for message in batch:
                up = topics.topic(message.farm, message.node, "up")
                sent = client.publish(up, message.payload, qos=1)
                if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
                    raise HistoryError(f"Cannot publish on {up}: {mqtt.error_string(sent.rc)}")

    def _next_batch(self) -> list[Message]:
        batch = []
        while self._waiting and len(self._under_way) < IN_FLIGHT:
            message = self._waiting.pop()
            key = (message.farm, message.node, message.boot, message.seq)
            self._under_way[key] = message
            batch.append(message)
        return batch

    # --- called by paho's thread ------------------------------------------------

    def _on_connect(
        self,
        client: mqtt.Client,
        userdata: Any,
        flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            with self._changed:
                self._refused = str(reason)
                self._changed.notify()
        else:
            client.subscribe([(ack_topic, 1) for ack_topic in self._acks])

    def _on_subscribe(
        self,
        client: mqtt.Client,
        userdata: Any,
        mid: int,
        reasons: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        with self._changed:
            if any(reason.is_failure for reason in reasons):
                self._refused = "it may not hear the gateway's acknowledgements"
            else:
                self._ready = True
            self._changed.notify()

    def _on_message(self, client: mqtt.Client, userdata: Any, received: mqtt.MQTTMessage) -> None:
        try:
            farm, node, _ = topics.parse(received.topic)
            found = ack.decode(bytes(received.payload))
        except ValueError:
            return  # not an acknowledgement: what it was meant for stays unacknowledged
        with self._changed:
            keys = [
                key
                for key in self._under_way
                if key[:3] == (farm, node, found.boot) and found.first <= key[3] <= found.last
            ]
            for key in keys:
                del self._under_way[key]
            self.acknowledged += len(keys)
            self._changed.notify()
