"""When a job stops by itself: rules, the rows they are judged by, and a canary before the rest."""
