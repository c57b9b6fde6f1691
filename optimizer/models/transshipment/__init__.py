"""Gauge-change transshipment: which train stands where and when, and how each load gets over."""
