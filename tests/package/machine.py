# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian of its own for the package: made by debootstrap in memory, and started by systemd-nspawn, with systemd as its first
process, in a network namespace of the test's.

    Root(folder)          the folder's file system; install(), purge(), run(), files()
    Machine(root, netns)  started; run() within, wait(), stop()
"""
import fcntl
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from lib import cleanup
from lib.gateway import ROOT
from lib.process import Process

SUITE = "bookworm"
CACHE = Path("/var/cache/sallyport/debootstrap")
ATTEMPTS = 2  # an archive is a network away
CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_BPF,CAP_PERFMON,CAP_IPC_LOCK,CAP_SYS_NICE"  # beyond those that nspawn leaves
NAME = f"sallyport-{os.getpid()}"
NSPAWN = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", f"--machine={NAME}"]


class Unreachable(Exception):
    pass


def run(*command, check=True, timeout=60, **more):
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, errors="replace", timeout=timeout, **more)
    assert not check or done.returncode == 0, (command, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def archive():
    """(URI, environment) of the Debian archive that apt uses here."""
    targets = run("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages").stdout
    found = [line.split("|")[2] for line in targets.splitlines() if line.startswith("Debian|Debian|")]
    if not found:
        raise Unreachable("apt knows no Debian archive")
    proxy = re.search(r'"(.*)"', run("apt-config", "dump", "Acquire::http::Proxy").stdout)
    return found[0], dict(os.environ, **({"http_proxy": proxy[1]} if proxy else {}))


def pack(build, folder, **environment):
    """The package as a release has it, dated by its commit, made in `folder`. One at a time: a build has one place for what cpack installs."""
    epoch = run("git", "-C", ROOT, "log", "-1", "--format=%ct", check=False).stdout.strip() or "0"  # sources without their history
    with open(Path(build) / "package.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run("cpack", "--config", Path(build) / "CPackConfig.cmake", "-B", folder, cwd=folder, timeout=240,
            env=dict(os.environ, SOURCE_DATE_EPOCH=epoch, **environment))
    (made,) = Path(folder).glob("sallyport_*.deb")
    return made


def depends(package):
    """Names of what the package needs: of alternatives the first."""
    field = run("dpkg-deb", "-f", package, "Depends").stdout
    return sorted({re.split(r"[ (|]", word.strip())[0] for word in field.split(",")})


class NoSystem(Exception):
    pass


class Root:
    def __init__(self, folder, package):
        self.folder, self.package = Path(folder), Path(package)
        self.folder.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=1500M,mode=755", "tmpfs", self.folder)
        self._handle = cleanup.register(self.delete)
        self._bootstrap()
        shutil.copy(package, self.folder / "var/tmp/sallyport.deb")

    def _bootstrap(self):
        uri, environment = archive()
        CACHE.mkdir(parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):
            done = run("debootstrap", "--variant=minbase", f"--cache-dir={CACHE}", f"--include={','.join(depends(self.package))}",
                       SUITE, self.folder, uri, check=False, timeout=240, env=environment)
            if done.returncode == 0:
                return
            run("find", self.folder, "-mindepth", "1", "-delete", check=False)
        raise Unreachable(f"debootstrap: {done.stdout[-1000:]}{done.stderr[-500:]}")

    def run(self, *command, check=True):
        """Within, with nothing else running there."""
        return run(*NSPAWN, f"--directory={self.folder}", "--pipe", "--private-network", *command, check=check)

    def names(self, table):
        """{number: name} of its own passwd or group."""
        rows = (line.split(":") for line in (self.folder / "etc" / table).read_text().splitlines())
        return {row[2]: row[0] for row in rows}

    def files(self):
        """{path: (mode, owner, group)}, of its own file system alone."""
        users, groups = self.names("passwd"), self.names("group")
        found = run("find", self.folder, "-xdev", "-mindepth", "1", "-printf", r"%P %M %U %G\n").stdout
        rows = (line.rsplit(" ", 3) for line in found.splitlines())
        return {"/" + name: (mode, users.get(user), groups.get(group)) for name, mode, user, group in rows}

    def delete(self):
        """Once by whoever made it, or at the session's end."""
        cleanup.done(self._handle)
        if self.folder.exists():
            run("umount", "-l", self.folder, check=False)
            self.folder.rmdir()
            shutil.rmtree(f"/run/systemd/nspawn/propagate/{NAME}", ignore_errors=True)


class Machine:
    def __init__(self, root, namespace):
        self.process = Process("machine", [
            *NSPAWN, f"--directory={root.folder}", f"--network-namespace-path=/run/netns/{namespace.name}", f"--capability={CAPABILITIES}",
            "--system-call-filter=bpf perf_event_open", "--console=pipe", "--boot"])
        self.first = self._wait_first()

    def _wait_first(self, timeout=60):
        """Process id of its systemd, once its units are up."""
        end = time.monotonic() + timeout
        while True:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split() if self.process.alive() else []
            for pid in children:
                if self.run("systemctl", "is-system-running", check=False, first=pid).stdout.strip() in ("running", "degraded"):
                    return pid
            if not self.process.alive() or time.monotonic() > end:
                self.stop()
                raise NoSystem(self.process.tail())
            time.sleep(0.2)

    def run(self, *command, check=True, first=None):
        return run("nsenter", f"--target={first or self.first}", "--all", *command, check=check,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"})

    def property(self, name, unit="sallyport"):
        return self.run("systemctl", "show", "-P", name, unit).stdout.strip()

    def wait(self, what, wanted, timeout=30):
        """What what() gives once wanted(it) is true."""
        end = time.monotonic() + timeout
        while not wanted(seen := what()):
            assert time.monotonic() < end, (seen, self.run("journalctl", "--no-pager", "-n", "60", check=False).stdout)
            time.sleep(0.1)
        return seen

    def journal(self):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", "sallyport").stdout

    def stop(self):
        if self.process.alive():
            self.process.stop(60)
