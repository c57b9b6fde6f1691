"""Tariffs and borders: what a tonne pays on the way, and how long it stands at a border."""

from __future__ import annotations

from scripts.reference.facts import Fact, Facts, Row, derived, estimated, number, origin, spread

#: (countries, mode, form) of the published and MODEL line-haul rows that are used.
LINE_HAUL = {
    "TF071": ("KZ", "rail", "bulk"),
    "TF072": ("KZ", "rail", "container"),
    "TF073": ("TM", "rail", "bulk"),
    "TF074": ("TM", "rail", "container"),
    "TF075": ("UZ", "rail", "bulk"),
    "TF076": ("UZ", "rail", "container"),
    "TF077": ("AF", "rail", "bulk"),
    "TF078": ("AF", "rail", "container"),
    "TF079": ("IR", "rail", "bulk"),
    "TF080": ("IR", "rail", "container"),
    "TF081": ("PK", "rail", "bulk"),
    # Every lane crosses a border, so the through-train rate applies; TF082 (0.59) is the domestic
    # Karachi-Lahore rate.
    "TF135": ("PK", "rail", "container"),
    "TF084": ("AF", "road", ""),
    "TF085": ("PK", "road", ""),
    "TF086": ("IR", "road", ""),
    "TF087": ("KZ", "road", ""),
}
UNITS = {"usd_per_tkm": "usd_per_t_km", "usd_per_feu_km": "usd_per_feu_km"}
#: CPMM TFI3 is the cost of 20 t over 500 km.
TFI3_T_KM = 20 * 500

#: Railways and ferries without any rate in the facts: (id, country, mode, form, unit, value, reason).
ESTIMATED_RATES = (
    (
        "E-CN-bulk",
        "CN",
        "rail",
        "bulk",
        "usd_per_t_km",
        0.025,
        "above Kazakhstan (TF071), below Turkmenistan (TF073)",
    ),
    (
        "E-CN-box",
        "CN",
        "rail",
        "container",
        "usd_per_feu_km",
        0.6,
        "between Kazakhstan (TF072) and Turkmenistan (TF074)",
    ),
    (
        "E-RU-bulk",
        "RU",
        "rail",
        "bulk",
        "usd_per_t_km",
        0.0205,
        "grain transit of 2022 in Kazakhstan (TF109)",
    ),
    ("E-RU-box", "RU", "rail", "container", "usd_per_feu_km", 0.5, "as Kazakhstan (TF072)"),
    (
        "E-AZ-GE-bulk",
        "AZ;GE",
        "rail",
        "bulk",
        "usd_per_t_km",
        0.04,
        "short mountain railways, near Afghanistan's 0.045",
    ),
    (
        "E-AZ-GE-box",
        "AZ;GE",
        "rail",
        "container",
        "usd_per_feu_km",
        0.8,
        "short mountain railways, near Afghanistan's 0.9",
    ),
    (
        "E-UZ-road",
        "UZ",
        "road",
        "",
        "usd_per_t_km",
        0.09,
        "between Turkmenistan (0.059) and Kazakhstan (0.12)",
    ),
    ("E-ferry-bulk", "", "ferry", "bulk", "usd_per_t_km", 0.055, "about 26 USD a tonne Aktau-Alat"),
    ("E-ferry-box", "", "ferry", "container", "usd_per_feu_km", 1.2, "about 560 USD a 40 ft box Aktau-Alat"),
)

BOLAN_LINKS = ("R194", "R195", "R196", "R197")
#: Chaman to Sibi in running order, and the new Bolan alignment that would replace a part of it.
SIBI_CHAMAN_LINKS = ("R190", "R191", "R192", "R193", "R194", "R195", "R196", "R197", "R231")
#: TF093: 0.15 % elsewhere, 0.6 % in Afghanistan and Pakistan, so 0.45 points on top; band 0.2-3 % less the
#: same base.
BASE_INSURANCE_PCT = 0.15


