"""The programs behind `make`, by purpose, and their settings. Each starts from the clone's root: `python -m
tools.run.run`.

`run` shows the product to a person, and `trial` does so in an account (`try` is a word of Python). `checks`
are those of `make test`, `release` makes what a user gets, and `docs` its pages. Of the tests, only
`tests.play` is imported. `tools.checks.structure` checks that.
"""
