"""Many chunk results into one report: a tree of folds, its citations, its quotes, its sources."""
