# ruff: noqa: E501
"""A small sound instance as texts, and ways to write it with one thing spoilt."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from optimizer.data.reading import read_instance
from optimizer.errors import InstanceError

# A (KZ) --1520-- B (UZ) =transload= B --1435-- C (AF) --road-- D (PK) =quay= D ~sea~ E (IN), and a planned D -- C on 1676
SMALL = {
    "corridor.toml": """name = "small"
schema_version = 1
base_year = 2026
source = "made up for tests"  # a comment to keep

[horizon]
days = 28

[select]
network = "2026"
demand_year = 2026
""",
    "nodes.csv": """node_id,name,country,lat,lon
A,Almaty,KZ,43.2,76.9
B,Bukhara,UZ,39.8,64.4
C,Kandahar,AF,31.6,65.7
D,Karachi,PK,24.8,67
E,Mundra,IN,22.8,69.7
""",
    "links.csv": """link_id,from_node,to_node,mode,gauge_mm,length_km,speed_kmh,speed_kmh_low,speed_kmh_high,networks
R1,A,B,rail,1520,1200,40,30,50,
R2,B,C,rail,1435,900,40,,,2026;2035
W3,C,D,road,,800,50,,,
R4,C,D,rail,1435,850,60,,,2035
""",
    "handlings.csv": """handling_id,node_id,from_layer,to_layer,technology,cargo_forms,cost_usd_per_t,cost_low,cost_high,dwell_h,dwell_h_low,dwell_h_high
H1,B,rail-1520,rail-1435,bulk_transfer,,4,3,5,24,12,48
H2,C,rail-1435,road,rail_road,container;covered,5,,,10,,
H3,D,road,sea,quay,,6,,,48,,
H4,D,rail-1435,sea,quay,,6,,,48,,
H5,E,sea,door,quay,,3,,,20,,
""",
    "ports.csv": "node_id,capacity_mt_per_year\nD,20\n",
    "sea_legs.csv": """leg_id,from_port,to_port,distance_nm,sailing_days_container,sailing_days_bulk,sailings_per_week,cost_usd_per_feu,cost_usd_per_t_bulk,chokepoints
S1,D,E,500,2,2,3,400,9,Gulf of Kutch
""",
    "borders.csv": "border_id,from_country,to_country,mode,dwell_h\nX1,UZ,AF,,30\nX2,,,,5\n",
    "tariffs.csv": """tariff_id,kind,countries,links,mode,form,unit,value
T1,line_haul,,,rail,,usd_per_t_km,0.03
T2,line_haul,,,road,,usd_per_t_km,0.09
T3,line_haul,AF,,rail,,usd_per_t_km,0.05
T4,insurance,,,,,percent_of_value,0.2
""",
    "commodities.csv": """commodity_id,name,hs_code,cargo_form,value_usd_per_t
grain,Wheat,1001,covered,300
tea,Tea in boxes,0902,container,3000
""",
    "wagon_suits.csv": "wagon_id,commodity_id\nV1520,grain\n",
    "lanes.csv": """lane_id,origin,destination,commodity_id,year,quantity_t_per_year,unserved_usd_per_t
L1,A,E,grain,2026,1000000,500
L2,A,E,tea,2026,20000,900
L3,A,D,tea,2035,90000,900
""",
    "shipments.csv": """shipment_id,origin,destination,commodity_id,year,quantity_t,release_day,due_day,unserved_usd_per_t
P1,A,E,grain,2026,3000,0,25,500
P2,B,D,tea,2026,400,3,20,900
""",
    "contracts.csv": "contract_id,assets,fixed_cost_usd_per_year\nK1,S1;R4,100000\nK2,S1,5000\n",
    "wagons.csv": """wagon_id,gauges_mm,gauge_change,wagon_type,payload_t,typical_load_t,tare_t,length_m,hire_usd_per_day
V1520,1520,none,covered,68,60,24,15,20
V2,1520;1435,bogie_exchange,covered,60,50,24,15,25
""",
    "locomotives.csv": """loco_id,country,gauge_mm,traction,power_kw,starting_te_kn,mass_t,max_speed_kmh,cost_usd_per_day
