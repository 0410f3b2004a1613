"""What the tests and `tools` both use: what a person does with a deployment, the waits for its effects, and the stories
of tests/scenarios. No module here or below imports pytest or `tools`, as tools/checks/structure.py checks."""
