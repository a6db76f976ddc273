# SPDX-License-Identifier: GPL-3.0-or-later
"""The same sources make the same octets, in short: one program built elsewhere, the package made elsewhere. deploy/reproduce does all."""
import os
import shutil
import subprocess

import machine
from lib.gateway import ROOT, binaries

PROGRAM = "sallyportctl"  # the smallest; flags and linker are those of all


def test_a_program_built_elsewhere_is_the_same(tmp_path):
    source, build = tmp_path / "a/folder/of another length", tmp_path / "build"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns("build", ".git", "tests", "docs"))
    shutil.copytree(ROOT / "docs/man", source / "docs/man")
    machine.run("cmake", "-S", source, "-B", build, "--preset", "release", "-DBUILD_TESTING=OFF", timeout=120, cwd=source)
    machine.run("ninja", "-C", build, PROGRAM, timeout=240)
    made = (build / "bin" / PROGRAM).read_bytes()
    assert str(tmp_path).encode() not in made and str(ROOT).encode() not in made
    assert made == (binaries() / PROGRAM).read_bytes()


def test_a_package_made_elsewhere_is_the_same(build, package, tmp_path):
    """Another folder, umask and zone of time. Of cpack's own, the modes that the outer archive names are the umask's: nobody reads them."""
    before = os.umask(0o077)
    try:
        again = machine.pack(build, tmp_path, TZ="Asia/Kathmandu")
    finally:
        os.umask(before)
    for part in ("--ctrl-tarfile", "--fsys-tarfile"):
        first, second = (subprocess.run(["dpkg-deb", part, deb], stdout=subprocess.PIPE, check=True).stdout for deb in (package, again))
        assert first == second, part
