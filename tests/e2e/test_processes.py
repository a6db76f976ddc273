# SPDX-License-Identifier: GPL-3.0-or-later
# Media outlives a crash: each process is killed while two people talk, and what they miss is measured.
import os
import pathlib
import signal
import time

import pytest

from lib.capture import Capture, stream_gaps
from lib.gateway import Gateway, sanitized
from lib.leg import Leg, both_hear, call, report_until_heard


@pytest.fixture
def talking(topology, start):
	"""A running call, DTLS-SRTP to plain, with a capture at the core side."""
	gateway = start(media_timeout=10)
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core, \
	     Capture(topology.core) as wire:
		call(access, core)
		both_hear(access, core)
		yield gateway, access, core, wire


def core_gaps(topology, wire):
	"""Of what the gateway sent to the core phone: {ssrc: (packets, missing, longest silence)}."""
	wire.stop()
	return stream_gaps(wire.media(source=topology.GW["core"]))


def test_control_killed_loses_no_packet(topology, talking):
	gateway, access, core, wire = talking
	since = gateway.mark()
	gateway.kill_child("control")
	gateway.wait_event("child back", 5, since, child="control")
	both_hear(access, core, packets=100, seconds=1.5)
	# the call that it found can still be ended, and ends on the other side
	access.hang_up()
	core.taken_down()
	(_, missing, silence), = core_gaps(topology, wire).values()
	assert missing == 0 and silence < 0.2, (missing, silence)
	died = gateway.wait_event("child back", child="control")
	assert died["after_ms"] < 2000


def test_control_killed_and_new_calls_come(topology, talking):
	gateway, access, core, _ = talking
	since = gateway.mark()
	gateway.kill_child("control")
	gateway.wait_event("child back", 5, since, child="control")
	core.hang_up()
	access.taken_down()
	with Leg(topology, "access", keying="dtls", host=11) as second:
		core.dialog = core.invite = None
		core.media.silence()
		core.media.received.clear()
		call(second, core)
		both_hear(second, core)
		second.hang_up()
		core.taken_down()


def test_control_killed_repeats_no_srtcp_index(topology, start):
	"""Control seals SRTCP. The one that comes after it goes on behind every index that may have been used."""
	gateway = start(rtcp_mux="offer")
	with Leg(topology, "access", keying="dtls", mux=True) as access, Leg(topology, "core", rtcp=True) as core:
		call(access, core)
		both_hear(access, core, packets=30, seconds=0.3)
		for round_ in range(3):
			for _ in range(5):
				report_until_heard(core, access)
			if round_ < 2:
				since = gateway.mark()
				gateway.kill_child("control")
				gateway.wait_event("child back", 5, since, child="control")
		indices = access.media.receiving.rtcp_indices
		assert indices == sorted(set(indices)) and len(indices) >= 15, indices
		access.hang_up()
		core.taken_down()


@pytest.mark.alone
def test_relay_killed_resumes_the_keys(topology, talking, record_property):
	"""The same keys and roll-over counter go on: both sides stay readable. The gap is measured; the goal is 300 ms."""
	gateway, access, core, wire = talking
	since = gateway.mark()
	gateway.kill_child("relay")
	gateway.wait_event("child back", 5, since, child="relay")
	both_hear(access, core, packets=100, seconds=1.5)
	assert access.media.receiving.repeated == 0, "a (key, SSRC, index) was used twice"
	access.hang_up()
	core.taken_down()
	(packets, missing, silence), = core_gaps(topology, wire).values()
	record_property("relay_gap_ms", round(1000 * silence))
	print(f"relay killed: {missing} of {packets + missing} packets missing, gap {1000 * silence:.0f} ms")
	assert silence < 1.0, silence


def test_sigterm_says_bye_to_all(topology, talking):
	gateway, access, core, _ = talking
	began = time.monotonic()
	gateway.process.signal(signal.SIGTERM)
	access.taken_down()
	core.taken_down()
	assert gateway.process.wait(20) == 0
	assert time.monotonic() - began < 10
	gateway.check_clean()


def test_second_signal_ends_at_once(topology, talking):
	gateway, access, core, _ = talking # nobody answers the BYE
	access.phone.close()
	core.phone.close()
	gateway.process.signal(signal.SIGTERM)
	time.sleep(0.3)
	gateway.process.signal(signal.SIGTERM)
	began = time.monotonic()
	gateway.process.wait(10)
	assert time.monotonic() - began < 3.5 # 4.4 s is what it gives to answers to its BYE
	gateway.check_clean()


def test_supervisor_killed(topology, talking):
	"""Its children end, and a new start cleans up what it left."""
	gateway, access, core, _ = talking
	children = [gateway.child("control"), gateway.child("relay")]
	gateway.process.signal(signal.SIGKILL)
	gateway.process.wait(5)
	deadline = time.monotonic() + 3
	while any(pathlib.Path(f"/proc/{pid}").exists() for pid in children):
		assert time.monotonic() < deadline, "the children live on"
		time.sleep(0.02)
	access.media.silence()
	core.media.silence()
	gateway.start()
	with Leg(topology, "access", keying="dtls", host=11) as second, Leg(topology, "core", host=11) as _:
		core.dialog = core.invite = None
		core.media.received.clear()
		call(second, core)
		both_hear(second, core)
		second.hang_up()
		core.taken_down()


def test_second_instance_is_refused(topology, start):
	start()
	other = Gateway(topology, start=False)
	with pytest.raises(AssertionError):
		other.start(10)
	assert other.process.wait(5) != 0
	other._remove()
	assert topology.xdp_programs(), "the first one's XDP program is still there"


@pytest.mark.alone
def test_idle_costs_little(topology, start):
	"""At most 5 % of a core while nobody calls."""
	gateway = start()
	if sanitized():
		return # this build's cost says nothing
	ticks = os.sysconf("SC_CLK_TCK")

	def used(pid):
		fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
		return (int(fields[11]) + int(fields[12])) / ticks

	pids = [gateway.child("relay"), gateway.child("control"), gateway.process.pid]
	time.sleep(1)
	before = sum(map(used, pids))
	time.sleep(4)
	share = (sum(map(used, pids)) - before) / 4
	print(f"idle: {100 * share:.1f} % of a core")
	assert share <= 0.05 + 0.01, f"{100 * share:.1f} %"
