"""The pipelines of an environment, and an execution that is followed."""
