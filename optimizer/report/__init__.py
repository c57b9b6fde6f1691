"""Answers people can see: one HTML file that opens offline, tables to take along, and what a notebook shows."""
