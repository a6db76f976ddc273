# SPDX-License-Identifier: GPL-3.0-or-later
"""What deploy/setup takes as a source tarball, and what it says of a machine that has none and cannot fetch."""
import hashlib
import os
import shutil
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


def function(command, *arguments, **environment):
    """A command among the functions of the script, without its last line, which runs it."""
    script = SETUP.read_text().rpartition('\nmain "$@"')[0]
    return subprocess.run(["bash", "-c", f"{script}\n{command}", str(SETUP), *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, universal_newlines=True, timeout=30, env={**os.environ, **environment})


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
    file = tmp_path / f"{package}_{got}.orig.tar.gz"
    file.write_text("whatever the archive's signature covers")
    done = function('accept_fetched "$@"', file, f"{package}_{pinned}.orig.tar.gz", pinned, "0" * 64, package, "suite")
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


def test_packages_whose_command_is_there(tmp_path):
    (tmp_path / "packages.txt").write_text("# a b c\na build\nb test sh\nc test no-such-command\nd run no-such-command\ne doc\n")
    assert function('here=$1; wanted_packages', tmp_path).stdout.split() == ["a", "c", "d"]


PLAYWRIGHT = """
prefix=$1/deps; tarballs=$1/tarballs; cache=$1/cache; work=$1/work; playwright_version=1.2.3; playwright_sha256=$2
mkdir -p "$prefix" "$work"
install_playwright"""


def playwright(folder, sha256, npm="exit 1"):
    """Sets up Playwright 1.2.3 with an npm of ours."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/npm").write_text(f"#!/bin/sh\n{npm}\n")
    (folder / "bin/npm").chmod(0o755)
    done = function(PLAYWRIGHT, folder, sha256, PATH=f"{folder / 'bin'}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def packed(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package/package.json").write_text("{}")
    file = tmp_path / "playwright-core-1.2.3.tgz"
    subprocess.run(["tar", "czf", file, "-C", tmp_path, "package"], check=True)
    return file


def test_playwright_is_kept(tmp_path, packed):
    """From npm, whose tarball is kept: the next time npm need not be there; and what is installed is not installed again."""
    sha256, there = hashlib.sha256(packed.read_bytes()).hexdigest(), tmp_path / "deps/lib/node_modules/playwright-core"
    fetch = f'[ "$1 $6" = "pack playwright-core@1.2.3" ] && cp {packed} "$5"'
    assert "playwright 1.2.3: installed" in playwright(tmp_path, sha256, fetch) and (there / "package.json").exists()
    assert "playwright 1.2.3: there" in playwright(tmp_path, sha256)
    shutil.rmtree(tmp_path / "deps")
    assert "playwright 1.2.3: installed" in playwright(tmp_path, sha256) and (there / "package.json").exists()


@pytest.mark.parametrize("offered", [False, True], ids=["no npm", "another content"])
def test_without_playwright(tmp_path, packed, offered):
    """The page's tests will say so; everything else is set up."""
    said = playwright(tmp_path, "0" * 64, f'cp {packed} "$5"' if offered else "exit 1")
    assert "warning: there is no Playwright" in said and "Put the file playwright-core-1.2.3.tgz" in said
    assert ("refused: playwright-core-1.2.3.tgz has SHA-256" in said) is offered
    assert not (tmp_path / "deps/lib").exists()


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
