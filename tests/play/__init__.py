"""The common ground of the tests and `tools`: the actions of a user on a deployment, the waits for their
effects, and the stories of tests/scenarios. No module here or below imports pytest or `tools`, as
tools/checks/structure.py checks."""
