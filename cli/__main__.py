"""Starts the command. An older Python reads this file too, so it has no newer syntax."""

import sys

if sys.version_info < (3, 9):
    sys.exit("cfn-gitops needs Python 3.9 or newer. %s is Python %d.%d." % ((sys.executable,) + sys.version_info[:2]))

from cli.main import main

if __name__ == "__main__":
    sys.exit(main())
