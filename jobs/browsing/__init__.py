"""Results to look at: the files of a folder that hold them, their rows, and one row whole."""
