"""The first module of the file `cfn-gitops`. An older Python reads it too, so it has no newer syntax.

botocore reads its data from files. So the first start unpacks the packages into the user's cache, and Python
adds their byte code. But another user may be able to change the cache, as with a `sudo` that keeps HOME.
Then, and where it is not writable, each start unpacks them into a folder of its own, and deletes it at the
end.
"""

import sys

if sys.version_info < (3, 9):
    sys.exit(
        "cfn-gitops needs Python 3.9 or newer, and %s is Python %d.%d. Start it with a newer one, such as:"
        " python3.11 cfn-gitops" % ((sys.executable,) + sys.version_info[:2])
    )

import atexit
import hashlib
import io
import os
import shutil
import signal
import stat
import tempfile
import zipfile
import zlib


def packages(archive):
    """The folder with the packages of this file."""
    with open(archive, "rb") as file:
        packed = file.read()
    with zipfile.ZipFile(io.BytesIO(packed)) as content:
        try:
            folder = kept(content, hashlib.sha256(packed).hexdigest())
        except OSError:
            folder = None
        return folder or unpacked(content)


def kept(content, name):
    """The folder of this name in the user's cache, which the first start makes. `None` if another user may
    change it, and on Windows, whose modes do not show that."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(
        "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    )
    if not hasattr(os, "geteuid") or not os.path.isabs(base) or not os.path.isdir(os.path.dirname(base)):
        return None
    cache = os.path.join(os.path.realpath(base), "cfn-gitops")
    if not is_own(cache):
        return None
    folder = os.path.join(cache, name)
    # Before the look: another start may make it meanwhile.
    exists = os.path.lexists(folder)
    if not is_whole(folder, content):
        if exists:
            shutil.rmtree(folder, True)
        made = tempfile.mkdtemp(dir=cache)
        try:
            content.extractall(made)
            os.rename(made, folder)
        finally:
            shutil.rmtree(made, True)
    return folder


def is_own(folder):
    """Whether only this user and root can change the folder, and those above it. Makes a missing one."""
    above = os.path.dirname(folder)
    if above != folder and not is_own(above):
        return False
    if not os.path.lexists(folder):
        os.mkdir(folder, 0o700)
    found = os.lstat(folder)
    # In a sticky one, such as /tmp, each user can change only their own files.
    others = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    return stat.S_ISDIR(found.st_mode) and found.st_uid in (0, os.geteuid()) and not others


def is_whole(folder, content):
    """Whether this user alone can open the folder, and no file is missing: a program may delete a part of a
    cache, and a crash the content of a file."""
    try:
        found = os.lstat(folder)
        return (
            stat.S_ISDIR(found.st_mode)
            and found.st_uid == os.geteuid()
            and not found.st_mode & 0o077
            and all(
                os.path.getsize(os.path.join(folder, each.filename)) == each.file_size
                for each in content.infolist()
            )
        )
    except OSError:
        return False


def unpacked(content):
    """A folder of this start, which only this user can read."""
    folder = tempfile.mkdtemp(prefix="cfn-gitops-")
    atexit.register(delete, folder)
    content.extractall(folder)
    sys.dont_write_bytecode = True
    return folder


def delete(folder):
    """Ctrl-C meanwhile would print a traceback, and leave a part of the folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    shutil.rmtree(folder, True)


if __name__ == "__main__":
    try:
        sys.path[0] = packages(sys.path[0])
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
