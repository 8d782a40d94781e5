"""What a job tells OpenTelemetry and Prometheus of itself: observers that the engine knows not."""
