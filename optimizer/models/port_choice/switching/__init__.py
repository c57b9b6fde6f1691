"""For which values of a rate, a dwell, a premium or a capacity which plan is best."""
