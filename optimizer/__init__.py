"""Freight optimization on the layered corridor network."""
