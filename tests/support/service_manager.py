#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What systemd does for sallyport.service, as far as a test needs it: keeps the descriptors that the program stores, starts
it again when a signal kills it, hands them back, passes SIGTERM on, ends with its exit status.

usage: service_manager.py PROGRAM [ARGUMENT...]
"""
import array
import fcntl
import os
import pathlib
import signal
import socket
import sys
import tempfile


def child(command, stored, address):
    pid = os.fork()
    if pid != 0:
        return pid
    os.environ["NOTIFY_SOCKET"] = address
    if stored:
        high = [os.dup(fd) for fd in stored.values()]
        for number, fd in enumerate(high):
            os.dup2(fd, 3 + number, inheritable=True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(stored)), LISTEN_FDNAMES=":".join(stored))
    os.execv(command[0], command)


def hear(listener, stored):
    """One message of sd_notify(3)."""
    room = array.array("i").itemsize
    message, ancillary, _, _ = listener.recvmsg(4096, socket.CMSG_SPACE(4 * room))
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[:len(data) - len(data) % room])
    words = dict(line.split("=", 1) for line in message.decode().splitlines() if "=" in line)
    if words.get("FDSTORE") == "1":
        # Out of the way of the numbers that the program will expect.
        stored[words["FDNAME"]] = fcntl.fcntl(fds[0], fcntl.F_DUPFD_CLOEXEC, 64)
        os.close(fds[0])
    if words.get("FDSTOREREMOVE") == "1" and words["FDNAME"] in stored:
        os.close(stored.pop(words["FDNAME"]))


def main(command):
    stored = {}
    with tempfile.TemporaryDirectory() as directory:
        address = str(pathlib.Path(directory) / "notify")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        listener.bind(address)
        pid = child(command, stored, address)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))
        listener.settimeout(0.02)
        while True:
            try:
                hear(listener, stored)
                continue
            except socket.timeout:
                pass
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended == 0:
                continue
            if not os.WIFSIGNALED(status):
                return os.WEXITSTATUS(status) if not stored else 70  # a stop in order takes its descriptors back
            pid = child(command, stored, address)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