TE,KZ,1520,diesel,3000,400,138,100,900
""",
    "fleet.csv": "fleet_id,type_id,node_id,gauge_mm,units,from_day\nF1,V1520,A,1520,40,0\nF2,TE,B,1520,3,2\n",
    "orders.csv": """order_id,origin,destination,commodity_id,quantity_t,release_day,due_day,unserved_usd_per_t
O1,A,B,grain,600,0,5,100
""",
    "train_services.csv": """service_id,gauge_mm,links,from_node,depart_day,gross_t,wagons,cancel_usd
Z1,1435,R2;R4,B,3,2000,40,9000
""",
    "terminals.csv": "terminal_id,node_id,networks\nTB,B,\nTC,C,2035\n",
    "terminal_tracks.csv": "track_id,terminal_id,gauge_mm,length_m\nTB1,TB,1520,800\nTB2,TB,1435,800\nTC1,TC,1435,700\n",
    "terminal_cranes.csv": """crane_id,terminal_id,tracks,handles,moves_per_h,shifts_h
C1,TB,TB1;TB2,container,20,6-14;16-24
C2,TC,TC1,container,20,
""",
    "terminal_bays.csv": "bay_id,terminal_id,wagons_per_cycle,hours_per_cycle\nY1,TB,5,4\n",
    "train_calls.csv": """call_id,terminal_id,gauge_mm,arrive_h,depart_h,latest_depart_h,length_m,destinations
N1,TB,1520,2,10,20,700,
N2,TB,1435,8,14,30,700,C;D
N3,TC,1435,8,14,30,700,D
""",
    "terminal_loads.csv": """load_id,call_id,form,modes,moves,destination,due_h,late_usd_per_h,missed_usd
G1,N1,container,direct;yard,20,C,20,50,4000
G2,N3,container,,20,D,20,50,4000
""",
    "emissions.csv": "emission_id,mode,unit,value\nE1,rail,g_co2e_per_tkm,20\n",
    "scenarios/dear.toml": """description = "rail twice as dear"
[[change]]
table = "tariffs"
column = "value"
where = { kind = "line_haul", mode = "rail" }
multiply = 2
""",
    "scenarios/2035.toml": 'select = { network = "2035", demand_year = 2035 }\n',
    "scenarios/shut.toml": 'extends = ["dear"]\n[close]\nnodes = ["D"]\n',
}

Files = Mapping[str, str | bytes | None]


@pytest.fixture
def small() -> dict[str, str]:
    """File name -> text of a sound instance."""
    return dict(SMALL)


@pytest.fixture
def write_files(tmp_path: Path) -> Callable[..., Path]:
    """Write the small instance; ``changes`` replaces files by name, None leaves one out."""

    def write(changes: Files | None = None, name: str = "small") -> Path:
        root = tmp_path / name
        shutil.rmtree(root, ignore_errors=True)
        files: dict[str, str | bytes | None] = {**SMALL, **(changes or {})}
        for file, text in files.items():
            if text is None:
                continue
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        return root

    return write


@pytest.fixture
def faults_of(write_files: Callable[..., Path]) -> Callable[..., list[str]]:
    """The faults of the small instance with some files replaced, as the lines a planner reads."""

    def faults(changes: Files | None = None, path: Path | None = None) -> list[str]:
        with pytest.raises(InstanceError) as caught:
            read_instance(path or write_files(changes))
        return [str(fault) for fault in caught.value.faults]

    return faults


@pytest.fixture
def edit(small: dict[str, str]) -> Callable[[str, str, str], dict[str, str]]:
    """One file of the small instance with one text replaced by another."""

    def replace(file: str, old: str, new: str) -> dict[str, str]:
        assert small[file].count(old) == 1, f"{old!r} must stand in {file} once"
        return {file: small[file].replace(old, new)}

    return replace


@pytest.fixture
def zip_of(tmp_path: Path) -> Callable[..., Path]:
    """A zip archive of texts or bytes by member name."""

    def pack(files: Mapping[str, str | bytes], name: str = "small.zip") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, text in files.items():
                archive.writestr(member, text)
        return path

    return pack
