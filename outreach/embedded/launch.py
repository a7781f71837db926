"""Starts a program under an identity that it accepts; run as a script, never imported by the product.

    python -I -S launch.py IDENTITY run|detach LOG COMMAND [ARGUMENT ...]

A separate small process, because a process with threads can neither enter a user namespace nor run code
safely between fork and exec. IDENTITY is one of

    keep            as we are
    map:UID:GID     a user namespace in which we appear as UID:GID; files stay ours outside
                    (user_namespaces(7): setgroups is denied before gid_map is written)
    set:UID:GID     give up root for good

`run` becomes the command. `detach` starts it in a session of its own with its output appended to LOG,
prints its process id and ends, so that nobody has to reap it.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
"""linux/sched.h"""


def enter(identity: str) -> None:
    """Change identity. Raises OSError if the kernel or the container forbids it."""
    kind, _, numbers = identity.partition(":")
    if kind == "keep":
        return
    uid, gid = (int(number) for number in numbers.split(":"))
    if kind == "map":
        _enter_namespace(uid, gid)
    else:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def _enter_namespace(uid: int, gid: int) -> None:
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {outer_uid} 1"),
        ("gid_map", f"{gid} {outer_gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def detach(output: int, command: list[str]) -> None:
    """Start the command on its own and print its process id."""
    pid = os.fork()
    if pid:
        os.write(1, str(pid).encode())
        return
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.execv(command[0], command)


def main() -> None:
    """Do what the command line says."""
    identity, mode, log, *command = sys.argv[1:]
    # Opened as ourselves: the other identity may not reach the folder of the log.
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    enter(identity)
    if mode == "run":
        os.execv(command[0], command)
    detach(output, command)


if __name__ == "__main__":
    main()
