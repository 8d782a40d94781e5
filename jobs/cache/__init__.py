"""Answers kept over jobs, in SQLite: :class:`.answers.Cache` is the door."""
