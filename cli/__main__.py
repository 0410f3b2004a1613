"""Starts the command."""

import sys


def start() -> int:
    try:
        from cli.main import main

        return main()
    except KeyboardInterrupt:
        # While the modules are loaded, which takes half a second.
        sys.stderr.write("\nInterrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(start())
