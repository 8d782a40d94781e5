"""A report as people want to see it: as a table of text, and as one page of HTML."""
