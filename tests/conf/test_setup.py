# SPDX-License-Identifier: GPL-3.0-or-later
"""What deploy/setup takes as a source tarball, and what it says of a machine that has none and cannot fetch."""
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETUP = ROOT / "deploy" / "setup"


def pins():
    lines = (line.partition("=") for line in SETUP.read_text().splitlines())
    return {name: value for name, _, value in lines if name in ("wolfssl_sha256", "srtp_sha256")}


def setup(*arguments, before=(), **environment):
    return subprocess.run([*before, str(SETUP), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=120, env={**os.environ, **environment})


@pytest.mark.parametrize("package, got, pinned, taken, says", [
    ("wolfssl", "5.9.3", "5.9.2", True, "warning: wolfSSL 5.9.2 is no longer offered; taking 5.9.3"),
    ("wolfssl", "5.10.0", "5.9.2", True, "taking 5.10.0"),
    ("wolfssl", "5.9.2", "5.9.2", False, "refused: wolfssl_5.9.2.orig.tar.gz has SHA-256"),
    ("wolfssl", "5.9.1", "5.9.2", False, "pinned is"),
    ("wolfssl", "5.9.0", "5.9.2", False, "refused: wolfSSL 5.9.0 is below 5.9.1"),
    ("wolfssl", "5.8.4", "5.9.2", False, "refused: wolfSSL 5.8.4 is below 5.9.1"),
    ("libsrtp2", "2.6.0", "2.5.0", False, "refused: libsrtp2_2.6.0.orig.tar.gz has SHA-256"),
])
def test_what_the_archive_offers(tmp_path, package, got, pinned, taken, says):
    """The functions of the script, without its last line, which runs it."""
    file = tmp_path / f"{package}_{got}.orig.tar.gz"
    file.write_text("whatever the archive's signature covers")
    script = SETUP.read_text().rpartition('\nmain "$@"')[0]
    done = subprocess.run(["bash", "-c", f'{script}\naccept_fetched "$@"', str(SETUP), str(file),
                           f"{package}_{pinned}.orig.tar.gz", pinned, "0" * 64, package, "suite"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=30)
    assert (done.returncode == 0) is taken and says in done.stdout, done.stdout


def test_nothing_to_build_from(tmp_path):
    """No network, no cache, a wrong file in the folder: what to bring is said, with name and hash, and nothing is installed."""
    folder, prefix = tmp_path / "tarballs", tmp_path / "deps"
    folder.mkdir()
    wrong = folder / "wolfssl_5.9.2.orig.tar.gz"
    wrong.write_text("not this")
    done = setup("--no-packages", "--prefix", prefix, "--tarballs", folder, before=("unshare", "-n"),
                 SALLYPORT_CACHE=str(tmp_path / "cache"), TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert f"warning: {wrong} has not the pinned SHA-256 {pins()['wolfssl_sha256']}; not used" in done.stdout
    assert "Put the file wolfssl_5.9.2.orig.tar.gz" in done.stdout and "--tarballs FOLDER" in done.stdout
    assert not [path for path in prefix.iterdir() if path.name != ".lock"]


def test_check_reports_every_subject():
    done = setup("--check")
    assert done.returncode in (0, 1), done.stdout
    lines = done.stdout.splitlines()
    said = {line.split()[1] for line in lines if line.startswith(("ok", "warn", "fail"))}
    assert said >= {"kernel", "machine", "capabilities", "memlock", "hugepages"}, said
    for line, following in zip(lines, lines[1:] + [""]):
        if line.startswith("fail"):
            assert following.lstrip().startswith("mend: "), f"nothing mends: {line}"


def test_wrong_use():
    done = setup("--nonsense")
    assert done.returncode == 64 and done.stdout.startswith("usage: ")
