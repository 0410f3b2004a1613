"""The product as a user runs it: the real `sam deploy` of `template.yaml`, and the real git, against the local AWS.

`steps` is what can be done; the tests here assert it, and `make run` shows it.
"""
