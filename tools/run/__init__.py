"""`make run`, and the other commands for a person: `make shell`, `make invoke` and `make deploy`."""
