"""Starts the command. An older Python reads this file too, so it has no newer syntax."""

import sys

if sys.version_info < (3, 9):
    sys.exit(
        "cfn-gitops needs Python 3.9 or newer, and %s is Python %d.%d. Start it with a newer one, such as:"
        " python3.11 cfn-gitops" % ((sys.executable,) + sys.version_info[:2])
    )


def start():
    try:
        from cli.main import main

        return main()
    except KeyboardInterrupt:
        # While the modules are loaded, which takes most of a second.
        sys.stderr.write("\nInterrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(start())
