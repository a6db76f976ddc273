# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the built program: exit statuses and what a person reads."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SALLYPORT_BIN", ROOT / "build/dev/bin")) / "sallyport"
BASE = (ROOT / "tests/golden/conf/base.yaml").read_text()


def sallyport(*arguments, directory=None):
    return subprocess.run([str(PROGRAM), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, universal_newlines=True, timeout=30, cwd=directory)


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "x.yaml").write_text(text)
        return tmp_path
    return write


@pytest.mark.parametrize("old, new, place, message", [
    ("calls: 500", "calls: 0", "3:17", "calls: expected a whole number from 1 to 100000, found \"0\""),
    ("calls: 500", "cals: 500", "3:10", "unknown key \"cals\"; known here: calls, capacity, subscriptions"),
    ("profile: plain", "profile: plane", "28:14", "no profile has the name \"plane\""),
    ("ports: 21000", "ports: 20000", "20:37", "ports: 20000-21999 overlaps 20000-20999 of the same address in realm \"access\""),
    ("role: passive", "retry: [sdes]", "31:68", "retry: not yet supported; leave it empty"),
], ids=["value", "key", "name", "overlap", "not-yet"])
@pytest.mark.parametrize("arguments", [("-c", "x.yaml"), ("--check", "x.yaml"), ("--print-config", "-c", "x.yaml")],
                         ids=["run", "check", "print"])
def test_mistake_is_placed_and_nothing_starts(written, arguments, old, new, place, message):
    done = sallyport(*arguments, directory=written(BASE.replace(old, new, 1)))
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == f"x.yaml:{place}: {message}\n"  # and no line of a supervisor


def test_file_is_missing(tmp_path):
    done = sallyport("-c", "none.yaml", directory=tmp_path)
    assert (done.returncode, done.stderr) == (78, "none.yaml: No such file or directory\n")


def test_file_for_another_host(written):
    directory = written(BASE)
    assert sallyport("--check", "--no-host", "x.yaml", directory=directory).returncode == 0
    done = sallyport("--check", "x.yaml", directory=directory)
    assert done.returncode == 78 and done.stderr.startswith("x.yaml:")
    assert sallyport("-c", "x.yaml", directory=directory).returncode == 78
    printed = sallyport("--print-config", "-c", "x.yaml", directory=directory)
    assert printed.returncode == 0
    assert printed.stdout == (ROOT / "tests/golden/conf/base.effective").read_text()


def test_version_names_what_is_linked():
    done = sallyport("--version")
    assert done.returncode == 0 and done.stderr == ""
    for line in (r"sallyport \d", r"wolfSSL 5\.", r"libsrtp2 2\.", r"sofia-sip-1\.12", r"libevent 2\.", r"libyaml 0\.",
                 r"sallyport-relay \d", r"DPDK \d", r"ipsec-mb \d", r"libbpf v\d"):
        assert re.search(f"^{line}", done.stdout, re.M), done.stdout


@pytest.mark.parametrize("arguments", [("--nonsense",), ("extra",), ("--no-host",), ("--check", "a", "b"), ("-c",)])
def test_usage(arguments):
    done = sallyport(*arguments)
    assert done.returncode == 64 and "usage: sallyport" in done.stderr


def test_help():
    done = sallyport("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: sallyport")


def test_control_is_not_for_people():
    done = sallyport("--control")
    assert done.returncode == 1
    assert "supervisor" in done.stderr
