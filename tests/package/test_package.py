# SPDX-License-Identifier: GPL-3.0-or-later
"""The package and its unit, as Debian's and systemd's own programs judge them."""
import os
import re

import machine
import pytest
from lib.gateway import ROOT

# Of 10, by systemd-analyze: docs/operations.md says what is left, and why.
EXPOSURE = 3.5


def test_lintian_is_content(package):
    """With what deploy/debian/lintian-overrides says, and why; each of those is still needed."""
    done = machine.run("lintian", "--fail-on", "none", "--show-overrides", package, check=False,
                       env=dict(os.environ, LC_ALL="C.UTF-8"), timeout=120)
    told = [line for line in done.stdout.splitlines() if line[:2] in ("E:", "W:")]
    assert done.returncode == 0 and not told, done.stdout + done.stderr
    text = (ROOT / "deploy/debian/lintian-overrides").read_text()
    wanted = {line.split()[0] for line in text.splitlines() if not line.startswith("#")}
    assert wanted == {line.split()[2] for line in done.stdout.splitlines() if line.startswith("O:")}, done.stdout


@pytest.fixture(scope="module")
def unit(package, tmp_path_factory):
    """The unit's file as it is in the package, with the programs that it names."""
    folder = tmp_path_factory.mktemp("unpacked")
    machine.run("dpkg-deb", "-x", package, folder)
    return folder / "usr/lib/systemd/system/sallyport.service"


def test_unit_is_understood(unit, tmp_path):
    """No word of it is ignored, and every program is there."""
    here = tmp_path / "sallyport.service"
    here.write_text(unit.read_text().replace("=/usr/bin/sallyport ", f"={unit.parents[4]}/usr/bin/sallyport "))
    done = machine.run("systemd-analyze", "verify", "--man=no", here, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_mistake_in_the_unit_is_seen(unit, tmp_path):
    wrong = tmp_path / "wrong.service"
    wrong.write_text(unit.read_text().replace("SystemCallFilter=@system-service", "SystemCallFilter=@nothing"))
    assert "Unknown system call group" in machine.run("systemd-analyze", "verify", "--man=no", wrong, check=False).stderr


def exposure(path):
    done = machine.run("systemd-analyze", "security", "--offline=true", "--no-pager", path, check=False)
    return float(re.search(r"exposure level for .*: ([\d.]+)", done.stdout)[1])


def test_unit_exposes_little(unit, tmp_path):
    assert exposure(unit) <= EXPOSURE
    assert f"{EXPOSURE} of 10" in (ROOT / "docs/operations.md").read_text()
    softer = tmp_path / "sallyport.service"
    softer.write_text(unit.read_text().replace("ProtectSystem=strict\n", "").replace("NoNewPrivileges=yes\n", ""))
    assert exposure(softer) > EXPOSURE
