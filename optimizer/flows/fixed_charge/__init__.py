"""Which services to open, at a fixed cost, and what flows over each: price-and-branch, or flows over the open ones."""
