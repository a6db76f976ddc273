# SPDX-License-Identifier: GPL-3.0-or-later
# Threat D6 and its kin: forged DTLS at a call that is keyed, at a handshake that runs, and at a port that was another call's. DTLS 1.2,
# since libssl is the peer; the same with 1.3 is tests/unit/test_dtls_attack.c.
import os
import time

import pytest

from lib import dtls, dtls_hello, netns
from lib.attacker import Attacker
from lib.capture import Capture, Rtp
from lib.dtls_hello import handshake, record
from lib.dtls_stranger import Stranger, drops_of, ringing
from lib.leg import Leg, both_hear, call, certificate
from lib.phone import Sdp

FULL = os.environ.get("SALLYPORT_FULL") == "1"
TIMES = 1000
PLAIN = { # nothing of it is protected
	"fatal alert": record(21, b"\x02\x28"),
	"close_notify": record(21, b"\x01\0"),
	"HelloRequest": record(22, handshake(0, b"")),
	"ClientHello": dtls_hello.dtls12(),
	"ClientHello of 1.3": dtls_hello.dtls13(),
	"ClientHello of nothing": dtls_hello.null_suite(),
	"ChangeCipherSpec": record(20, b"\x01"),
	"application data": record(23, b"oops"),
}
PROTECTED = { # so they say
	"alert of epoch 1": record(21, bytes(24), epoch=1, sequence=900),
	"application data of epoch 1": record(23, bytes(60), epoch=1, sequence=901),
	"handshake of epoch 1": record(22, bytes(60), epoch=1, sequence=902),
	"the last sequence number": record(23, bytes(60), epoch=1, sequence=2**48 - 1),
	"epoch 2": record(22, bytes(60), epoch=2),
}


@pytest.fixture
def topology():
	with netns.Topology(attacker=True) as made:
		yield made


def missing(media, since):
	"""Sequence numbers that did not come."""
	numbers = [Rtp(packet).sequence for _, packet in media.received[since:]]
	return sum(((b - a) & 0xFFFF) - 1 for a, b in zip(numbers, numbers[1:]))


def end(access, core):
	core.hang_up()
	access.taken_down()


def test_what_is_missing_is_seen(topology, start):
	"""Positive control of the gap, and of the association's end: what is authentic is believed."""
	start()
	with Leg(topology, "access", keying="dtls", role="active") as access, Leg(topology, "core") as core:
		call(core, access)
		both_hear(access, core, packets=20, seconds=0.2)
		since = len(core.media.received)
		access.media.sequence += 7
		both_hear(access, core, packets=20, seconds=0.2)
		assert missing(core.media, since - 10) == 7
		access.media.endpoint.close()
		end(access, core)


@pytest.mark.parametrize("role", ["active", "passive"])
def test_forgeries_at_a_live_call(topology, start, role):
	"""Each a thousand times, in the phone's name and in the attacker's own."""
	gateway = start()
	with Leg(topology, "access", keying="dtls", role=role) as access, Leg(topology, "core") as core, \
	     Attacker(topology) as attacker:
		call_id = call(core, access)
		both_hear(access, core, packets=20, seconds=0.2)
		since = [len(leg.media.received) for leg in (access, core)]
		target, phone = access.media.remote, (access.address, access.media.port)
		with Capture(topology.access, "net0", f"udp and src host {target[0]} and src port {target[1]} and udp[8] < 64") as wire:
			for forged in (*PLAIN.values(), *PROTECTED.values()):
				attacker.flood([forged] * TIMES, target, phone, rate=12000)
				attacker.flood([forged] * TIMES, target, rate=12000)
			both_hear(access, core)
			wire.stop()
			assert not list(wire.media(kind="dtls")), "not a word in answer"
		assert [missing(leg.media, at) for leg, at in zip((access, core), since)] == [0, 0]
		assert not access.media.endpoint.closed and not [m for m in access.phone.messages if m.method == "BYE"]
		end(access, core)
		deadline = time.monotonic() + 3
		while not access.media.endpoint.closed and time.monotonic() < deadline:
			time.sleep(0.02)
		assert access.media.endpoint.closed, "the gateway's close_notify: its association was alive to the end"
		assert not attacker.received()
	summary = gateway.wait_event("media summary", call_id=call_id, leg="access")
	drops = drops_of(summary)
	print(drops)
	assert drops["dtls_forged"] >= TIMES * len(PLAIN) and drops["dtls_refused"] >= TIMES * len(PROTECTED), drops
	assert drops["dtls_stale"] >= TIMES * (len(PLAIN) + len(PROTECTED)), drops


