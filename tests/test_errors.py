"""Words that help with a name nobody knows."""

from __future__ import annotations

from optimizer.errors import did_you_mean, or_known


def test_the_nearest_name_is_asked_for_whatever_its_case() -> None:
    assert did_you_mean("india", ["INDIAN", "PAKISTANI"]) == "; did you mean 'INDIAN'?"
    assert did_you_mean("zzz", ["INDIAN"]) == ""


def test_where_none_is_near_some_are_listed_with_their_number_and_table() -> None:
    names = [f"R{number:03}" for number in range(1200)]
    assert or_known("border", ["Border-1", "yard"], "links.csv") == "; did you mean 'Border-1'?"
    assert or_known("nolink", names, "links.csv") == (
        "; known are R000, R001, R002, R003, R004 and 1,195 more, in links.csv"
    )
    assert or_known("x", ["ab", "bc"], "links.csv") == "; known are ab, bc, in links.csv"
    assert or_known("x", [], "train_calls.csv") == "; train_calls.csv has none"
