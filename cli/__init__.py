"""The operator's command `cfn-gitops`: one file in the release folder, and `python -m cli` in a clone.

`main` reads the arguments, `commands` has a module for each subcommand, and `ending` is the place where each
ends. The package needs Python 3.9 or newer, and what tools/requirements/cli.txt lists.
"""
