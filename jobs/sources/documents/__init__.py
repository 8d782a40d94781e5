"""Documents in: files, folders, globs and standard input, each read as a stream of text."""
