"""Result directories: ``result.json`` and one table per part of the plan, CSV, or Parquet for long ones."""

from optimizer.results.content import FILE, ResultFile, TableFile, to_json
from optimizer.results.opening import open_result, problem_of
from optimizer.results.reading import read_result
from optimizer.results.writing import check_target, write_result

__all__ = [
    "FILE",
    "ResultFile",
    "TableFile",
    "check_target",
    "open_result",
    "problem_of",
    "read_result",
    "to_json",
    "write_result",
]
