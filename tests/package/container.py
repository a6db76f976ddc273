# SPDX-License-Identifier: GPL-3.0-or-later
"""Images and containers by podman, in a store of the test's own, in memory: nothing of the host's is seen or left behind.

    Store(environment)          base(folder), build(...), start(...), healthy(name), stop(name), run(...)
    services()                  the compose file's
    service_options(service)    podman's options for a service of the compose file
"""
import contextlib
import os
import resource
import tempfile
import time
from pathlib import Path

import machine
import yaml
from lib import cleanup
from lib.gateway import ROOT
from lib.process import Process

FULL = os.environ.get("SALLYPORT_FULL") == "1"

BASE = "docker.io/library/debian:bookworm-slim"  # what the container file calls debian:bookworm-slim
ISOLATION = ["--isolation=chroot", "--network=host"]  # building needs no more; the archive is apt's
LIMITS = {"memlock": resource.RLIMIT_MEMLOCK, "nofile": resource.RLIMIT_NOFILE, "core": resource.RLIMIT_CORE, "nproc": resource.RLIMIT_NPROC}
OURS = {"nofile": 65536, "nproc": 16384}  # podman's own are a million, which a host may refuse
RUN_LIMIT = 1800 if FULL else 120


def services():
    return yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]


def limits(wanted=OURS):
    """--ulimit for each; what this host grants nobody is left at what it grants."""
    for name, value in {**OURS, **wanted}.items():
        _, most = resource.getrlimit(LIMITS[name])
        if most != resource.RLIM_INFINITY:
            value = most if value == -1 else min(value, most)
        yield f"--ulimit={name}={value}:{value}"


def service_options(service, volumes):
    """As compose would start it; volumes: what stands for each of its sources."""
    options = [f"--cap-drop={name}" for name in service["cap_drop"]] + [f"--cap-add={name}" for name in service["cap_add"]]
    options += ["--security-opt=" + word.replace("no-new-privileges:true", "no-new-privileges").replace(":", "=")
                for word in service["security_opt"]]
    options += ["--read-only", "--read-only-tmpfs=false"] * service["read_only"] + [f"--tmpfs={path}" for path in service["tmpfs"]]
    for volume in service["volumes"]:
        source, target = volume.split(":")
        options.append(f"--volume={volumes[source]}:{target}")
    return [*options, *limits(service["ulimits"]), f"--stop-timeout={service['stop_grace_period'].rstrip('s')}"]


class Store:
    def __init__(self, environment):
        self.folder, self.environment = Path(tempfile.mkdtemp(prefix="spc-")), environment
        folder = self.folder  # podman takes a path of 50 octets at most
        self.podman = ["podman", f"--root={folder}/store", f"--runroot={folder}/run", f"--tmpdir={folder}/tmp", "--storage-driver=overlay",
                       "--cgroup-manager=cgroupfs", "--runtime=runc", "--events-backend=none"]  # crun refuses cgroups of both versions at once
        machine.run("mount", "-t", "tmpfs", "-o", f"size={8000 if FULL else 1500}M,mode=755", "tmpfs", folder)
        self._handle = cleanup.register(self.delete)

    def run(self, *words, check=True, **more):
        return machine.run(*self.podman, *words, check=check, timeout=RUN_LIMIT, env=self.environment, **more)

    def base(self, root):
        """A Debian's folder as the image that the container file begins with."""
        archive = self.folder / "base.tar"
        machine.run("tar", "--one-file-system", "-C", root, "-cf", archive, ".")
        self.run("import", archive, BASE)
        archive.unlink()

    def build(self, name, file, context, *options):
        tarballs = os.environ.get("SALLYPORT_TARBALLS")
        options += tuple([f"--volume={os.path.realpath(tarballs)}:/src/deploy/tarballs:ro"] if FULL and tarballs else [])
        self.run("build", "--format=docker", "--layers=false", "--pull-never", *ISOLATION, *limits(), *options, f"--file={file}",
                 f"--tag={name}", context)

    def start(self, name, image, *options):
        """In the foreground, so that its lines and its end are the process's."""
        return Process(name, [*self.podman, "run", "--rm", f"--name={name}", *options, image], env=self.environment)

    def healthy(self, name, timeout=60):
        """Once the image's own check says so."""
        end = time.monotonic() + timeout
        while (done := self.run("healthcheck", "run", name, check=False)).returncode != 0:
            assert time.monotonic() < end, done
            time.sleep(0.5)

    def stop(self, name):
        """The image's signal, and the end that it has until then; does not wait."""
        return Process("stop", [*self.podman, "stop", name], env=self.environment)

    def delete(self):
        cleanup.done(self._handle)
        self.run("rm", "--all", "--force", "--time=0", check=False)
        machine.run("umount", "--recursive", "--lazy", self.folder, check=False)
        for group in sorted(Path("/sys/fs/cgroup").glob("*/libpod_parent/**"), reverse=True):
            with contextlib.suppress(OSError):  # another's containers are in it
                group.rmdir()
        self.folder.rmdir()
