"""Whether an output is whole, and the answer to its input."""
