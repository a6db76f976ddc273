# SPDX-License-Identifier: GPL-3.0-or-later
# sallyportctl against a running gateway: what it prints, and how it exits.
import json
import os
import subprocess

from lib.admin import TOKENS
from lib.gateway import binaries
from lib.leg import Leg


def ctl(topology, *arguments, token="viewer", expect=0, **environment):
	environment = dict(os.environ, **environment)
	environment.pop("SALLYPORT_TOKEN", None)
	if token is not None:
		environment["SALLYPORT_TOKEN"] = TOKENS.get(token, token)
	done = subprocess.run(topology.gw.command(str(binaries() / "sallyportctl"), *arguments), env=environment, capture_output=True, timeout=30)
	assert done.returncode == expect, done
	assert all(octet in b"\n" or 0x20 <= octet < 0x7f for octet in done.stdout), done.stdout
	return done.stdout.decode() + done.stderr.decode()


def test_commands(topology, managed):
	text = ctl(topology, "status")
	assert "running, ready" in text and "calls 0 of 4000" in text and "access" in text and "DTLS-SRTP" in text
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		access.dial()
		core.pick_up()
		access.dialled_answer()
		access.secured()
		access.talk()
		rows = json.loads(ctl(topology, "calls", "--json", "--realm", "core", "--limit", "5"))["calls"]
		number = str(rows[0]["id"])
		assert number in ctl(topology, "calls") and "up" in ctl(topology, "calls", "--state", "up")
		ways = {"core": "nothing_comes", "access": "flows"}
		managed.wait(f"/v1/calls/{number}", lambda c: {w["from"]: w["reason"] for w in c["media"]} == ways, 20)
		text = ctl(topology, "call", number)
		for piece in ("dtls-srtp, secured", access.dialog.call_id, core.dialog.call_id, "core -> access, line 0: nothing_comes",
			      "access -> core, line 0: flows", "No packet has come from core", access.fingerprint.split()[1].upper()):
			assert piece in text, (piece, text)
		assert json.loads(ctl(topology, "call", number, "--json"))["legs"]
		assert "may not do that" in ctl(topology, "hangup", number, expect=1)
		assert "ending" in ctl(topology, "hangup", number, token="operator")
		access.taken_down()
		core.taken_down()
	managed.wait("/v1/calls", lambda c: c["calls"] == [])
	assert "no such call" in ctl(topology, "hangup", number, token="operator", expect=1)
	assert "info" in ctl(topology, "log") and "debug" in ctl(topology, "log", "debug", token="operator")
	assert "sallyport" in ctl(topology, "status") and "version" in ctl(topology, "version")


def test_exit_statuses(topology, managed, tmp_path):
	assert "bearer token is needed" in ctl(topology, "status", token="nobody-nobody-nobody", expect=1)
	assert "usage" in ctl(topology, expect=2) and "usage" in ctl(topology, "a", "b", "c", expect=2)
	for wrong in (("brew",), ("call",), ("call", "x"), ("hangup", "1;2"), ("log", "{}"), ("status", "--nonsense"), ("-t", "/nonexistent", "status")):
		token = None if wrong[0] == "-t" else "viewer"
		assert ctl(topology, *wrong, token=token, expect=2)
	assert "cannot connect" in ctl(topology, "-a", "127.0.0.1:1", "status", expect=3)
	assert "cannot connect" in ctl(topology, "status", expect=3, SALLYPORT_ADDRESS=f"unix:{tmp_path}/nothing")
	(tmp_path / "token").write_text(TOKENS["viewer"] + "\n")
	assert "running" in ctl(topology, "-t", str(tmp_path / "token"), "status", token=None)
