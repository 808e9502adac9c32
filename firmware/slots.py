"""Two places for the node's program, and which of them runs: decided at each start.

How this works. The folders ``a`` and ``b`` each hold one whole version of everything but this
file, ``boot.py`` and ``main.py``, which never come over the air. ``slots.json`` says which is
active. A new version is written into the other one, and runs on trial: each start in the trial
takes one of its tries away before anything of it is loaded, and only when the gateway has
acknowledged one of its readings does it become the active one (``confirm``). With no tries left
the start goes back to the version before, and remembers what was wrong, to tell the gateway.

The file is written beside itself and put in its place in one step, so that a power cut leaves the
old or the new one. Should it be lost all the same, the older of the whole versions runs: that
one has been active before. With neither folder the modules beside this file run; so it is on
simulated boards until their first update.

No module of a version is imported here: a damaged one must not keep the board from starting.
"""

import json
import os
import sys

TRIES = 3
HUNG, CRASHED, UNHEARD, STOPPED = "hung", "crashed", "unheard", "stopped"
WATCHDOG_MS = 8000  # the RP2's longest is 8388

_FILE = "slots.json"
_NAMES = ("a", "b")
_NOTHING = {"number": 0, "version": ""}


class Slots:
    """The slots of a board. ``running`` is ``None`` while the modules beside this file run."""

    def __init__(self, folder="."):
        self._folder = folder
        self.running = None
        self.is_trial = False
        self._state = self._read()

    # --- at the start ---------------------------------------------------------

    def choose(self, was_watchdog=False, was_sleep=False):
        """Choose what runs now and return the folders that come first on the module path.

        ``was_watchdog``: the watchdog has ended the last run. ``was_sleep``: the board wakes from
        a sleep that it chose itself, which is no failed try.
        """
        state = self._state
        trial = state["trial"]
        if trial is not None:
            if was_watchdog:
                if state["why"] == HUNG:  # once may be chance, twice is the version
                    state["tries"] = 0
                state["why"] = HUNG
            if state["tries"] < 1 or not self._is_whole(trial):
                self._roll_back()
            else:
                try:
                    if not was_sleep:
                        state["tries"] -= 1
                        self._write()
                    self.running, self.is_trial = trial, True
                except OSError:  # a try that cannot be counted might never end
                    state["tries"] = 0
        if not self.is_trial:
            self.running = state["active"] = self._runnable()
        if self.running is None:
            return []
        place = self.place(self.running)
        return [place, place + "/lib"]

    def _runnable(self):
        """The active slot, or what is left if it is damaged."""
        active = self._state["active"]
        if active is None or self._is_whole(active):
            return active
        other = _other(active)
        return other if other != self._state["trial"] and self._is_whole(other) else None

    def _roll_back(self):
        state = self._state
        trial = state["trial"]
        rolled = dict(self.version(trial))
        rolled["why"] = state["why"] or STOPPED
        state["rolled"], state["trial"], state["why"] = rolled, None, ""
        try:
            self._write()
        except OSError:
            pass  # the next start decides the same again

    # --- while the node runs --------------------------------------------------

    @property
    def number(self):
        """The number of what runs; 0 for the modules beside this file."""
        return self.version(self.running)["number"]

    @property
    def rolled(self):
        """What was rolled back last (``number``, ``version``, ``why``), or ``None``."""
        return self._state["rolled"]

    def version(self, slot):
        """``number`` and ``version`` of what lies whole in a slot."""
        if slot is None:
            return _NOTHING
        try:
            with open(self.place(slot) + "/version.json") as file:
                found = json.load(file)
            if not isinstance(found["number"], int) or not isinstance(found["version"], str):
                return _NOTHING
            return {"number": found["number"], "version": found["version"]}
        except (OSError, ValueError, KeyError, TypeError):
            return _NOTHING

    def place(self, slot):
        """The folder of a slot."""
        return self._folder + "/" + slot

    def idle(self):
        """Return the slot into which a new version may be written; what was in it is given up."""
        slot = _NAMES[0] if self.running is None else _other(self.running)
        if self._state["trial"] == slot:
            self._state["trial"] = None
            self._write()
        try:
            os.mkdir(self.place(slot))
        except OSError:
            pass
        try:
            os.remove(self.place(slot) + "/version.json")
        except OSError:
            pass
        return slot

    def finish(self, slot, number, version):
        """Say that a slot is whole now, and let it be tried at the next start."""
        self._put(slot + "/version.json", {"number": number, "version": version})
        state = self._state
        state["trial"], state["tries"], state["why"], state["rolled"] = slot, TRIES, "", None
        self._write()

    def confirm(self):
        """Make the version on trial the active one."""
        if self.is_trial:
            state = self._state
            state["active"], state["trial"], state["why"] = self.running, None, ""
            self._write()
            self.is_trial = False

    def failed(self, why, at_once=False):
        """Note why the version on trial is about to end; ``at_once``: it gets no further try."""
        if self.is_trial:
            self._state["why"] = why
            if at_once:
                self._state["tries"] = 0
            try:
                self._write()
            except OSError:
                pass

    # --- files ----------------------------------------------------------------

    def _is_whole(self, slot):
        return self.version(slot) is not _NOTHING

    def _read(self):
        state = {"active": None, "trial": None, "tries": 0, "why": "", "rolled": None}
        try:
            with open(self._folder + "/" + _FILE) as file:
                found = json.load(file)
            for key in ("active", "trial"):
                if found[key] is None or found[key] in _NAMES:
                    state[key] = found[key]
            state["tries"], state["why"] = int(found["tries"]), str(found["why"])
            if isinstance(found["rolled"], dict):
                state["rolled"] = found["rolled"]
        except (OSError, ValueError, KeyError, TypeError):
            whole = [slot for slot in _NAMES if self._is_whole(slot)]
            if whole:
                state["active"] = min(whole, key=lambda slot: self.version(slot)["number"])
        return state

    def _write(self):
        self._put(_FILE, self._state)

    def _put(self, name, value):
        path = self._folder + "/" + name
        with open(path + ".new", "w") as file:
            file.write(json.dumps(value))
            file.flush()
            if hasattr(os, "fsync"):
                os.fsync(file.fileno())
        os.rename(path + ".new", path)


def _other(slot):
    return _NAMES[1] if slot == _NAMES[0] else _NAMES[0]


def begin(folder="."):
    """Choose the version that runs, set the module path, and watch a trial from its first line."""
    import machine

    cause = machine.reset_cause()
    slots = Slots(folder)
    sys.path[:0] = slots.choose(
        cause == machine.WDT_RESET, cause == getattr(machine, "DEEPSLEEP_RESET", None)
    )
    if slots.is_trial:
        machine.WDT(timeout=WATCHDOG_MS)
    return slots
