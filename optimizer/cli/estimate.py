"""``corridor estimate``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from optimizer.cli.arguments import instance_argument, scenario_option

if TYPE_CHECKING:
    from optimizer.choice.estimation import Estimate
    from optimizer.models.port_choice.shippers.observed import Observed


@click.command("estimate")
@instance_argument
@click.argument("shares", metavar="SHARES.csv", type=click.Path())
@scenario_option
@click.option("--attributes", default="cost,time,reliability", show_default=True, help="What shippers may weigh.")
@click.option("--nested", is_flag=True, help="Estimate a scale for each gateway that offers several routes.")
@click.option("--path-size", is_flag=True, help="Routes that share their way count less.")
@click.option(
    "--tonnes-per-choice", type=click.FloatRange(min=0, min_open=True), metavar="T",
    help="Tonnes that count as one independent choice. Default: the mean of the lanes.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(
    instance: str,
    shares: str,
    scenario: str | None,
    attributes: str,
    nested: bool,
    path_size: bool,
    tonnes_per_choice: float | None,
    as_json: bool,
) -> None:
    """Estimate how shippers of INSTANCE weigh cost, time and reliability.

    SHARES.csv has the columns lane_id, gateway (a port, or none), share or tonnes, and optionally via.
    """
    from optimizer import api
    from optimizer.choice.estimation import NotIdentifiedError, estimate, identified_nests
    from optimizer.models.port_choice.problem import PortChoice
    from optimizer.models.port_choice.shippers.observed import observe

    names = [name.strip() for name in attributes.split(",") if name.strip()]
    corridor = api.read(instance, scenario)
    observed = observe(PortChoice(corridor), shares, names, path_size)
    scaled = identified_nests(observed.sets) if nested else ()
    if nested and not scaled:
        raise NotIdentifiedError(
            "no lane has two routes through one gateway beside another gateway: no scale of a nest can be told; "
            "fill the column via, or leave --nested out"
        )
    found = estimate(
        observed.sets, observed.shares, observed.tonnes / (tonnes_per_choice or observed.tonnes.mean()), scaled
    )
    result = _figures(observed, found)
    if as_json:
        click.echo(json.dumps({"instance": corridor.name, "scenario": list(corridor.scenario), **result}, indent=2))
    else:
        _print(result)


def _figures(observed: Observed, found: Estimate) -> dict[str, Any]:
    import numpy as np

    from optimizer.models.port_choice.shippers.observed import UNITS

    parameters = [
        {
            "name": name, "unit": f"per {UNITS[name]}" if name in UNITS else "", "value": float(found.value[at]),
            "standard_error": float(found.standard_error[at]), "t_value": float(found.t_value[at]),
            "robust_error": float(found.robust_error[at]), "robust_t_value": float(found.robust_t_value[at]),
        }
        for at, name in enumerate(found.parameters)
    ]  # fmt: skip
    sets, warnings = observed.sets, []
    for at, name in enumerate(sets.names):
        if found.value[at] >= 0:
            warnings.append(f"the weight of {name} is not negative: on these lanes shippers do not avoid it")
    for at in range(len(sets.names), len(found.parameters)):
        if found.value[at] > 1:
            warnings.append(f"the {found.parameters[at]} is above 1: no choice of highest utility behaves so")
    ratios = {}
    for name, over, under in (
        ("value of time, USD/t-h", "time", "cost"),
        ("value of reliability, USD/t-h", "reliability", "cost"),
        ("reliability ratio", "reliability", "time"),
    ):
        if over in sets.names and under in sets.names:
            ratio = found.ratio(over, under)
            ratios[name] = {
                "value": ratio.value, "standard_error": ratio.standard_error, "robust_error": ratio.robust_error
            }  # fmt: skip
    tonnes = observed.tonnes[sets.observation]
    seen, model = observed.shares * tonnes, found.choices.probability * tonnes
    own = np.concatenate(
        [
            np.diag(found.choices.elasticities("cost", number)) if "cost" in sets.names else np.full(size, np.nan)
            for number, size in enumerate(np.diff(sets.indptr))
        ]
    )
    gateways = []
    for number, name in enumerate(sets.nest_names):
        mine = sets.nest == number
        expected = float(model[mine].sum())
        elasticity = float((own * model)[mine].sum() / expected) if "cost" in sets.names and expected > 0 else None
        gateways.append(
            {
                "gateway": name, "observed_share": float(seen[mine].sum() / seen.sum()),
                "model_share": expected / float(model.sum()), "own_cost_elasticity_of_routes": elasticity,
            }
        )  # fmt: skip
    return {
        "lanes": found.observations, "alternatives": len(sets.attributes), "tonnes": float(observed.tonnes.sum()),
        "choices": found.total_weight, "parameters": parameters, "ratios": ratios,
        "log_likelihood": found.log_likelihood, "null_log_likelihood": found.null_log_likelihood,
        "rho_squared": found.rho_squared, "gateways": gateways, "warnings": warnings,
    }  # fmt: skip


def _print(result: dict[str, Any]) -> None:
    from optimizer.cli.output import console, print_table
    from optimizer.models.family import Table

    screen = console()
    click.echo(
        f"{result['lanes']} lanes, {result['alternatives']} alternatives, {result['tonnes']:,.0f} t "
        f"counted as {result['choices']:,.1f} choices"
    )
    click.echo(
        f"log-likelihood {result['log_likelihood']:.3f}, null {result['null_log_likelihood']:.3f}, "
        f"rho-squared {result['rho_squared']:.3f}"
    )
    click.echo()
    keys = ("value", "standard_error", "t_value", "robust_error", "robust_t_value")
    columns = ("parameter", "unit", "value", "std error", "t", "robust error", "robust t")
    rows = [[p["name"], p["unit"], *(f"{p[key]:.4f}" for key in keys)] for p in result["parameters"]]
    print_table(screen, Table("Weights", columns, rows, "t: against 0 for weights, against 1 for scales of nests"))
    if result["ratios"]:
        rows = [
            [name, *(f"{ratio[key]:.3f}" for key in ("value", "standard_error", "robust_error"))]
            for name, ratio in result["ratios"].items()
        ]
        print_table(screen, Table("Ratios", ("ratio", "value", "std error", "robust error"), rows))
    rows = [
        [
            row["gateway"], f"{100 * row['observed_share']:.1f}", f"{100 * row['model_share']:.1f}",
            "" if row["own_cost_elasticity_of_routes"] is None else f"{row['own_cost_elasticity_of_routes']:.2f}",
        ]
        for row in result["gateways"]
    ]  # fmt: skip
    print_table(screen, Table("Gateways", ("gateway", "seen %", "model %", "cost elasticity"), rows))
    for warning in result["warnings"]:
        click.echo(f"Warning: {warning}")
