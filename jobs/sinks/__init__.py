"""Results out: :func:`.opening.open_output` is the door."""
