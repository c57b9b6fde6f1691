"""Names of key figures in a planner's words."""

from __future__ import annotations

UNITS = {
    "usd": "USD",
    "pct": "%",
    "h": "h",
    "t": "t",
    "teu": "TEU",
    "km": "km",
    "days": "days",
    "mm": "",
}


def figure_words(name: str) -> tuple[str, str]:
    """
    Label and unit of a key figure.

    Families write either ``served, t`` (words, then the unit) or ``crane_use_pct`` (the unit as the last part).

    >>> figure_words("door to door, days")
    ('Door to door', 'days')
    >>> figure_words("crane_use_pct")
    ('Crane use', '%')
    """
    if "," in name:
        label, _, unit = name.rpartition(", ")
    else:
        *parts, last = name.split("_")
        unit = UNITS.get(last, "") if parts else ""
        label = " ".join(parts) if parts and (unit or last == "mm") else name.replace("_", " ")
        if last == "mm":
            label += " mm"
    return (label[:1].upper() + label[1:], unit)
