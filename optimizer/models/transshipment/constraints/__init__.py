"""Variables and rules of the exact model."""
