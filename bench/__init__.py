"""What llmbatch costs, measured against a loop that does nothing else: `python -m bench`."""
