"""The families of decisions: one folder each, with the same file names."""