def _tariff(fact: Fact, kind: str, unit: str, **keys: str) -> Row:
    values = {column: number(fact, column) for column in ("value", "value_low", "value_high")}
    remarks = (fact["item"], f"band: {fact['uncertainty_basis']}")
    return {
        "tariff_id": fact["tariff_id"],
        "kind": kind,
        "unit": unit,
        **keys,
        **values,
        **origin(fact, *remarks),
    }


def line_haul(facts: Facts) -> list[Row]:
    """One rate per country, mode and form."""
    published = facts.by_id("tariffs")
    rows = [
        _tariff(
            published[key],
            "line_haul",
            UNITS[published[key]["unit"]],
            countries=country,
            mode=mode,
            form=form,
        )
        for key, (country, mode, form) in LINE_HAUL.items()
    ]
    lorry = published["TF023"]
    ends = {column: round(float(lorry[column]) / TFI3_T_KM, 4) for column in ("value", "value_low", "value_high")}
    turkmen_lorry = {
        "tariff_id": "TF023",
        "kind": "line_haul",
        "countries": "TM",
        "mode": "road",
        "unit": "usd_per_t_km",
    }
    rows.append({**turkmen_lorry, **ends, **origin(lorry, "USD for 500 km and 20 t, divided by 10,000 t-km")})
    for tariff_id, country, mode, form, unit, value, why in ESTIMATED_RATES:
        keys = {
            "tariff_id": tariff_id,
            "kind": "line_haul",
            "countries": country,
            "mode": mode,
            "form": form,
            "unit": unit,
        }
        rows.append({**keys, **spread(value, 0.65, 1.5, "value"), **estimated(why)})
    return rows


def surcharges(facts: Facts) -> list[Row]:
    """Bolan multiplier, entry fees, security and insurance."""
    published = facts.by_id("tariffs")
    premium = published["TF093"]
    extra = {
        "tariff_id": "TF093-extra",
        "kind": "insurance",
        "countries": "AF;PK",
        "unit": "percent_of_value",
        **{
            column: round(float(premium[column]) - BASE_INSURANCE_PCT, 4)
            for column in ("value", "value_low", "value_high")
        },
        **origin(premium, "on top of the base premium", confidence="derived"),
    }
    base = {
        "tariff_id": "TF093-base",
        "kind": "insurance",
        "unit": "percent_of_value",
        **spread(BASE_INSURANCE_PCT, 0.65, 1.5, "value"),
        **origin(premium, "the 0.15 % 'elsewhere' of the row's notes, once at the destination"),
    }
    bolan, security = ";".join(BOLAN_LINKS), ";".join(SIBI_CHAMAN_LINKS)
    return [
        _tariff(published["TF083"], "multiplier", "factor", links=bolan, mode="rail"),
        _tariff(published["TF088"], "entry_fee", "usd_per_t", countries="AF"),
        _tariff(published["TF089"], "entry_fee", "usd_per_feu", countries="PK"),
        _tariff(published["TF090"], "entry_fee", "usd_per_feu", countries="TM"),
        _tariff(published["TF091"], "security", "usd_per_train_km", countries="AF", mode="rail"),
        _tariff(published["TF092"], "security", "usd_per_train_km", links=security, mode="rail"),
        base,
        extra,
    ]


def tariffs(facts: Facts) -> list[Row]:
    """Every component of the money chain except handling, ports and sea."""
    return [*line_haul(facts), *surcharges(facts)]


