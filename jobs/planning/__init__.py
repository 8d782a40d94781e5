"""What a job would do and cost, without a request."""
