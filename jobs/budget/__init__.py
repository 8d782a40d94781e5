"""What a job may use up, and a budget that holds."""