#: Hours a load stands on one side of a rail border (leaving, entering), with band. CPMM where it measured.
RAIL_SIDE_H: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "KZ": (
        (6.8, 6.1, 7.5),
        (78.0, 67.4, 78.0),
    ),  # TF035: outbound 6.8, inbound 78.0 (2022); 69.7 on average in 2023
    "TM": ((3.9, 3.51, 4.29), (3.9, 3.51, 4.29)),  # TF041, 2023
}
#: No sample: between Turkmenistan (3.9) and Kazakhstan outbound (6.8); high end CAREC rail of 2020 (TF029).
UNMEASURED_RAIL_SIDE_H = (6.0, 3.9, 23.0)
#: Countries whose side is already in the dwell of the gauge change at that border, by pair.
INSIDE_TERMINAL_DWELL = {
    frozenset(("CN", "KZ")): ("CN", "KZ"),  # G01, G02: their dwell is the Kazakh inbound border time itself
    frozenset(("IR", "TM")): ("IR",),  # G04, G05, G06 stand in the Iranian border stations
    frozenset(("AF", "PK")): ("AF",),  # G13-G16 at Spin Boldak: 36 h against 24 h away from the border (G17)
}
#: One customs union: a technical stop only.
CUSTOMS_UNION = frozenset(("KZ", "RU"))
CUSTOMS_UNION_SIDE_H = (2.0, 1.0, 4.0)

#: USD of a border crossing for a container load, leaving and entering. TF037, TF042.
RAIL_SIDE_USD = {"KZ": (185.0, 313.0), "TM": (0.0, 0.0)}
#: 81 USD were measured in Turkmenistan (TF042). Containers pay it inside the entry fee TF090, so only bulk
#: pays here.
TM_SIDE_USD_BULK = 81.0
#: No sample: as Turkmenistan. Afghanistan and Pakistan charge through TF088 and TF089.
UNMEASURED_SIDE_USD = 81.0
CHARGED_BY_ENTRY_FEE = {"AF", "PK"}
#: Load of a wagon in transfer, to spread a charge per wagon over tonnes (G07).
T_PER_WAGON = 67.0
#: CPMM lorry sample.
T_PER_LORRY = 20.0

#: Lorries between Afghanistan and Pakistan: Chaman 54.0 h (24.2 Torkham - 70.7), Spin Boldak 20.2 h (TF046,
#: TF047, TF050).
CHAMAN_H, SPIN_BOLDAK_H = (54.0, 24.2, 70.7), (20.2, 18.18, 24.2)
#: CAREC mean of a road border (TF053), where no crossing was sampled.
ROAD_SIDE_H = (9.9, 8.91, 13.6)
#: USD a lorry: Afghan side 240 (TF052), Chaman 50 (TF046).
AF_LORRY_USD, CHAMAN_LORRY_USD = 240.0, 50.0
#: TF088 already charges 4 USD/t on entering Afghanistan.
AF_ENTRY_FEE_USD_PER_T = 4.0

Hours = tuple[float, float, float]


def _border(frm: str, to: str, mode: str, hours: Hours, usd_feu: float, usd_t: float, **origin_columns: str) -> Row:
    return {
        "border_id": f"{frm}-{to}-{mode}",
        "from_country": frm,
        "to_country": to,
        "mode": mode,
        "dwell_h": round(hours[0], 2),
        "dwell_h_low": round(hours[1], 2),
        "dwell_h_high": round(hours[2], 2),
        "cost_usd_per_feu": round(usd_feu, 2),
        "cost_usd_per_t": round(usd_t, 2),
        **origin_columns,
    }


def _sum(*sides: Hours) -> Hours:
    return (sum(s[0] for s in sides), sum(s[1] for s in sides), sum(s[2] for s in sides))


