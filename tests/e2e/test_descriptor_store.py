# SPDX-License-Identifier: GPL-3.0-or-later
# The supervisor itself is killed under a service manager that keeps its descriptors: the calls go on.
import os
import pathlib
import signal
import sys

from lib.capture import Capture, stream_gaps
from lib.gateway import ROOT, Gateway, binaries
from lib.leg import Leg, both_hear, call
from lib.process import Process


def supervisor(manager):
	"""The manager's child."""
	children = pathlib.Path(f"/proc/{manager}/task/{manager}/children").read_text().split()
	assert len(children) == 1, children
	return int(children[0])


def test_supervisor_killed_and_calls_go_on(topology, record_property):
	gateway = Gateway(topology, start=False)
	try:
		gateway.process = Process("service manager", topology.gw.command(
			sys.executable, str(ROOT / "tests/support/service_manager.py"), str(binaries() / "sallyport"), "-c",
			str(gateway.file)), die_signal=signal.SIGTERM)
		gateway.wait_event("gateway ready", 20)
		with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core, \
		     Capture(topology.core) as wire:
			call(access, core)
			both_hear(access, core)
			since = gateway.mark()
			os.kill(supervisor(gateway.process.pid), signal.SIGKILL)
			gateway.wait_event("gateway ready", 20, since)
			assert gateway.wait_event("regions", 1, since)["kept"] is True
			both_hear(access, core, packets=100, seconds=1.5) # the same keys, without a word of signalling
			assert access.media.receiving.repeated == 0, "a (key, SSRC, index) was used twice"
			access.hang_up()
			core.taken_down()
			wire.stop()
			(packets, missing, silence), = stream_gaps(wire.media(source=topology.GW["core"])).values()
			record_property("supervisor_gap_ms", round(1000 * silence))
			print(f"supervisor killed: {missing} of {packets + missing} packets missing, gap {1000 * silence:.0f} ms")
		assert gateway.stop() == 0 # and what it had stored was taken back
	finally:
		gateway._remove()
