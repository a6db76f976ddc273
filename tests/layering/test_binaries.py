# SPDX-License-Identifier: GPL-3.0-or-later
"""The shipped executables are hardened, and the check would see each thing that they lack."""
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import hardening  # noqa: E402

SHIPPED = ["-O2", "-fPIE", "-pie", "-fstack-protector-strong", "-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=2",
           "-Wl,-z,relro,-z,now,-z,noexecstack"]
SOURCE = """
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) { char name[64]; strcpy(name, argv[argc - 1]); printf("%s\\n", name); return 0; }
"""


@pytest.mark.skipif("SALLYPORT_BIN" not in os.environ, reason="SALLYPORT_BIN is not set: nothing built to look at")
@pytest.mark.parametrize("name", ["sallyport", "sallyport-relay", "sallyportctl"])
def test_shipped(name):
    if os.environ.get("SALLYPORT_PRESET", "release") != "release":
        pytest.skip("not the build that is shipped")
    assert list(hardening.check(Path(os.environ["SALLYPORT_BIN"]) / name)) == []


def compiled(folder, flags):
    (folder / "a.c").write_text(SOURCE)
    subprocess.run(["cc", *flags, "-o", folder / "a", folder / "a.c"], check=True, stderr=subprocess.DEVNULL)
    return folder / "a"


needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")


@needs_compiler
def test_a_hardened_program_passes(tmp_path):
    assert list(hardening.check(compiled(tmp_path, SHIPPED))) == []
    assert list(hardening.check(tmp_path / "nowhere")) == ["not there"]


LACKING = [
    (["-fno-pie", "-no-pie"], "not position-independent"),
    (["-Wl,-z,norelro"], "no RELRO"),
    (["-Wl,-z,lazy"], "bound lazily"),
    (["-Wl,-z,execstack"], "executable stack"),
    (["-fno-stack-protector"], "no stack protector"),
    (["-U_FORTIFY_SOURCE"], "not fortified"),
    (["-Wl,-rpath,/tmp"], "/tmp"),
]


@needs_compiler
@pytest.mark.parametrize("flags,what", LACKING)
def test_what_lacks_is_seen(tmp_path, flags, what):
    found = list(hardening.check(compiled(tmp_path, SHIPPED + flags)))
    assert any(what in line for line in found), found


@needs_compiler
def test_memory_written_and_executed_is_seen(tmp_path):
    binary = compiled(tmp_path, SHIPPED)
    image = bytearray(binary.read_bytes())
    table, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for at in range(table, table + size * count, size):
        kind, flags = struct.unpack_from("<II", image, at)
        if kind == 1 and flags & 1:  # the code's segment: writable from now on
            struct.pack_into("<I", image, at + 4, flags | 2)
    binary.write_bytes(image)
    found = list(hardening.check(binary))
    assert len(found) == 1 and "written and executed" in found[0], found


@needs_compiler
@pytest.mark.parametrize("mode,what", [(0o4755, "setuid"), (0o757, "anybody")])
def test_wrong_mode_is_seen(tmp_path, mode, what):
    binary = compiled(tmp_path, SHIPPED)
    binary.chmod(mode)
    found = list(hardening.check(binary))
    assert len(found) == 1 and what in found[0], found
