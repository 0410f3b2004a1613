"""The first module of the file `cfn-gitops`. An older Python reads it too, so it has no newer syntax.

botocore reads its data from files. So each start unpacks the packages into a folder of its own, which takes a
tenth of a second, and deletes it at the end. A cache would be faster only from the second start on, and code
in it could be another's.
"""

import sys

if sys.version_info < (3, 9):
    sys.exit(
        "cfn-gitops needs Python 3.9 or newer, and %s is Python %d.%d. Start it with a newer one, such as:"
        " python3.11 cfn-gitops" % ((sys.executable,) + sys.version_info[:2])
    )

import atexit
import shutil
import signal
import tempfile
import zipfile
import zlib


def unpacked(archive):
    """The folder with the packages of this file, which only this user can read."""
    folder = tempfile.mkdtemp(prefix="cfn-gitops-")
    atexit.register(delete, folder)
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    return folder


def delete(folder):
    """Ctrl-C meanwhile would print a traceback, and leave a part of the folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    shutil.rmtree(folder, True)


if __name__ == "__main__":
    try:
        sys.dont_write_bytecode = True
        sys.path[0] = unpacked(sys.path[0])
        from cli.__main__ import start
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted\n")
        sys.exit(130)
    except (zipfile.BadZipFile, zlib.error, ImportError) as error:
        sys.exit("The file %s is damaged: %s. Copy it again from the release." % (sys.argv[0], error))
    except OSError as error:
        sys.exit(
            "cfn-gitops cannot unpack its packages: %s. Free some space, or name another folder: TMPDIR=/path"
            % error
        )
    sys.exit(start())
