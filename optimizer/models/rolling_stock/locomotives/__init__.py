"""Locomotives for dated trains."""
