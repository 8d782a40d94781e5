"""Documents cut into chunks of so many tokens, at the best place within reach."""
