"""Solvers behind one manner: limits, progress and stop go in; status, values and a valid bound come out.

Nothing is imported here: PuLP and OR-Tools take most of a second to load, and a run needs one of them at most.
"""
