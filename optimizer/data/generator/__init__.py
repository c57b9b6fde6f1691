"""Parts of the seeded generator; ``optimizer.data.generate`` puts them together."""
