"""Wagons by type over the days of the horizon."""