def test_an_alert_breaks_a_handshake_that_believes_it():
	"""Positive control of the next."""
	victim = dtls.Endpoint(certificate(), active=True)
	victim.start()
	victim.poll()
	victim.feed(PLAIN["fatal alert"])
	assert victim.failed


def test_forged_answers_to_our_hello(topology, start):
	"""We are active; the phone is slow. Others answer first: from elsewhere with all that a server says, in its name with alerts."""
	gateway = start()
	server = dtls.Endpoint(certificate("stranger"), active=False)
	server.feed(dtls_hello.dtls12())
	flight = server.poll()
	verify = record(22, handshake(3, b"\xfe\xff\x08" + bytes(8)), version=b"\xfe\xff")
	with Leg(topology, "access", keying="dtls", role="passive") as access, Leg(topology, "core") as core, \
	     Attacker(topology) as attacker:
		core.dial()
		begin, access._begin_dtls = access._begin_dtls, lambda active: None
		access.pick_up()
		core.dialled_answer()
		target, phone = access.media.remote, (access.address, access.media.port)
		time.sleep(0.3) # its hello is out, and out again
		attacker.flood([verify, *flight, *PLAIN.values(), *PROTECTED.values()] * 50, target, rate=10000)
		attacker.flood([PLAIN[name] for name in ("fatal alert", "close_notify", "HelloRequest", "ClientHello", "ChangeCipherSpec",
							 "application data")] * 50, target, phone, rate=10000)
		begin(False)
		access.secured(8)
		access.talk()
		core.talk()
		both_hear(access, core)
		end(access, core)
		assert not attacker.received()
	summary = gateway.wait_event("media summary", call_id=core.dialog.call_id, leg="access")
	drops = drops_of(summary)
	print(drops)
	assert drops["dtls_stale"] >= 50 * len(flight) and drops["dtls_alert"] >= 100 and drops["dtls_forged"] >= 200


@pytest.mark.skipif(not FULL, reason="a port rests 60 s; tests/unit/test_media_parked.c has it with a clock of its own")
def test_a_port_that_was_another_calls(topology, start):
	"""A stranger's handshake was parked there. In the next call of that port even his signalled fingerprint finds nothing, until he
	shakes hands anew (positive control)."""
	gateway = start(ports="20000-20001", keying_timeout=8)
	access, core, invite = ringing(topology)
	target = Sdp(invite.body).remote()
	stranger = Stranger(topology, target)
	assert stranger.shake_hands()
	core.phone.cancel(core.dialog)
	cancelled = access.phone.wait_request("CANCEL")
	access.phone.answer(cancelled, 200, "OK")
	access.phone.answer(invite, 487, "Request Terminated")
	core.phone.wait_response(core.dialog.cseq)
	gateway.wait_event("media summary", call_id=core.dialog.call_id, leg="access")
	access.close()
	core.close()
	deadline = time.monotonic() + 75
	while True: # the port rests a while
		access, core = Leg(topology, "access", keying="dtls", role="active",
				   signalled_fingerprint=certificate("stranger").fingerprint), Leg(topology, "core")
		core.dial()
		try:
			invite = access.ring(1)
			break
		except AssertionError:
			assert time.monotonic() < deadline
			access.close()
			core.close()
	assert Sdp(invite.body).remote() == target, "the same port"
	access._begin_dtls = lambda active: None
	access.dialog = access.phone.accept(invite, access.begin_answer(invite.body))
	core.dialled_answer()
	core.talk()
	for datagram in stranger.endpoint.close():
		stranger.socket.sendto(datagram, target)
	stranger.listen(1)
	assert not stranger.media and not gateway.events("line secured", leg="access")
	again = Stranger(topology, target)
	assert again.shake_hands()
	again.listen(0.5)
	assert again.media and gateway.events("line secured", leg="access")
	end(access, core)
	for one in (access, core, stranger, again):
		one.close()
