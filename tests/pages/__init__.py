"""The commands of the documentation, as a reader runs them in a release folder."""
