# SPDX-License-Identifier: GPL-3.0-or-later
# Threat D1: strangers at the media ports while calls are set up, with hellos that broke others, in bulk, and with handshakes of
# their own that are faster than the phone's. SALLYPORT_FULL=1: 10,000 hellos a second for 60 s, 200 calls.
import os
import time

import pytest

from lib import dtls, dtls_hello, netns
from lib.capture import Capture
from lib.dtls_flood import Flood
from lib.dtls_stranger import Stranger, drops_of, ringing
from lib.gateway import sanitized
from lib.leg import Leg, both_hear, certificate
from lib.phone import Sdp

FULL = os.environ.get("SALLYPORT_FULL") == "1"
PORTS = range(20000, 21024 if FULL else 20064) # few, so that many hellos meet each; but a port rests 60 s after its call
RINGING = 0.1 if FULL else 0.2 # seconds; the port is open to anyone in that time


@pytest.fixture
def topology():
	with netns.Topology(attacker=True) as made:
		yield made


@pytest.fixture
def gateway(start):
	return start(ports=f"{PORTS[0]}-{PORTS[-1]}")


def everywhere(topology):
	return [(topology.gateway("access"), port) for port in PORTS]


def set_up(topology, number):
	"""One call, either way round, the phone active; seconds from answer to keys at both ends."""
	with Leg(topology, "access", keying="dtls", role="active") as access, \
	     Leg(topology, "core") as core:
		caller, callee = (core, access) if number % 2 else (access, core)
		caller.dial()
		try:
			callee.ring()
		except AssertionError as missed:
			raise AssertionError(f"{missed}; the caller has {caller.phone.messages}") from None
		time.sleep(RINGING)
		began = time.monotonic()
		callee.pick_up()
		caller.dialled_answer()
		access.secured()
		took = time.monotonic() - began
		assert not [m for leg in (access, core) for m in leg.phone.messages if m.method == "BYE"]
		caller.hang_up()
		callee.taken_down()
	return took


def set_up_many(topology, n):
	return sorted(set_up(topology, number) for number in range(n))


def plain_alerts(wire, target):
	"""Alerts of the gateway that are not protected."""
	return [d for d in wire.media(source="10.10.0.1", target=target, kind="dtls") if d.payload[0] == 21 and d.payload[3:5] == b"\0\0"]


def test_a_null_hello_breaks_an_endpoint_that_believes_it():
	"""Positive control of the spray: this is what ended calls elsewhere."""
	victim, client = dtls.Endpoint(certificate(), active=False), dtls.Endpoint(certificate(), active=True)
	victim.feed(dtls_hello.null_suite())
	assert victim.failed and victim.poll()[0][0] == 21, "it fails, and says so to whoever is there"
	client.start()
	for datagram in client.poll():
		victim.feed(datagram)
	assert not victim.poll(), "the real peer gets no answer any more"


@pytest.mark.alone
def test_bogus_hellos_while_calls_are_set_up(topology, gateway):
	calls, rate = (200, 10000) if FULL else (16, 4000 if sanitized() else 10000)
	quiet = set_up_many(topology, 200 if FULL else 4)
	with Capture(topology.access, "net0") as wire, \
	     Flood(topology, list(dtls_hello.bogus().values()), everywhere(topology), rate) as flood:
		began, took = time.monotonic(), []
		while len(took) < calls or (FULL and time.monotonic() - began < 60):
			took.append(set_up(topology, len(took)))
		seconds = time.monotonic() - began
		told = flood.stop()
		wire.stop()
		assert not plain_alerts(wire, None)
	took.sort()
	print(f"{len(took)} calls in {seconds:.1f} s, p50 {took[len(took) // 2]:.3f} p99 {took[int(len(took) * 0.99)]:.3f} max {took[-1]:.3f} s; "
	      f"quiet p50 {quiet[len(quiet) // 2]:.3f} p99 {quiet[int(len(quiet) * 0.99)]:.3f} s; {told}", gateway.events("dtls from strangers"))
	print([f"{seconds:.2f}" for seconds in took[-5:]], [s["drops_by"] for s in gateway.events("media summary", leg="access")][-len(took):])
	assert told["sent"] > 0.8 * rate * seconds, told
	assert told["alerts"] == 0 and 0 < told["got_bytes"] <= told["sent_bytes"]
	met = [drops_of(summary) for summary in gateway.events("media summary", leg="access")[-len(took):]]
	met = [drops.get("dtls_malformed", 0) + drops.get("dtls_unproven", 0) for drops in met]
	assert sum(met) >= len(met) * (0.5 if FULL else 5), f"hellos met the open ports: {met}"
	if FULL:
		assert took[int(len(took) * 0.99)] <= 1.5 * quiet[int(len(quiet) * 0.99)]
	assert gateway.wait_event("dtls from strangers", 5)["drops"] >= 1


def test_a_stranger_wins_the_race(topology, gateway):
	"""His handshakes are through before the phone's begins, and again between that and the answer."""
	access, core, invite = ringing(topology)
	target = Sdp(invite.body).remote()
	strangers = [Stranger(topology, target) for _ in range(18)]
	assert all(stranger.shake_hands() for stranger in strangers[:9]), "he was first, and has keys"
	answer = access.begin_answer(invite.body)
	access.secured(5)
	assert all(stranger.shake_hands() for stranger in strangers[9:]), "and nine more from his host"
	access.dialog = access.phone.accept(invite, answer)
	core.dialled_answer()
	line = gateway.wait_event("line secured", leg="access")
	assert line["peer_fingerprint"].lower() == certificate().fingerprint.lower()
	access.talk()
	core.talk()
	both_hear(access, core)
	late = Stranger(topology, target)
	assert not late.shake_hands(1.2), "a leg that is secured answers nobody else"
	for stranger in [*strangers, late]:
		stranger.listen_once()
		assert not stranger.media and not stranger.endpoint.failed
		stranger.close()
	core.hang_up()
	access.taken_down()
	summary = gateway.wait_event("media summary", call_id=core.dialog.call_id, leg="access")
	drops = drops_of(summary)
	assert summary["certificate_mismatches"] >= 1 and drops["dtls_gave_way"] >= 10 and drops["dtls_stale"] >= 1, summary
	access.close()
	core.close()


def test_a_stranger_whose_certificate_is_signalled_gets_the_leg(topology, gateway):
	"""Positive control of the race: all else is equal."""
	access, core, invite = ringing(topology, signalled_fingerprint=certificate("stranger").fingerprint)
	stranger = Stranger(topology, Sdp(invite.body).remote())
	assert stranger.shake_hands()
	access._begin_dtls = lambda active: None
	access.dialog = access.phone.accept(invite, access.begin_answer(invite.body))
	core.dialled_answer()
	core.talk()
	stranger.listen(1)
	_, receiving, _ = stranger.endpoint.contexts()
	assert stranger.media and all(receiving.unprotect(packet) for packet in stranger.media)
	core.hang_up()
	access.taken_down()
	access.close()
	core.close()
	stranger.close()
