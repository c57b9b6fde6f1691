"""Vehicle circulation with home depots: every trip once, every vehicle home again, with a proven bound."""
