"""Answers that are kept over jobs."""
