"""The subcommands. Each module has:

- the documentation, whose first line is the help text,
- `EXAMPLES`, for the help,
- `add_arguments`, if it has arguments of its own,
- `run`, which returns the exit status.
"""
