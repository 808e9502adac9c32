"""The supervisor's rules against a board, pipes and faults in any order that hypothesis finds."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from model_board import LEASE, LITRES_A_SECOND, MAIN, PUMP, ZONES, Rig

from nongso.gateway.valves.plan import Care, Switches

STEP = 0.05
PUMP_REST, VALVE_REST = 2.0, 1.0
USUAL = dict.fromkeys(ZONES, LITRES_A_SECOND * 60.0)
CLOSE_TO = 0.25  # rounding of pulses to 0.1 s, and one turn of the loop


class Valves(RuleBasedStateMachine):
    """Everything that people, gateway, cable and board can do to the supervisor."""

    @initialize(left_on=st.sets(st.integers(0, 7)))
    def begin(self, left_on: set[int]) -> None:
        care = Care(0.5, PUMP_REST, VALVE_REST, flow_l_per_min=USUAL)
        self.rig = Rig(left_on, care=care, switches=Switches(stop=0, hands={"k1": 1}))
        self.calm_since_edge = 0  # nothing but the supervisor has moved a coil since
        self.left_on = dict.fromkeys(left_on, 0)  # on before the supervisor, since which edge
        self.tried: dict[str, float] = {}  # zone: when an order was refused by a silent bus
        self.orders: dict[str, tuple[str, float, float]] = {}  # id: zone, seconds, accepted at
        self.gateway_lives = True
        self.trouble_since: float | None = None  # nobody can renew since then
        self.wet: dict[str, float] = {}  # seconds that each order's valve was on
        self.current: dict[str, str] = {}  # zone: the order that may have it open
        self.renewed_at = 0.0
        self.number = 0

    # --- people and the gateway ------------------------------------------------------------

    @rule(
        zone=st.sampled_from([*ZONES, "roof"]),
        seconds=st.sampled_from([1, 2.5, 5, 20, 45, 600, 31, 0, 0.5, -3, 1e9]),
        again=st.booleans(),
        test=st.booleans(),
    )
    @precondition(lambda self: self.gateway_lives and not self.rig.is_frozen)
    def water(self, zone: str, seconds: float, again: bool, test: bool) -> None:
        self.number += not again
        order = f"order {self.number}"
        was_known = order in self.orders
        began = self.rig.clock()
        is_forbidden = zone in self.rig.plan.locked or self.rig.plan.is_emergency
        is_by_hand = zone in self.rig.plan.hands
        answer = self.rig.ask(do="open", zone=zone, seconds=seconds, id=order, test=test)
        if answer["state"] == "refused":
            if answer["code"] == "bus_silent":  # the board may have taken the pulse all the same
                self.tried[zone] = began
            return
        if not was_known:
            assert not is_forbidden, "a locked zone opened, or one while the red button is in"
            assert not is_by_hand
            self.has_rested(ZONES[zone][0], began, VALVE_REST)
            assert 1 <= seconds <= ZONES[zone][1]
            assert self.rig.is_open(zone)
            self.orders[order] = (zone, seconds, self.rig.clock())
            self.wet[order] = 0.0
            self.current[zone] = order

    @rule(zone=st.sampled_from([*ZONES, None]))
    @precondition(lambda self: not self.rig.is_frozen)
    def stop(self, zone: str | None) -> None:
        answer = self.rig.ask("somebody else", do="stop", zone=zone)
        board = self.rig.board
        if answer["state"] == "closed" and not board.is_cut and not board.echoes_get_lost:
            for stopped in [zone] if zone else ZONES:
                assert not self.rig.is_open(stopped) or ZONES[stopped][0] in board.welded

    @rule()
    def gateway_hangs(self) -> None:
        self.gateway_lives = False
        self.note_trouble()

    @rule()
    def gateway_goes_on(self) -> None:
        self.gateway_lives = True
        self.note_trouble()

    @rule()
    @precondition(lambda self: not self.rig.is_frozen)
    def gateway_dies(self) -> None:
        self.rig.desk.gone("gateway")
        self.rig.loop()

    @rule(zone=st.sampled_from([*ZONES]))
    @precondition(lambda self: self.gateway_lives and not self.rig.is_frozen)
    def a_person_unlocks(self, zone: str) -> None:
        unlocked = self.rig.ask(do="unlock", zone=zone)["unlocked"]
        assert unlocked or ZONES[zone][0] in self.rig.plan.coils.stuck

    @rule(zone=st.sampled_from([*ZONES]), seconds=st.sampled_from([2, 30]))
    @precondition(lambda self: self.gateway_lives and not self.rig.is_frozen)
    def a_person_takes_the_hose(self, zone: str, seconds: float) -> None:
        self.number += 1
        edges = len(self.rig.board.edges)
        self.rig.ask(do="hand", zone=zone, seconds=seconds, id=f"hose {self.number}")
        assert not any(on for _, _, on in self.rig.board.edges[edges:]), "it opens nothing"

    @rule(pressed=st.booleans(), hand=st.booleans())
    def somebody_is_at_the_cabinet(self, pressed: bool, hand: bool) -> None:
        self.rig.board.inputs[:2] = [not pressed, hand]

    @rule(share=st.sampled_from([0.0, 0.5]), stuck=st.sets(st.sampled_from([0, 1])))
    def the_tank_stands_higher_and_valves_do_not_close(
        self, share: float, stuck: set[int]
    ) -> None:
        self.rig.board.falls, self.rig.board.stuck_open = share, stuck

    @rule(part=st.sampled_from([0.0, 0.2, 1.0, 1.0, 1.0, 2.5]), leak=st.sampled_from([0, 0, 0.1]))
    def pipes_break_or_are_mended(self, part: float, leak: float) -> None:
        self.rig.board.flow_l_per_s = part * LITRES_A_SECOND
        self.rig.board.leaks_l_per_s = leak

    # --- the supervisor's own fate ---------------------------------------------------------

    @rule()
    def supervisor_hangs(self) -> None:
        self.rig.is_frozen = True
        self.note_trouble()

    @rule()
    def supervisor_goes_on(self) -> None:
        self.rig.is_frozen = False
        self.note_trouble()

    @rule()
    def supervisor_is_killed_and_started(self) -> None:
        self.rig.is_frozen = False
        self.rig.start()
        edges = len(self.rig.board.edges)
        self.left_on |= {c: edges for c in range(8) if self.rig.board.on[c]}
        self.current.clear()
        self.calm_since_edge = edges
        self.number += 1  # an id that only the old one knew is the gateway's to refuse
        self.note_trouble()

    # --- the board and the cable -----------------------------------------------------------

    @rule(lost=st.booleans())
    def cable_is_cut(self, lost: bool) -> None:
        self.rig.board.echoes_get_lost = lost
        self.rig.board.is_cut = not lost
        self.note_trouble()

    @rule()
    def cable_is_mended(self) -> None:
        self.rig.board.is_cut = self.rig.board.echoes_get_lost = False
        self.note_trouble()

    @rule()
    def board_restarts(self) -> None:
        self.rig.board.restart()
        self.calm_since_edge = len(self.rig.board.edges)

    @rule(coil=st.sampled_from([0, 1, MAIN, PUMP]))
    def contact_welds(self, coil: int) -> None:
        if self.rig.board.on[coil]:
            self.rig.board.welded.add(coil)

    @rule()
    def contacts_are_repaired(self) -> None:
        for coil in list(self.rig.board.welded):
            self.rig.board.welded.discard(coil)
            if coil not in self.rig.board.ends:
                self.rig.board.set(coil, False)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 3.0, 6.0, 20.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.rig.clock() + seconds
        while self.rig.clock() < until:
            before = self.rig.clock()
            self.rig.board.turn(STEP)
            is_due = self.rig.clock() - self.renewed_at >= 1.0
            if is_due and self.gateway_lives and not self.rig.is_frozen:
                self.renewed_at = self.rig.clock()
                self.rig.ask(do="renew")
            self.rig.loop()
            self.look(self.rig.clock() - before)

    # --- what must hold --------------------------------------------------------------------

    @property
    def foreign(self) -> set[int]:
        """Coils that have been on since before the supervisor began."""
        edges = self.rig.board.edges
        return {
            coil
            for coil, since in self.left_on.items()
            if all((c, on) != (coil, False) for _, c, on in edges[since:])
        }

    def has_rested(self, coil: int, now: float, rest: float) -> None:
        """What the supervisor itself has switched off stays off for its rest."""
        edges = self.rig.board.edges[self.calm_since_edge :]
        of_coil = [(t, on) for t, c, on in edges if c == coil and t < now]
        offs = [t for n, (t, on) in enumerate(of_coil) if not on and n]  # not one left on before
        if offs and coil not in self.foreign:
            assert now - offs[-1] >= rest - CLOSE_TO, f"coil {coil} was off for {now - offs[-1]} s"

    def note_trouble(self) -> None:
        """Note since when nobody can renew a pulse."""
        board = self.rig.board
        in_trouble = (
            not self.gateway_lives or self.rig.is_frozen or board.is_cut or board.echoes_get_lost
        )
        if not in_trouble:
            self.trouble_since = None
        elif self.trouble_since is None:
            self.trouble_since = self.rig.clock()
        if in_trouble or self.rig.board.welded:
            self.calm_since_edge = 1 << 30  # pulses lapse unseen

    def look(self, seconds: float) -> None:
        """Check the physical truth after each small step."""
        board, now = self.rig.board, self.rig.clock()
        for zone, (coil, _) in ZONES.items():
            if not board.on[coil] or coil in board.welded or coil in self.foreign:
                continue
            order = self.current.get(zone)
            if now - self.tried.get(zone, 0.0) <= LEASE + CLOSE_TO:
                continue
            assert order is not None, f"{zone} is open and nobody ordered it"
            _, ordered, accepted_at = self.orders[order]
            assert now <= accepted_at + ordered + CLOSE_TO, f"{zone} is open beyond its order"
            self.wet[order] += seconds
            assert self.wet[order] <= ordered + CLOSE_TO + 0.3
            if self.trouble_since is not None:
                assert now - self.trouble_since <= LEASE + 1.0, f"{zone} is open without a lease"

    @invariant()
    def pump_only_with_an_open_valve(self) -> None:
        board = self.rig.board
        is_excused = board.welded or self.foreign
        if board.on[PUMP] and not is_excused:
            assert any(board.on[coil] for coil, _ in ZONES.values())

    @invariant()
    def the_main_valve_is_open_without_a_zone_only_after_a_wet_test_and_not_for_long(self) -> None:
        board, fall = self.rig.board, self.rig.plan.fall
        is_excused = board.welded or self.foreign or self.rig.plan.coils.silent_since is not None
        if self.rig.is_frozen or is_excused or any(board.on[coil] for coil, _ in ZONES.values()):
            return
        if board.on[MAIN] and (fall is None or fall.held_until is None):
            last = max(t for t, c, _ in board.edges if c < MAIN)
            assert self.rig.clock() - last <= LEASE + CLOSE_TO
        elif board.on[MAIN]:
            assert not board.on[PUMP]
            assert self.rig.clock() <= fall.held_until + CLOSE_TO

    @invariant()
    def the_pump_rests_between_two_starts(self) -> None:
        starts = [
            t
            for t, c, on in self.rig.board.edges[self.calm_since_edge :]
            if (c, on) == (PUMP, True)
        ]
        if starts:
            self.has_rested(PUMP, starts[-1], PUMP_REST)

    @invariant()
    def ready_means_that_everything_was_closed(self) -> None:
        if self.rig.plan.coils.is_ready:
            assert self.foreign <= self.rig.board.welded

    def teardown(self) -> None:
        """Whatever happened: with nobody left, everything closes."""
        if not hasattr(self, "rig"):
            return
        self.gateway_lives = False
        self.contacts_are_repaired()
        for _ in range(round((LEASE + 1.0) / STEP)):
            self.rig.board.turn(STEP)
            self.rig.loop()
        for zone, (coil, _) in ZONES.items():
            assert not self.rig.board.on[coil] or coil in self.foreign, zone


Valves.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestValves = Valves.TestCase
