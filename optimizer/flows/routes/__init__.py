"""The route-flow engine: demands over days on shared capacities, priced and pooled routes, a proven bound."""
