"""What stands beside an output: who made it, of what, by which settings, for how much."""
