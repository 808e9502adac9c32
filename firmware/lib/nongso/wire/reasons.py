"""Why water ran, stopped or did not run: the codes that every room uses.

Each code names the values that belong to it; the platform owns one Vietnamese and one
English sentence a code. A code once published keeps its meaning.
"""

# Refused: the wish came to nothing.
REFUSED = {
    "zone_unknown": (),
    "zone_off": (),
    "zone_not_tested": (),
    "expired": ("late_seconds",),
    "forged": (),
    "seconds_out_of_range": ("seconds", "max_seconds"),
    "zone_locked": (),
    "emergency_stop": (),
    "stop_button_silent": (),
    "zone_busy": (),
    "tank_low": ("tank_percent", "needed_percent"),
    "tank_unknown": (),
    "source_low": ("source", "level_percent", "lowest_percent"),
    "source_level_unknown": ("source",),
    "source_not_tested": ("source",),
    "outside_sun_hours": ("source", "at"),
    "resting": ("seconds_left",),
    "daily_limit": ("seconds_today", "max_seconds"),
    "window_limit": ("hours", "seconds_ran", "max_seconds"),
    "tank_ran_low": ("tank_percent", "lowest_percent"),
    "mains_bad": ("volts", "low_volts", "high_volts"),
    "mains_uneven": ("apart_percent", "most_apart_percent"),
    "mains_gone": (),
    "waits_for_pump": ("zone",),
    "already_waiting": (),
    "waited_too_long": (),
    "pump_not_started": (),
    "source_day_quota": ("source", "litres_used", "litres_most"),
    "source_season_quota": ("source", "litres_used", "litres_most"),
    "bus_silent": (),
    "supervisor_gone": (),
    "board_without_auto_off": (),
    "another_valve_stuck": ("zone",),
    "valve_not_opened": (),
    "interrupted": (),
    "stopped_meanwhile": (),
    "cannot_record": (),
    "test_goes_on": ("zone",),
    "test_needs_quiet": ("zone",),
    "test_is_over": (),
    "shut_not_seen": (),
    "not_understood": ("detail",),
    "still_open": ("zone",),
}

# What the zone's own way of watering decides when it does not water.
WAITED = {
    "soil_moist": ("moisture", "low"),
    "no_reading": ("age_seconds",),
    "soaking": ("seconds_left",),
    "mode_manual": (),
    "by_hand_until": ("at",),
    "stopped_by_person": (),
    "next_slot": ("at",),
    "no_slot": (),
    "slot_missed": ("at",),
    "soil_has_water": ("litres", "allowed_litres"),
    "should_water": ("seconds", "litres", "allowed_litres"),
    "no_climate": ("metric",),
    "probe_frozen": ("node", "metric", "value", "litres", "hours"),
    "probe_drifting": ("node", "metric", "from_percent", "to_percent"),
    "probe_taught": ("node",),
}

# Why a run was started.
STARTED = {
    "wished": (),
    "by_hand": (),
    "wet_test": (),
    "soil_dry": ("moisture", "low"),
    "soil_filling": ("moisture", "high"),
    "least_of_day": (),
    "slot_due": ("at",),
    "plants_used": ("litres", "allowed_litres"),
    "plants_used_at_least": ("litres", "allowed_litres"),
}

# How a run ended.
ENDED = {
    "done": ("seconds", "litres"),
    "stopped": (),
    "gateway_lost": (),
    "bus_lost": (),
    "no_flow": (),
    "low_flow": (),
    "high_flow": (),
    "emergency_stop": (),
    "stop_button_silent": (),
    "restarted": (),
    "valve_not_opened": (),
    "valve_not_closed": (),
    "tank_ran_low": ("tank_percent", "lowest_percent"),
    "mains_bad": ("volts", "low_volts", "high_volts"),
    "mains_uneven": ("apart_percent", "most_apart_percent"),
    "mains_gone": (),
    "pump_not_started": (),
}

# What a command did that moved no water.
CHANGED = {
    "mode_set": ("mode",),
    "unlocked": ("zone", "mode"),
    "test_passed": (),
    "test_failed": (),
    "failed_not_closed": (),
}

# What a wet test came to, where it was not its run's end that said it.
WET_TESTS = {
    "saw_right": (),
    "saw_shut": (),
    "saw_open": (),
    "saw_nothing": (),
    "saw_elsewhere": (),
    "still_flows": (),
    "not_shut": (),
    "not_answered": (),
    "rewired": (),
}

# What a person says of a wet test: the water came where it should (``right``), and the valve has
# closed again (``shut``); it has not closed (``open``); no water; water elsewhere.
SAW = ("right", "shut", "open", "nothing", "elsewhere")
SAW_WELL = ("right", "shut")  # where the gateway could not measure the valve, only ``shut`` arms
UNSEEN = ("by_hand", "rewired")  # broken off so, what was seen says nothing of the zone's valve

# What became of letting a station in or out, and of teaching its probes.
STATIONS = {
    "claim_open": ("claim", "address", "node", "seconds", "until"),
    "station_admitted": ("node", "board", "broker_told"),
    "claim_expired": ("node",),
    "claim_guessed": ("node",),
    "claim_withdrawn": ("node",),
    "other_board": ("node", "board"),
    "board_not_admitted": ("node",),
    "board_known": ("node",),
    "station_name_taken": ("node",),
    "station_unknown": ("node",),
    "no_station_network": (),
    "station_removed": ("node", "board", "broker_told"),
    "station_measures_source": ("node", "source"),
    "station_not_removed": ("node",),
    "calibrating": ("node", "series", "point"),
    "calibrated": ("node", "series", "point", "counts", "board"),
    "calibration_refused": ("node", "series", "point"),
    "station_silent": ("node",),
}

# Alarms of the gateway.
ALARMS = {
    "valve_not_closed": ("zone",),
    "valve_not_opened": ("zone",),
    "no_flow": ("zone",),
    "low_flow": ("zone", "flow", "usual"),
    "high_flow": ("zone", "flow", "usual"),
    "leak": ("flow",),
    "water_test_due": ("source",),
    "probe_frozen": ("zone", "node", "metric", "value", "litres", "hours"),
    "probe_drifting": ("zone", "node", "metric", "from_percent", "to_percent"),
    "bus_silent": ("device",),
    "node_silent": ("node", "since"),
    "message_conflict": ("node", "boot", "seq"),
    "store_damaged": ("file", "count"),
    "telemetry_dropped": ("count",),
    "taken_up": (),
    "pump_not_stopped": (),
    "main_not_closed": (),
    "coil_not_closed": ("coil",),
    "pump_not_started": ("zone",),
    "tank_ran_low": ("tank_percent", "lowest_percent"),
    "mains_bad": ("volts", "low_volts", "high_volts"),
    "mains_uneven": ("apart_percent", "most_apart_percent"),
    "mains_gone": (),
    "emergency_stop": (),
    "stop_button_silent": (),
    "supervisor_gone": (),
    "rows_refused": ("count", "code"),
}

# Alarms that are over when a person has looked and unlocked the zone, mended or not.
LOOKED_AFTER = ("no_flow", "low_flow", "high_flow", "valve_not_opened", "pump_not_started")
