"""An environment: its account, its settings and its stacks."""
