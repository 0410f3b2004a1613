"""`make run`, and the other commands for a person: `make shell` and `make deploy`."""
