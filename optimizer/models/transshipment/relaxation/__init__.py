"""Bounds of a terminal by linear relaxation."""
