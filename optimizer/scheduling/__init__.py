"""Flexible job shop: chains of handlings on alternative machines, the shortest schedule with a proven bound."""
