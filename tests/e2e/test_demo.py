# SPDX-License-Identifier: GPL-3.0-or-later
# The demo, run as a newcomer does: all is well, programs can read it, and it leaves nothing behind, also when interrupted.
import json
import os
import pathlib
import signal
import subprocess
import time

from lib.gateway import ROOT, binaries
from lib.netns import PREFIX, run

DEMO = str(ROOT / "deploy" / "demo")


def begin(*options):
	environment = {**os.environ, "SALLYPORT_BIN": str(binaries())} # else it would build
	return subprocess.Popen([DEMO, *options], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
				stderr=subprocess.PIPE, text=True, start_new_session=True)


def namespaces(demo):
	"""Of this very demo: names carry the process id."""
	names = (line.split()[0] for line in run("ip", "netns", "list").stdout.splitlines() if line.strip())
	return [name for name in names if name.startswith(f"{PREFIX}{demo.pid}x")]


def processes(names):
	return [int(pid) for name in names for pid in run("ip", "netns", "pids", name, check=False).stdout.split()]


def pinned():
	return {str(path) for path in pathlib.Path("/sys/fs/bpf").rglob("*sallyport*")}


def test_all_is_well_and_nothing_is_left():
	before = pinned()
	demo = begin("--json", "--quiet", "--seconds", "3")
	out, err = demo.communicate(timeout=90)
	assert demo.returncode == 0, out + err
	result = json.loads(out.splitlines()[-1])
	assert result["ok"] is True and len(result["calls"]) == 2
	for call in result["calls"]:
		assert call["established"] and call["audio_ok_a2c"] and call["audio_ok_c2a"]
		assert call["plain_rtp_on_access"] is False
		access, core = call["access"], call["core"]
		assert (access["keying"], access["dtls_version"]) == ("dtls-srtp", "1.2") and access["suite"]
		assert core["keying"] == "none"
		for leg in (access, core):
			assert leg["packets_in"] > 50 and leg["packets_out"] > 50 and leg["drops"] >= 0
	assert not namespaces(demo) and pinned() == before


def test_interrupted():
	demo = begin()
	for line in demo.stdout:
		if line.startswith("Call 1"):
			break
	names = namespaces(demo)
	inside = processes(names)
	assert len(names) == 3 and len(inside) >= 4, (names, inside) # three of the gateway, a phone at least
	os.killpg(demo.pid, signal.SIGINT) # as a terminal's Ctrl-C does
	out, err = demo.communicate(timeout=30)
	assert demo.returncode == 130, out + err
	assert not namespaces(demo)
	deadline = time.monotonic() + 2
	while left := [pid for pid in inside if pathlib.Path(f"/proc/{pid}").exists()]:
		assert time.monotonic() < deadline, left
		time.sleep(0.02)