def _rail_border(frm: str, to: str) -> Row:
    """Time and charge of the side that is left plus the side that is entered."""
    pair = frozenset((frm, to))
    if pair == CUSTOMS_UNION:
        hours = _sum(CUSTOMS_UNION_SIDE_H, CUSTOMS_UNION_SIDE_H)
        return _border(frm, to, "rail", hours, 0, 0, **estimated("technical stop inside the customs union"))
    inside = INSIDE_TERMINAL_DWELL.get(pair, ())
    sides: list[Hours] = []
    usd_feu = usd_t = 0.0
    for direction, country in enumerate((frm, to)):
        if country in inside:
            continue
        sides.append(RAIL_SIDE_H[country][direction] if country in RAIL_SIDE_H else UNMEASURED_RAIL_SIDE_H)
        if country in CHARGED_BY_ENTRY_FEE:
            continue
        usd = RAIL_SIDE_USD[country][direction] if country in RAIL_SIDE_USD else UNMEASURED_SIDE_USD
        usd_feu += usd
        usd_t += (TM_SIDE_USD_BULK if country == "TM" else usd) / T_PER_WAGON
    hours = _sum(*sides) if sides else (0.0, 0.0, 0.0)
    notes = "dwell = side left + side entered; charge per wagon over 67 t"
    if inside:
        notes += f"; side of {' and '.join(inside)} is in the dwell and charge of the gauge change there"
    measured = [
        f"{c} {side}" for c, side in ((frm, "outbound"), (to, "inbound")) if c in RAIL_SIDE_H and c not in inside
    ]
    guessed = [c for c in (frm, to) if c not in RAIL_SIDE_H and c not in inside]
    basis = "CPMM " + ", ".join(measured) + " (TF035, TF037, TF041, TF042)" if measured else "borders without a sample"
    if guessed:
        basis += f"; estimate for {' and '.join(guessed)}"
    if "KZ" in pair and to == "KZ" and not inside:
        notes += "; 78.0 h was sampled mostly at the gauge change with China, so it is high for a 1520 mm crossing"
    marks = derived(f"{basis}; cpmm22kz; cpmm23tm") if measured or inside else estimated(basis)
    return _border(frm, to, "rail", hours, usd_feu, usd_t, **{**marks, "notes": notes})


def _road_border(frm: str, to: str) -> Row:
    """Lorry borders: Chaman with Spin Boldak for Afghanistan and Pakistan, the CAREC mean elsewhere."""
    sides, usd, cheaper_t = [], 0.0, 0.0
    for direction, country in enumerate((frm, to)):
        if frozenset((frm, to)) == frozenset(("AF", "PK")):
            leaving_pakistan = country == "PK" and direction == 0
            sides.append(SPIN_BOLDAK_H if country == "AF" else CHAMAN_H if leaving_pakistan else ROAD_SIDE_H)
        else:
            sides.append(ROAD_SIDE_H)
        usd += {"AF": AF_LORRY_USD, "PK": CHAMAN_LORRY_USD}.get(country, 0.0)
        if country == "AF" and direction == 1:
            cheaper_t = AF_ENTRY_FEE_USD_PER_T
    usd_t = usd / T_PER_LORRY - cheaper_t
    notes = "charge per lorry of 20 t"
    if cheaper_t:
        notes += ", less the 4 USD/t of the entry fee TF088"
    if "PK" in (frm, to):
        notes += "; Chaman and Spin Boldak stand for every crossing, Torkham took 24.2 h on either side"
    basis = "CPMM Chaman, Spin Boldak, CAREC mean (TF046, TF050, TF052, TF053); cpmm22pk; cpmm20af; cpmm22"
    return _border(frm, to, "road", _sum(*sides), usd_t * T_PER_LORRY, usd_t, **derived(basis, notes))


def borders(facts: Facts) -> list[Row]:
    """A row for every pair of countries that a rail or road link joins, in both directions; ferries wait in
    their ports.
    """
    country = {fact["node_id"]: fact["country"] for fact in facts.rows("nodes")}
    pairs = {
        (country[link[a]], country[link[b]], link["mode"])
        for link in facts.rows("links")
        for a, b in (("from_node", "to_node"), ("to_node", "from_node"))
        if country[link["from_node"]] != country[link["to_node"]] and link["mode"] != "ferry"
    }
    make = {"rail": _rail_border, "road": _road_border}
    rows = [make[mode](frm, to) for frm, to, mode in sorted(pairs)]
    ferry = {"border_id": "ferry", "mode": "ferry", "dwell_h": 0.0}
    return [*rows, {**ferry, **estimated("customs are cleared within the port dwell of both quays")}]
