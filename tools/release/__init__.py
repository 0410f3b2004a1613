"""`make build`, `make dist` and `make release`: the files that a user gets."""
