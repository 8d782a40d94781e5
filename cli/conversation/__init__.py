"""What `llmbatch ask` and `llmbatch chat` show and read."""
