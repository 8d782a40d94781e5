"""Processes that ask a job's rows side by side: what is said between them and the one in charge."""
