"""The first module of the file `cfn-gitops`. An older Python reads it too, so it has no newer syntax.

botocore reads its data from files. So the first start unpacks the packages into the user's cache, once for each build, or
for this run only if the home cannot be written.
"""

import sys

if sys.version_info < (3, 9):
    sys.exit("cfn-gitops needs Python 3.9 or newer. %s is Python %d.%d." % ((sys.executable,) + sys.version_info[:2]))

import atexit
import os
import shutil
import tempfile
import zipfile


def unpacked(archive):
    """The folder with the packages of this file."""
    with zipfile.ZipFile(archive) as content:
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "cfn-gitops")
        folder = os.path.join(cache, content.read("BUILD").decode())
        if os.path.isdir(folder):
            return folder
        try:
            os.makedirs(cache, 0o700, exist_ok=True)
            beside = tempfile.mkdtemp(dir=cache)
        except OSError:
            folder = beside = tempfile.mkdtemp(prefix="cfn-gitops-")
            atexit.register(shutil.rmtree, folder, True)
        try:
            content.extractall(beside)
        except BaseException:
            # An interrupt, or a full disk.
            shutil.rmtree(beside, True)
            raise
    if folder != beside:
        try:
            os.rename(beside, folder)
        except OSError:
            # Another start was faster.
            shutil.rmtree(beside)
    return folder


if __name__ == "__main__":
    try:
        sys.path[0] = unpacked(sys.path[0])
        from cli.__main__ import start
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted\n")
        sys.exit(130)
    except OSError as error:
        sys.exit("cfn-gitops cannot unpack its packages: %s. Free some space, or name another folder: XDG_CACHE_HOME=/path" % error)
    sys.exit(start())
