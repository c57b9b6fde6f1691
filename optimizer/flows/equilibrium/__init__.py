"""Equilibria where delays grow with the load: of users who know the costs, and of the logit."""
