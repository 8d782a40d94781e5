"""What is asked once only, and what is sent together."""
