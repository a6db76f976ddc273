# SPDX-License-Identifier: GPL-3.0-or-later
# The wall's clock is stepped by an hour, back and forward, in set-up and in mid-call: handshakes, keys, media and its timeouts notice
# nothing, only the log does. The processes are given a clock of their own (tests/support/wall_clock.c).
import datetime
import struct
import subprocess
import time

import pytest

from lib.gateway import ROOT, sanitized
from lib.leg import Leg, both_hear


@pytest.fixture
def clock(shared_folder, monkeypatch):
	"""clock(seconds): the wall's clock of what is started from now on stands so far from ours."""
	if sanitized():
		pytest.skip("a sanitizer's library must be the first")
	library, shared = shared_folder / "wall_clock.so", shared_folder / "ahead"
	subprocess.run(["cc", "-shared", "-fPIC", "-O1", f"-I{ROOT}", "-o", library, ROOT / "tests/support/wall_clock.c"], check=True)
	shared.write_bytes(bytes(8))
	monkeypatch.setenv("LD_PRELOAD", str(library))
	monkeypatch.setenv("WALL_CLOCK", str(shared))

	def step(seconds):
		with shared.open("r+b") as file:
			file.write(struct.pack("=q", seconds))
	return step


def told(event):
	said = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
	return (said - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


@pytest.mark.parametrize("role", ["active", "passive"])
def test_stepped_in_handshake_and_call(topology, start, clock, role):
	gateway = start(calls=20, media_timeout=5, keying_timeout=8)
	with Leg(topology, "access", keying="dtls", role=role) as access, Leg(topology, "core") as core:
		access.dial()
		core.ring()
		clock(-3600)
		core.pick_up()
		response = access.phone.wait_response(access.dialog.cseq)
		access.phone.confirm(access.dialog, response)
		time.sleep(0.5)         # our hellos find nobody yet, and are sent again; or there is none to wait for
		clock(3600)
		access.take_answer(response.body)
		for leg in (access, core):
			leg.secured()
			leg.talk()
		both_hear(access, core)
		assert gateway.wait_event("line secured", leg="access")["dtls_role"] == ("passive" if role == "active" else "active")
		for seconds in (-3600, 3600):
			clock(seconds)
			both_hear(access, core)
		access.hang_up()
		core.taken_down()
		ended = gateway.wait_event("call ended")
		assert ended["cause"] == "BYE" and abs(told(ended) - 3600) < 60 and 0 < ended["duration_ms"] < 60000
		assert not gateway.events("keying failed") and not gateway.events("media silent")
