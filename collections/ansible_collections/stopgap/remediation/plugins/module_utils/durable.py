# Copyright: the Stopgap contributors
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)
"""Files that are either as they were or as they shall be, and on disk when the call returns.

A file's state is a flat dict: kind (absent | file | link), sha256, target, mode, uid, gid; and, for putting it back
only: mtime_ns, atime_ns, xattrs.
"""

import base64
import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import stat
import struct

from ansible_collections.stopgap.remediation.plugins.module_utils.errors import ActionError

CHUNK = 1 << 20
# linux/fs.h: FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IMMUTABLE_FL; the number holds the size of a long
GET_FLAGS = 0x80006601 | struct.calcsize("l") << 16
SET_FLAGS = 0x40006602 | struct.calcsize("l") << 16
IMMUTABLE = 0x10
# why a folder we made is not removed: there is something in it, it is gone, is a link by now, or has a mount on it
THEIRS = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EBUSY)
COMPARED = ("kind", "sha256", "target", "mode", "uid", "gid")
ACCESS_LIST = "system.posix_acl_access"
LINKS = 40  # on one way, as the kernel has it
CONTENT = ("kind", "sha256", "target", "saved", "mtime_ns", "atime_ns", "xattrs")


def snapshot(path):
    """The state of a path; links are not followed. ActionError for anything that is no plain file or link.

    All of it is of one file, whatever its folder's owner puts in its place meanwhile.
    """
    try:
        held = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return absent()
    try:
        return state_of(path, held)
    finally:
        os.close(held)


def state_of(path, held):
    info, pin = os.fstat(held), "/proc/self/fd/%d" % held
    if stat.S_ISLNK(info.st_mode):
        return dict(absent(), kind="link", target=os.readlink("", dir_fd=held), uid=info.st_uid, gid=info.st_gid)
    if not stat.S_ISREG(info.st_mode):
        raise ActionError("%s is neither a file nor a link: left alone" % path)
    return {
        "kind": "file",
        "sha256": hash_file(pin),
        "target": None,
        "mode": mode_text(info.st_mode),
        "uid": info.st_uid,
        "gid": info.st_gid,
        "mtime_ns": info.st_mtime_ns,
        "atime_ns": info.st_atime_ns,
        "xattrs": read_xattrs(pin),
    }


def absent():
    return dict(dict.fromkeys(COMPARED), kind="absent")


@contextlib.contextmanager
def folder_of(path, folder=None):
    """A descriptor of the folder `path` is in, for `dir_fd`. ActionError where it is not the one that was looked at.

    Whoever owns a folder above may put a link in its place at any moment. `folder` is the real path that was looked
    at, if it was at another time than now.
    """
    expected = folder or os.path.realpath(os.path.dirname(path))
    held = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        found = os.readlink("/proc/self/fd/%d" % held)
        if found != expected:
            raise ActionError(
                "%s leads to %s now: nothing was changed there; run this again" % (os.path.dirname(path), found)
            )
        yield held
    except OSError as error:
        if error.filename in (os.path.basename(path), os.path.basename(temporary(path))):  # that tells nobody where
            error.filename = os.path.join(os.path.dirname(path), error.filename)
        raise
    finally:
        os.close(held)


def led_to(path, known):
    """Where `path` leads by now. ActionError where that is not `known`, and not all links on the way are root's own:
    whoever may put them there would have us change what he may not.
    """
    now, left, links, roots = "/", path.split("/"), 0, True
    while left:
        name = left.pop(0)
        step = os.path.join(now, name)
        if name == "..":
            now = os.path.dirname(now)
        elif name not in ("", ".") and os.path.islink(step):
            links += 1
            if links > LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            roots = roots and is_roots_own(step)
            target = os.readlink(step)
            now, left = "/" if target.startswith("/") else now, target.split("/") + left
        elif name not in ("", "."):
            now = step
    if now != known and not roots:
        raise ActionError("%s leads to %s now, by a link that is not root's: nothing was changed there" % (path, now))
    return now


def is_roots_own(link):
    """Nobody else has made it, nor could have moved it to where it is."""
    folder, own = os.stat(os.path.dirname(link)), (0, os.geteuid())
    is_open = folder.st_mode & 0o022 and not folder.st_mode & stat.S_ISVTX
    return os.lstat(link).st_uid in own and folder.st_uid in own and not is_open


@contextlib.contextmanager
def pinned(path):
    """A name of the file or folder at `path`, where no link was before, that means it whatever is put in its place."""
    place = led_to(path, path)
    held = os.open(place, os.O_PATH | os.O_NOFOLLOW)
    try:
        pin = "/proc/self/fd/%d" % held
        if os.readlink(pin) != place or stat.S_ISLNK(os.fstat(held).st_mode):
            raise ActionError("%s was replaced just now: nothing was changed there; run this again" % path)
        yield pin
    finally:
        os.close(held)


def restore(path, state, saved, folder=None):
    """Make `path` what `state` says, with the content of the file `saved`. `folder` is as for `folder_of`."""
    discard(temporary(path), folder)
    if state["kind"] == "absent":
        discard(path, folder)
        sync_folder(os.path.dirname(path))
    elif state["kind"] == "link":
        make_link(path, state, folder)
    else:
        copy(saved, path, state, folder)


def make_link(path, state, folder):
    draft, name = os.path.basename(temporary(path)), os.path.basename(path)
    with folder_of(path, folder) as held:
        os.symlink(state["target"], draft, dir_fd=held)
        os.chown(draft, state["uid"], state["gid"], dir_fd=held, follow_symlinks=False)
        os.replace(draft, name, src_dir_fd=held, dst_dir_fd=held)
        os.fsync(held)


