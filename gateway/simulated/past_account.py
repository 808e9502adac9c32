"""What the simulated farm took of its sources in its past, written into the gateway's own account.

The gateway counts a source's water when a run ends. The runs of the past never ran there, so
without this its page would say that nothing was taken this season, beside a diary full of water.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict

from nongso.gateway.irrigation.sources import Account, day_at
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.simulated.past import Watering
from nongso.gateway.store import Store


def lay_down(settings: GatewaySettings, waterings: Iterable[Watering]) -> None:
    """Credit each source with the past runs of its zones, while the gateway does not run.

    A source that has an account keeps it. Raises ``StoreError`` when the store cannot be had.
    """
    zones, sources = settings.zones(), {source.id: source for source in settings.sources}
    accounts: dict[str, Account] = {}
    for number, watering in enumerate(waterings):
        source = sources.get(zones[watering.zone].source or "")
        if source is not None:
            day = day_at(source, watering.started_at + watering.seconds)
            account = accounts.get(source.id, Account())
            accounts[source.id] = account.credited(str(number), day, watering.litres)
    store = Store(settings.store_file)
    try:
        for source_id, account in accounts.items():
            key = f"water.source.{source_id}"
            if store.state(key) is None:
                store.set_state(key, json.dumps(asdict(Account(account.days))))
    finally:
        store.close()
