"""One open conversation over the routes of a job: its questions, asked one by one or at once."""