def write(path, data, state, check=None, folder=None):
    """Replace `path` in one step; `state` gives mode and, where present, uid, gid, xattrs and mtime_ns.

    `check` is called with the path of the draft before it counts; if it raises, nothing was changed.
    """
    with replacing(path, state, check, folder) as stream:
        stream.write(data)


def copy(source, path, state, folder=None):
    """As `write`, with what is in another file; of any size."""
    with open(source, "rb", opener=without_waiting) as stream, replacing(path, state, folder=folder) as draft:
        shutil.copyfileobj(stream, draft, CHUNK)


@contextlib.contextmanager
def replacing(path, state, check=None, folder=None):
    """A stream for the new content of `path`, which takes its place when the block ends without an error."""
    draft, name = os.path.basename(temporary(path)), os.path.basename(path)
    with folder_of(path, folder) as held:
        remove(draft, held)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=held)
        try:
            with os.fdopen(handle, "wb") as stream:
                yield stream
                stream.flush()
                dress(handle, state)
                os.fsync(handle)
            if check:
                check(temporary(path))
        except BaseException:
            remove(draft, held)  # a full disk has no room for half a file
            raise
        os.replace(draft, name, src_dir_fd=held, dst_dir_fd=held)
        os.fsync(held)


def dress(handle, state):
    """Owner first: changing it clears setuid bits and capabilities. The mode after the access list, which has a copy of
    it. Times last: everything else changes them.
    """
    info, xattrs = os.fstat(handle), state.get("xattrs") or {}
    if state.get("uid") is not None and (state["uid"], state["gid"]) != (info.st_uid, info.st_gid):
        os.chown(handle, state["uid"], state["gid"])
    if ACCESS_LIST not in xattrs and ACCESS_LIST in read_xattrs(handle):
        os.removexattr(handle, ACCESS_LIST)  # what the folder gives to new files
    write_xattrs(handle, xattrs)
    os.chmod(handle, int(state["mode"], 8))
    if state.get("mtime_ns") is not None:
        os.utime(handle, ns=(state["atime_ns"], state["mtime_ns"]))


def temporary(path):
    """Always the same name, so that a second run clears away what a killed one left; hidden from drop-in globs."""
    return os.path.join(os.path.dirname(path), ".%s.stopgap" % os.path.basename(path))


def discard(path, folder=None):
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), folder_of(path, folder) as held:
        remove(os.path.basename(path), held)


def remove(name, held):
    """Looked for first: a read-only file system refuses to remove even what is not there."""
    with contextlib.suppress(FileNotFoundError):
        os.lstat(name, dir_fd=held)
        os.unlink(name, dir_fd=held)


def sync_folder(path):
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def missing_folders(path):
    """The parents of `path` that do not exist, outermost first."""
    missing = []
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    return missing


def make_folders(path):
    for folder in missing_folders(path):
        os.mkdir(folder)
        os.chmod(folder, 0o755)  # noqa: S103 - whatever the umask says
        sync_folder(os.path.dirname(folder))


def remove_folders(folders):
    """Remove those of them that are empty, innermost first."""
    for folder in sorted(filter(os.path.lexists, folders), key=len, reverse=True):
        try:
            os.rmdir(folder)
        except OSError as error:
            if error.errno not in THEIRS:
                raise


def read_xattrs(path):
    try:
        names = os.listxattr(path)
    except OSError:  # the file system has none
        return {}
    return {name: base64.b64encode(os.getxattr(path, name)).decode("ascii") for name in names}


def write_xattrs(handle, xattrs):
    """Only what differs: a new file already has its security label, and setting one may not be allowed."""
    present = read_xattrs(handle)
    for name, value in xattrs.items():
        if present.get(name) != value:
            os.setxattr(handle, name, base64.b64decode(value))


def is_immutable(path):
    """Whether nobody may change the file (chattr +i); false where the file system knows no such thing."""
    return bool((attributes(path) or 0) & IMMUTABLE)


def attributes(path):
    """The flags of a plain file, or None where its file system has none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return struct.unpack("i", fcntl.ioctl(handle, GET_FLAGS, b"\0" * struct.calcsize("l"))[:4])[0]
    except OSError:
        return None
    finally:
        os.close(handle)


def set_immutable(path, wanted):
    """ActionError where the file system does not know it, or this process may not."""
    flags = attributes(path) or 0
    if bool(flags & IMMUTABLE) == bool(wanted):
        return
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.ioctl(handle, SET_FLAGS, struct.pack("l", flags ^ IMMUTABLE))
        os.fsync(handle)
    except OSError as error:
        raise ActionError("%s: its immutable attribute cannot be changed here: %s" % (path, error.strerror))
    finally:
        os.close(handle)


def read_bytes(path):
    """ActionError for a pipe or a device, which whoever owns the folder may put there: we would wait, or read, for ever."""
    with open(path, "rb", opener=without_waiting) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise ActionError("%s is neither a file nor a link: left alone" % path)
        return stream.read()


def without_waiting(path, flags):
    return os.open(path, flags | os.O_NONBLOCK)


def hash_file(path):
    found = hashlib.sha256()
    with open(path, "rb") as stream:
        for part in iter(lambda: stream.read(CHUNK), b""):
            found.update(part)
    return found.hexdigest()


def hash_of(data):
    return hashlib.sha256(data).hexdigest()


def mode_text(mode):
    return "%04o" % stat.S_IMODE(mode)
