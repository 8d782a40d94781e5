"""Other tools for the same job: each with an environment and a client script of its own."""
