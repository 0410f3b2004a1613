"""`make test` and `make lint`. All but `prose` and `figures` need the standard library alone: they run before
an installation."""
