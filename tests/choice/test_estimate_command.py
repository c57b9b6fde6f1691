"""Observed shares of gateways: routes behind them, faults of the file, and the command from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from optimizer import api
from optimizer.choice.model import Choices
from optimizer.cli import cli
from optimizer.errors import InstanceError, UsageError
from optimizer.models.port_choice.graph import network_legs
from optimizer.models.port_choice.problem import PortChoice
from optimizer.models.port_choice.shippers.observed import ATTRIBUTES, GatewayRoutes, observe
from optimizer.network.paths import path_arcs, shortest_path_tree

TRUE = np.array([-0.04, -0.006, -0.003])
GATEWAYS = ("none", "IR_BND", "PK_KHI", "CN_LYG", "RU_NVS")


@pytest.fixture(scope="module")
def reference(instances_dir: Path) -> PortChoice:
    return PortChoice(api.read(instances_dir / "kazakhstan-pakistan"))


@pytest.fixture(scope="module")
def toy(instances_dir: Path) -> PortChoice:
    return PortChoice(api.read(instances_dir / "toy-port-choice"))


def write(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def simulated(reference: PortChoice, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shares of a logit with known weights, on every lane that reaches two of the gateways."""
    routes, folder = GatewayRoutes(reference), tmp_path_factory.mktemp("shares")
    rows = []
    for lane in reference.demand().itertuples():
        ways = [
            (lane.demand_id, way)
            for way in GATEWAYS
            if way not in (lane.origin, lane.destination)
            and len(routes.route(lane.commodity_id, lane.origin, lane.destination, way))
        ]
        rows += ways if len(ways) > 1 else []
    even = {lane: sum(other == lane for other, _ in rows) for lane, _ in rows}
    blank = write(
        folder / "blank.csv", "lane_id,gateway,share", *(f"{lane},{way},{1 / even[lane]!r}" for lane, way in rows)
    )
    shares = Choices(observe(reference, blank).sets, TRUE).probability
    return write(
        folder / "shares.csv",
        "lane_id,gateway,tonnes",
        *(f"{lane},{way},{1000 * float(share)!r}" for (lane, way), share in zip(rows, shares, strict=True)),
    )


def test_toy_figures_by_hand(toy: PortChoice, tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "lane_id,gateway,share", "export,west,0.6", "export,east,0.4")
    observed = observe(toy, path)
    # Hours: 100 + 200 and 100 + 300 km at 25 km/h, the gauge change 10 h, quays 48 and 24 h, ships 48 and 24 h after
    # half a week's headway of 12 and 24 h.
    hours = [300 / 25 + 10 + 48 + 48 + 12, 400 / 25 + 10 + 24 + 24 + 24]
    assert observed.sets.attributes[:, 1].tolist() == pytest.approx(hours)
    assert observed.sets.attributes[:, 2] == pytest.approx([24 / np.sqrt(12), 48 / np.sqrt(12)])
    assert observed.tonnes.tolist() == [1000.0]
    assert observed.shares.tolist() == [0.6, 0.4]


def test_the_cheapest_way_is_the_cheapest_of_the_gateways(reference: PortChoice) -> None:
    routes = GatewayRoutes(reference)
    network = routes.network
    for lane in list(reference.demand().itertuples())[::4]:
        costs = network.arc_costs(lane.commodity_id).generalised
        tree = shortest_path_tree(network.indptr, network.head, costs, network.source(lane.origin))
        sink = network.sink(lane.destination)
        found = {}
        for way in ("none", *routes.gateways):
            if way in (lane.origin, lane.destination):
                continue
            arcs = routes.route(lane.commodity_id, lane.origin, lane.destination, way)
            if not len(arcs):
                continue
            assert (network.head[arcs[:-1]] == network.tail[arcs[1:]]).all()
            assert (network.tail[arcs[0]], network.head[arcs[-1]]) == (network.source(lane.origin), sink)
            quays = {
                leg["from_node"]
                for leg in network_legs(network, arcs.tolist())
                if leg["kind"] == "handling"
                and {leg["from_layer"], leg["to_layer"]} - {"door"} > {"sea"}
                and leg["from_node"] not in (lane.origin, lane.destination)
            }
            assert quays == ({way} if way != "none" else set())
            found[way] = float(costs[arcs].sum())
        gates = path_arcs(tree[1], network.tail, sink)
        assert min(found.values()) == pytest.approx(float(costs[gates].sum()))


def test_via_is_passed_and_never_cheaper(reference: PortChoice) -> None:
    routes = GatewayRoutes(reference)
    network, lane = routes.network, next(reference.demand().itertuples())
    costs = network.arc_costs(lane.commodity_id).generalised
    free = routes.route(lane.commodity_id, lane.origin, lane.destination, "IR_BND")
    for via in ("PK_KHI", "UZ_TAS", lane.origin, lane.destination):
        arcs = routes.route(lane.commodity_id, lane.origin, lane.destination, "IR_BND", via)
        assert via in {*network.vertex_node[network.tail[arcs]], *network.vertex_node[network.head[arcs]]}
        assert costs[arcs].sum() >= costs[free].sum() - 1e-9


