"""Kinds of cells, and the columns that every table has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

SCHEMA_VERSION = 1
RAIL_GAUGES_MM = (1520, 1435, 1676)
LAYERS = ("rail-1520", "rail-1435", "rail-1676", "road", "ferry", "sea", "door")


def _split_list(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(";") if part.strip()) if isinstance(value, str) else value


def _strip(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def refers_to(table: str, column: str | None = None) -> dict[str, Any]:
    """Field metadata: values must stand in ``column`` (default: the first) of ``table``; "a|b" allows either table."""
    return {"references": table, "references_column": column}


Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$", max_length=64)]
Text = Annotated[str, StringConstraints(max_length=4000)]
Residue = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9_.\-]*)?$", max_length=64)]
Names = Annotated[tuple[Annotated[str, StringConstraints(max_length=200)], ...], BeforeValidator(_split_list)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_strip)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_strip)]
Finite = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(_strip)]
Count = Annotated[int, Field(ge=0), BeforeValidator(_strip)]
PositiveCount = Annotated[int, Field(ge=1), BeforeValidator(_strip)]
Day = Annotated[int, Field(ge=0), BeforeValidator(_strip)]
MinuteOfDay = Annotated[int, Field(ge=0, le=1439), BeforeValidator(_strip)]
Year = Annotated[int, Field(ge=1800, le=2200), BeforeValidator(_strip)]
Flag = Annotated[bool, BeforeValidator(_strip)]
Gauge = Annotated[Literal[1520, 1435, 1676], BeforeValidator(lambda v: int(v) if str(v).strip().isdigit() else v)]
GaugeOrRoad = Annotated[
    Literal[0, 1520, 1435, 1676], BeforeValidator(lambda v: int(v) if str(v).strip().isdigit() else v)
]
Layer = Literal["rail-1520", "rail-1435", "rail-1676", "road", "ferry", "sea", "door"]
CargoForm = Literal["container", "covered", "hopper", "gondola", "tank", "flat"]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Confidence = Literal["measured", "published", "part published", "computed", "derived", "estimated", "invented"]
Shifts = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^\d{1,2}(\.\d+)?-\d{1,2}(\.\d+)?$")], ...],
    BeforeValidator(_split_list),
]

Spans = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^\d{1,5}(\.\d+)?-\d{1,5}(\.\d+)?$")], ...],
    BeforeValidator(_split_list),
]


class Row(BaseModel):
    """Columns every table has: where a row comes from and how far to trust it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Text = Field(
        "", description="source ids or a text starting with 'estimate' or 'derived', separated by '; '"
    )
    confidence: Confidence | None = Field(None, description="how far the numbers of the row can be trusted")
    notes: Text = Field("", description="free text")
