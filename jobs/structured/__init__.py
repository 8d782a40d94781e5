"""Answers as data: a JSON Schema, what is parsed out of an answer, and asking again."""
