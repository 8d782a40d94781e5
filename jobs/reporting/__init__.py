"""Figures out of results files: what a job came to, read from what it wrote."""