def test_every_fault_of_the_file_at_once(reference: PortChoice, tmp_path: Path) -> None:
    path = write(
        tmp_path / "seen.csv", "lane_id,gateway,via,share,tonnes", "D57,IR_BND,,0.5,", "D057,IR_BMD,,0.5,",
        "D060,PK_KHI,,0.5,10", "D063,PK_KHI,,1.5,", "D066,IR_BND,KZ_PEX,-1,", "D072,IR_BND,,x,",
    )  # fmt: skip
    with pytest.raises(InstanceError) as error:
        observe(reference, path)
    words = str(error.value)
    for expected in (
        "seen.csv:2: lane_id is 'D57'", "did you mean 'D057'", "seen.csv:3: gateway is 'IR_BMD'",
        "did you mean 'IR_BND'",
        "seen.csv:4: share and tonnes are both filled", "seen.csv:5: gateway is 'PK_KHI', an end of lane D063",
        "share is 1.5", "seen.csv:6: ", "seen.csv:7: ",
    ):  # fmt: skip
        assert expected in words
    doubled = write(tmp_path / "b.csv", "lane_id,gateway,share", "D057,IR_BND,0.5", "D057,none,0.3")
    with pytest.raises(InstanceError, match=r"shares of lane D057 add up to 0\.8"):
        observe(reference, doubled)
    again = write(tmp_path / "c.csv", "lane_id,gateway,share", "D057,IR_BND,0.5", "D057,IR_BND,0.5")
    with pytest.raises(InstanceError, match="already, on line 2"):
        observe(reference, again)
    with pytest.raises(UsageError, match="did you mean 'cost'"):
        observe(reference, again, ["costs"])


def test_no_route_is_a_fault(toy: PortChoice, tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", "lane_id,gateway,tonnes", "export,west,6", "export,none,4")
    with pytest.raises(InstanceError, match=r"s\.csv:3: no route from north to oversea through gateway none"):
        observe(toy, path)


def test_command_recovers_the_weights(instances_dir: Path, simulated: Path) -> None:
    arguments = ["estimate", str(instances_dir / "kazakhstan-pakistan"), str(simulated)]
    printed = CliRunner().invoke(cli, [*arguments, "--json"], catch_exceptions=False)
    assert printed.exit_code == 0, printed.output
    figures = json.loads(printed.stdout)
    assert [p["name"] for p in figures["parameters"]] == list(ATTRIBUTES)
    assert [p["value"] for p in figures["parameters"]] == pytest.approx(TRUE.tolist(), rel=1e-4)
    assert figures["ratios"]["value of time, USD/t-h"]["value"] == pytest.approx(0.15, rel=1e-4)
    for row in figures["gateways"]:
        assert row["observed_share"] == pytest.approx(row["model_share"], abs=1e-6)
        assert row["own_cost_elasticity_of_routes"] < 0
    tables = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert tables.exit_code == 0
    for words in ("rho-squared", "value of time, USD/t-h", "robust t", "IR_BND"):
        assert words in tables.stdout


def test_command_refuses_in_words(instances_dir: Path, simulated: Path, tmp_path: Path) -> None:
    nested = ["estimate", str(instances_dir / "kazakhstan-pakistan"), str(simulated), "--nested"]
    refused = CliRunner().invoke(cli, nested)
    assert refused.exit_code == 2
    assert "fill the column via" in refused.stderr
    path = write(tmp_path / "s.csv", "lane_id,gateway,share", "export,west,0.6", "export,east,0.4")
    one_lane = CliRunner().invoke(cli, ["estimate", str(instances_dir / "toy-port-choice"), str(path)])
    assert one_lane.exit_code == 2
    assert "move together" in one_lane.stderr
    missing = CliRunner().invoke(cli, ["estimate", str(instances_dir / "toy-port-choice"), "none.csv"])
    assert missing.exit_code == 2
    assert "none.csv" in missing.stderr


def test_nested_command(instances_dir: Path, tmp_path: Path, reference: PortChoice) -> None:
    lanes = ("D069", "D078", "D081", "D084", "D123", "D147", "D150", "D153")
    rows = [(lane, way, via) for lane in lanes for way, via in (("IR_BND", ""), ("IR_BND", "TM_MRY"), ("PK_KHI", ""))]
    blank = write(
        tmp_path / "blank.csv", "lane_id,gateway,via,tonnes", *(f"{lane},{way},{via},1" for lane, way, via in rows)
    )
    sets = observe(reference, blank).sets
    scales = np.where(np.array(sets.nest_names) == "IR_BND", 0.6, 1.0)
    shares = Choices(sets, TRUE, scales).probability
    path = write(
        tmp_path / "s.csv",
        "lane_id,gateway,via,tonnes",
        *(f"{lane},{way},{via},{float(s)!r}" for (lane, way, via), s in zip(rows, shares, strict=True)),
    )
    arguments = ["estimate", str(instances_dir / "kazakhstan-pakistan"), str(path), "--nested", "--json"]
    printed = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert printed.exit_code == 0, printed.output
    values = {p["name"]: p["value"] for p in json.loads(printed.stdout)["parameters"]}
    assert values["scale of IR_BND"] == pytest.approx(0.6, rel=1e-3)
    assert values["cost"] == pytest.approx(TRUE[0], rel=1e-3)
