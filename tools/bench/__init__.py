"""`make bench`, and the counts of instructions for `make check-figures`."""
