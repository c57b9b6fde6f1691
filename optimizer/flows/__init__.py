"""Route flows on a network: demands over days, shared capacities, prices and proven bounds. Knows no family."""
