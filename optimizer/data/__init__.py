"""Instances: format, reading, writing, checks and scenarios."""
