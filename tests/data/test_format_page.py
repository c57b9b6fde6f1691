"""The format page says what the schema says, and its example of a scenario is one."""

from __future__ import annotations

import tomllib

from optimizer.data.schema.settings import Scenario
from scripts.write_format_page import PAGE, page


def test_the_column_tables_are_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text, "run python -m scripts.write_format_page"


def test_the_example_of_a_scenario_is_valid():
    text = PAGE.read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    scenario = Scenario.model_validate(tomllib.loads(example))
    assert scenario.change[0].multiply == 1.1
