"""The product as a user runs it: the real `sam deploy` of `template.yaml`, and the real git, against the
local AWS.

`tests.play.steps` has the actions. The tests here assert their results, and `make run` shows them.
"""
