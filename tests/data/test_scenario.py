"""What a stack of scenarios leaves in force, and what is wrong with a scenario."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.data.reading import read_instance
from optimizer.data.scenario import apply_scenario, expand
from optimizer.errors import InstanceError, UsageError


@pytest.fixture
def corridor_with(write_files):
    """The corridor under one scenario made of a text, or under a list of names."""

    def apply(text=None, names=("try",), changes=None):
        files = dict(changes or {})
        if text is not None:
            files["scenarios/try.toml"] = text
        return apply_scenario(read_instance(write_files(files)), names)

    return apply


def ids(corridor, name):
    return corridor.tables[name].iloc[:, 0].tolist()


def change(column="value", table="tariffs", where="", **how):
    ((key, value),) = how.items()
    return f'[[change]]\ntable = "{table}"\ncolumn = "{column}"\n{key} = {value}\nwhere = {{ {where} }}\n'


def test_the_base_keeps_what_its_network_and_year_name(corridor_with):
    base = corridor_with(names="base")
    assert base.scenario == ()
    assert ids(base, "links") == ["R1", "R2", "W3"]
    assert ids(base, "lanes") == ["L1", "L2"]
    assert ids(base, "orders") == ["O1"]  # no year: every year
    assert corridor_with(names=()).tables["links"].equals(base.tables["links"])


def test_none_is_the_default_scenario(corridor_with, edit):
    changes = edit("corridor.toml", "base_year = 2026", 'base_year = 2026\ndefault_scenario = ["2035"]')
    assert corridor_with(names=None, changes=changes).scenario == ("2035",)
    assert corridor_with(names="base", changes=changes).scenario == ()
    assert corridor_with(names=None).scenario == ()


def test_network_and_year_are_selected(corridor_with):
    later = corridor_with(names=["2035"])
    assert ids(later, "links") == ["R1", "R2", "W3", "R4"]
    assert ids(later, "lanes") == ["L3"]
    assert ids(later, "shipments") == []
    assert later.selection.network == "2035"
    assert later.tables["links"].index.tolist() == [2, 3, 4, 5]


def test_rows_follow_what_they_belong_to(corridor_with):
    base, later = corridor_with(names="base"), corridor_with(names="2035")
    assert ids(base, "contracts") == ["K2"]  # K1 covers R4, which only the network of 2035 has
    assert ids(later, "contracts") == ["K1", "K2"]
    for name, of_base in {
        "terminals": ["TB"],
        "terminal_tracks": ["TB1", "TB2"],
        "terminal_cranes": ["C1"],
        "train_calls": ["N1", "N2"],
        "terminal_loads": ["G1"],
    }.items():
        assert ids(base, name) == of_base
        assert set(ids(later, name)) > set(of_base)


def test_cranes_keep_the_tracks_in_force(corridor_with):
    head = "track_id,terminal_id,gauge_mm,length_m,gauge_variants\n"
    tracks = f"{head}TB1,TB,1520,800,\nTB2,TB,1435,800,A\nTC1,TC,1435,700,A\n"
    changes = {"terminal_tracks.csv": tracks}
    without = corridor_with(changes=changes, names="2035")
    assert without.tables["terminal_cranes"]["tracks"].tolist() == [("TB1",)]  # C2 has no track left
    with_a = corridor_with('select = { network = "2035", gauge_variant = "A", demand_year = 2035 }', changes=changes)
    assert with_a.tables["terminal_cranes"]["tracks"].tolist() == [("TB1", "TB2"), ("TC1",)]


def test_closures(corridor_with):
    assert ids(corridor_with('close = { links = ["R1"] }'), "links") == ["R2", "W3"]
    assert ids(corridor_with('close = { handlings = ["H1"] }'), "handlings") == ["H2", "H3", "H4", "H5"]
    assert ids(corridor_with('close = { sea_legs = ["S1"] }'), "contracts") == []
    assert ids(corridor_with('close = { chokepoints = ["Gulf of Kutch"] }'), "sea_legs") == []


def test_a_closed_place_loses_links_legs_and_handlings_but_stays_a_place(corridor_with):
    shut = corridor_with('close = { nodes = ["D"] }')
    assert ids(shut, "links") == ["R1", "R2"]
    assert ids(shut, "sea_legs") == []
    assert ids(shut, "handlings") == ["H1", "H2", "H5"]
    assert "D" in ids(shut, "nodes")


def test_openings_bring_rows_in_unless_they_are_closed(corridor_with):
    assert ids(corridor_with('open = { links = ["R4"] }'), "links") == ["R1", "R2", "W3", "R4"]
    both = 'open = { links = ["R4"] }\nclose = { links = ["R4"] }'
    assert ids(corridor_with(both), "links") == ["R1", "R2", "W3"]
    assert ids(corridor_with('open = { links = ["R4"] }\nclose = { nodes = ["C"] }'), "links") == ["R1"]


def test_set_multiply_and_add(corridor_with):
    def rates(text):
        return corridor_with(text).tables["tariffs"]["value"].tolist()

    assert rates(change(where='tariff_id = "T2"', set=0.2)) == [0.03, 0.2, 0.05, 0.2]
    assert rates(change(where='kind = "line_haul", mode = "rail"', multiply=2)) == [0.06, 0.09, 0.1, 0.2]
    assert rates(change(where='tariff_id = ["T1", "T2"]', add=1)) == pytest.approx([1.03, 1.09, 0.05, 0.2])
    assert rates(change(where='countries = "AF"', multiply=10)) == pytest.approx([0.03, 0.09, 0.5, 0.2])
    assert rates(change(multiply=0)) == [0, 0, 0, 0]


def test_where_on_numbers_lists_and_flags(corridor_with):
    rail = corridor_with(change("length_km", "links", "gauge_mm = 1520", multiply=2)).tables["links"]
    assert rail["length_km"].tolist() == [2400, 900, 800]
    named = corridor_with(change("length_km", "links", 'networks = ["2026", "2035"]', add=1)).tables["links"]
    assert named["length_km"].tolist() == [1200, 901, 800]
    both = corridor_with(change("dwell_h", "handlings", "both_ways = true", multiply=0.5)).tables["handlings"]
    assert both["dwell_h"].tolist() == [12, 5, 24, 24, 10]


def test_bands_move_with_their_value(corridor_with):
    def band(text, name="speed_kmh", table="links"):
        return corridor_with(text).tables[table][[f"{name}_low", name, f"{name}_high"]].iloc[0].tolist()

    assert band(change("speed_kmh", "links", 'link_id = "R1"', multiply=0.5)) == [15, 20, 25]
    assert band(change("speed_kmh", "links", 'link_id = "R1"', add=-5)) == [25, 35, 45]
    low, value, high = band(change("speed_kmh", "links", 'link_id = "R1"', set=60))
    assert value == 60
    assert np.isnan(low)
    assert np.isnan(high)


def test_the_band_of_a_charge_moves_with_the_only_charge(corridor_with):
    table = corridor_with(change("cost_usd_per_t", "handlings", multiply=2)).tables["handlings"]
    assert table[["cost_low", "cost_usd_per_t", "cost_high"]].iloc[0].tolist() == [6, 8, 10]
    other = corridor_with(change("cost_usd_per_feu", "handlings", 'handling_id = "H1"', add=100)).tables["handlings"]
    assert other[["cost_low", "cost_usd_per_feu", "cost_high"]].iloc[0].tolist() == [3, 100, 5]


def test_blank_numbers_stay_blank_unless_set(corridor_with):
    links = corridor_with(change("tracks", "links", multiply=2)).tables["links"]
    assert links["tracks"].isna().all()
    assert corridor_with(change("tracks", "links", set=2)).tables["links"]["tracks"].tolist() == [2, 2, 2]


def test_whole_numbers_are_rounded_halves_up(corridor_with):
    fleet = corridor_with(change("units", "fleet", multiply=1.1)).tables["fleet"]
    assert fleet["units"].tolist() == [44, 3]
    assert fleet["units"].dtype == np.int64
    assert corridor_with(change("units", "fleet", multiply=1.5)).tables["fleet"]["units"].tolist() == [60, 5]


def test_changes_touch_rows_that_are_not_in_force_too(corridor_with):
    text = 'select = { network = "2035", demand_year = 2035 }\n' + change("length_km", "links", 'link_id = "R4"', add=1)
    assert corridor_with(text).tables["links"].set_index("link_id").loc["R4", "length_km"] == 851


def test_a_stack_applies_what_it_extends_first_and_each_once(corridor_with):
    stacked = corridor_with(names="shut,dear")
    assert stacked.scenario == ("shut", "dear")
    assert stacked.tables["tariffs"]["value"].tolist() == [0.06, 0.09, 0.1, 0.2]  # 'dear' once, though asked for twice
    assert ids(stacked, "sea_legs") == []
    instance = stacked.instance
    assert expand(instance.scenarios, ["shut", "dear"]) == (["dear", "shut"], [])
    assert expand(instance.scenarios, ["2035", "shut"]) == (["2035", "dear", "shut"], [])


def test_the_last_selection_of_a_stack_wins(corridor_with):
    text = 'select = { network = "2026" }'
    assert corridor_with(text, names=["2035", "try"]).selection.network == "2026"
    assert corridor_with(text, names=["try", "2035"]).selection.network == "2035"


def test_the_instance_is_left_as_it_was(write_files):
    instance = read_instance(write_files())
    before = {name: table.copy() for name, table in instance.tables.items()}
    apply_scenario(instance, ["2035", "shut"])
    assert all(instance.tables[name].equals(table) for name, table in before.items())


def test_unknown_scenario(write_files):
    instance = read_instance(write_files())
    with pytest.raises(UsageError, match=r"unknown scenario '2053'; did you mean '2035'\?"):
        apply_scenario(instance, "2053")
    with pytest.raises(UsageError, match=r"unknown scenario 'war'; .* has 2035, dear, shut"):
        apply_scenario(instance, ["war"])


def test_a_missing_demand_year_is_a_fault_where_rows_have_years(write_files, edit):
    instance = read_instance(write_files(edit("corridor.toml", "demand_year = 2026\n", "")))
    with pytest.raises(InstanceError, match=r"select\.demand_year is not set; expected one of 2026, 2035"):
        apply_scenario(instance, "base")
    assert apply_scenario(instance, "2035").selection.demand_year == 2035


def test_a_stack_that_makes_a_value_invalid_together(write_files):
    add = change("dwell_h", "borders", 'border_id = "X1"', add=-20)
    instance = read_instance(write_files({"scenarios/a.toml": add, "scenarios/b.toml": add}))
    apply_scenario(instance, ["a"])
    with pytest.raises(InstanceError) as caught:
        apply_scenario(instance, ["a", "b"])
    assert [str(fault) for fault in caught.value.faults] == [
        "scenarios/b.toml: change 1: dwell_h becomes -10 in borders.csv:2, expected a number >= 0"
    ]


FAULTS = {
    "circle": ('extends = ["try"]', "extends itself: try -> try"),
    "unknown parent": ('extends = ["deer"]', "extends 'deer', expected a scenario; did you mean 'dear'?"),
    "unknown key": ('closed = { links = ["R1"] }', "unknown key 'closed'; did you mean 'close'?"),
    "unknown selection": ('select = { netwrok = "2026" }', "unknown key 'select.netwrok'; did you mean 'network'?"),
    "unknown network": (
        'select = { network = "2036" }',
        "select.network is '2036', which no row names; known: 2026, 2035; did you mean '2035'?",
    ),
    "unknown year": (
        "select = { demand_year = 2036 }",
        "select.demand_year is 2036, which no row names; expected one of 2026, 2035",
    ),
    "year in words": (
        'select = { demand_year = "soon" }',
        "select.demand_year is 'soon', expected: a valid integer, unable to parse string as an integer",
    ),
    "closes nothing": ('close = { links = ["R99"] }', "close.links holds 'R99', which is not in links.csv"),
    "opens nothing": ('open = { sea_legs = ["S99"] }', "open.sea_legs holds 'S99', which is not in sea_legs.csv"),
    "closes no place": ('close = { nodes = ["Q"] }', "close.nodes holds 'Q', which is not in nodes.csv"),
    "closes no strait": (
        'close = { chokepoints = ["Gulf of Kuch"] }',
        "close.chokepoints holds 'Gulf of Kuch', which is not in sea_legs.csv; did you mean 'Gulf of Kutch'?",
    ),
    "unknown table": (
        change(table="tarifs", multiply=2),
        "change 1: unknown table 'tarifs'; did you mean 'tariffs'?",
    ),
    "unknown column": (
        change(column="valeu", multiply=2),
        "change 1: unknown column 'valeu' of tariffs; did you mean 'value'?",
    ),
    "unknown column in where": (
        change(where='cuntries = "AF"', multiply=2),
        "change 1: unknown column 'cuntries' of tariffs; did you mean 'countries'?",
    ),
    "text column": (
        change(column="mode", set=2),
        "change 1: tariffs.mode is not a column of numbers; only those can be changed",
    ),
    "gauge": (
        change("gauge_mm", "links", set=1435),
        "change 1: links.gauge_mm is not a column of numbers; only those can be changed",
    ),
    "matches no row": (
        change(where='mode = "ferry", countries = "AF"', multiply=2),
        "change 1: matches no row: no mode is 'ferry'",
    ),
    "matches no row together": (
        change(where='mode = "road", countries = "AF"', multiply=2),
        "change 1: matches no row of tariffs",
    ),
    "misspelt in where": (
        change(where='kind = "line_hual"', multiply=2),
        "change 1: matches no row: no kind is 'line_hual'; did you mean 'line_haul'?",
    ),
    "number for text": (
        change(where="tariff_id = 1", multiply=2),
        "change 1: where tariff_id is 1, expected text in quotes",
    ),
    "text for a number": (
        change("length_km", "links", 'gauge_mm = "1520"', multiply=2),
        "change 1: where gauge_mm is '1520', expected a number without quotes",
    ),
    "both set and add": (
        '[[change]]\ntable = "tariffs"\ncolumn = "value"\nset = 1\nadd = 1',
        "change 1: has set and add, expected exactly one of set, multiply, add",
    ),
    "nothing to do": (
        '[[change]]\ntable = "tariffs"\ncolumn = "value"',
        "change 1: has neither set, multiply nor add, expected exactly one of set, multiply, add",
    ),
    "negative": (
        change(where='tariff_id = "T1"', multiply=-1),
        "change 1: value becomes -0.03 in tariffs.csv:2, expected a number >= 0",
    ),
    "zero length": (
        change("length_km", "links", 'link_id = "R1"', set=0),
        "change 1: length_km becomes 0 in links.csv:2, expected a number > 0",
    ),
    "not finite": (
        change("length_km", "links", multiply="inf"),
        "change.1.multiply is inf, expected: a finite number",
    ),
    "due before release": (
        change("due_day", "shipments", 'shipment_id = "P2"', set=1),
        "after the changes, shipments.csv:3: due_day is 1, before release_day 3",
    ),
    "low above value": (
        change("speed_kmh_low", "links", 'link_id = "R1"', set=45),
        "after the changes, links.csv:2: speed_kmh_low is 45, above speed_kmh 40",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_of_scenarios(case, faults_of):
    text, expected = FAULTS[case]
    assert faults_of({"scenarios/try.toml": text}) == [f"scenarios/try.toml: {expected}"]


def test_a_circle_is_printed_once(faults_of):
    files = {
        "scenarios/a.toml": 'extends = ["b"]',
        "scenarios/b.toml": 'extends = ["c"]',
        "scenarios/c.toml": 'extends = ["a"]',
    }
    assert faults_of(files) == ["scenarios/a.toml: extends itself: a -> b -> c -> a"]


def test_a_scenario_cannot_be_called_base(faults_of):
    assert faults_of({"scenarios/base.toml": ""}) == [
        "scenarios/base.toml: the name 'base' cannot be used; 'base' and names with commas have a meaning of their own"
    ]
