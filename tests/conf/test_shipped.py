# SPDX-License-Identifier: GPL-3.0-or-later
"""Every shipped configuration is accepted by the built program, on a host that has what it names, and prints back to itself."""
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SALLYPORT_BIN", ROOT / "build/dev/bin")) / "sallyport"
SHIPPED = sorted((ROOT / "conf").glob("*.yaml"))
NETNS = f"conf-{os.getpid()}"


def run(*command):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, timeout=30)


def sallyport(*arguments):
    return run("ip", "netns", "exec", NETNS, PROGRAM, *arguments)


@pytest.fixture
def host():
    """An empty network namespace; call it with a configuration's text to get the interfaces and addresses that it names."""
    assert run("ip", "netns", "add", NETNS).returncode == 0

    def give(text):
        interface = None
        for name, address in re.findall(r"^[^#\n]*?\binterface: (\w+)|^[^#\n]*?\baddress: \"?([0-9a-f.:]+)", text, re.M):
            if name:
                interface = name
                run("ip", "-n", NETNS, "link", "add", name, "type", "veth", "peer", "name", name + "-peer")
                run("ip", "-n", NETNS, "link", "set", name + "-peer", "up")
                run("ip", "-n", NETNS, "link", "set", name, "up")
            elif interface:
                run("ip", "-n", NETNS, "address", "add", address + ("/64" if ":" in address else "/24"), "dev", interface, "nodad")

    yield give
    run("ip", "netns", "delete", NETNS)


def test_something_is_shipped():
    assert {path.name for path in SHIPPED} >= {"sallyport.yaml", "minimal.yaml", "demo.yaml"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_accepted_and_printed_back(path, host, tmp_path):
    host(path.read_text())
    checked = sallyport("-c", path, "--check")
    assert checked.returncode == 0, checked.stderr
    printed = sallyport("-c", path, "--print-config")
    assert printed.returncode == 0, printed.stderr
    again = tmp_path / "printed.yaml"
    again.write_text(printed.stdout)
    assert sallyport("-c", again, "--check").returncode == 0
    assert sallyport("-c", again, "--print-config").stdout == printed.stdout


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_refused_on_a_host_without_its_interfaces(path, host):
    checked = sallyport("-c", path, "--check")
    assert checked.returncode == 78, checked.stderr
    assert re.match(rf"{re.escape(str(path))}:\d+:\d+: ", checked.stderr), checked.stderr


def test_refused_with_an_unknown_key(host, tmp_path):
    text = (ROOT / "conf/minimal.yaml").read_text()
    host(text)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("    profile: secure\n", "    profil: secure\n", 1))
    line = wrong.read_text().split("profil:")[0].count("\n") + 1
    checked = sallyport("-c", wrong, "--check")
    assert checked.returncode == 78
    assert f"wrong.yaml:{line}:5: " in checked.stderr, checked.stderr


def test_version_names_what_is_linked():
    printed = run(PROGRAM, "--version")
    assert printed.returncode == 0
    for part in ("sallyport ", "wolfSSL 5.", "libsrtp2 2.5.0", "Sofia-SIP", "jansson 2."):
        assert part.lower() in printed.stdout.lower(), printed.stdout
