"""Tables and settings of an instance, column by column.

One pydantic model per table. The models are the single place where a column is named, typed, bounded and described:
reading, writing, validation, the format page in the docs and the planner's error messages all come from here.
Units stand in the column name. Uncertain numbers may carry ``<column>_low`` and ``<column>_high`` (roughly the 10th and
90th percentile). Columns ending in ``_id`` or marked with a reference must name an existing row.
"""

from __future__ import annotations

from collections.abc import Mapping

from optimizer.data.schema.demand import Commodity, Contract, Emission, Lane, Shipment, WagonSuit
from optimizer.data.schema.gauge_choice import GaugeOption, GaugeSection, TransferSite, TransferTechnology
from optimizer.data.schema.kinds import Row
from optimizer.data.schema.network import Border, Handling, Link, Node, Port, SeaLeg, Tariff
from optimizer.data.schema.rolling_stock import (
    FleetStock,
    Locomotive,
    Order,
    ShopWindow,
    TrainService,
    Wagon,
    WagonWork,
)
from optimizer.data.schema.terminals import (
    Terminal,
    TerminalBay,
    TerminalCrane,
    TerminalLoad,
    TerminalPost,
    TerminalTrack,
    TrainCall,
)

TABLES: Mapping[str, type[Row]] = {
    "nodes": Node, "links": Link, "handlings": Handling, "ports": Port, "sea_legs": SeaLeg,
    "borders": Border, "tariffs": Tariff,
    "commodities": Commodity, "wagon_suits": WagonSuit, "emissions": Emission,
    "lanes": Lane, "shipments": Shipment, "contracts": Contract,
    "wagons": Wagon, "locomotives": Locomotive, "fleet": FleetStock, "wagon_works": WagonWork,
    "orders": Order, "train_services": TrainService, "shop_windows": ShopWindow,
    "terminals": Terminal, "terminal_tracks": TerminalTrack, "terminal_cranes": TerminalCrane,
    "terminal_bays": TerminalBay, "terminal_posts": TerminalPost,
    "train_calls": TrainCall, "terminal_loads": TerminalLoad,
    "gauge_sections": GaugeSection, "gauge_options": GaugeOption,
    "transfer_technologies": TransferTechnology, "transfer_sites": TransferSite,
}  # fmt: skip

REQUIRED_TABLES = ("nodes", "links", "commodities")

KEYS: Mapping[str, tuple[str, ...]] = {
    name: ("wagon_id", "commodity_id") if name == "wagon_suits" else (next(iter(c for c in model.__annotations__)),)
    for name, model in TABLES.items()
}
