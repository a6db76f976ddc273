# SPDX-License-Identifier: GPL-3.0-or-later
# Keys that change in a call: whoever offers, whatever changes, the sound goes on, no index comes twice, nothing is plain.
# The phone is ours with libssl's DTLS; the wire is read by a second SRTP and by libsrtp2, both with all the keys.
import base64
import os
import time
from datetime import datetime

import pytest

from lib import dtls, libsrtp, srtp
from lib.audio import TONE_A, TONE_C
from lib.baresip import Baresip
from lib.capture import Capture, Readable, Rtp, stream_gaps
from lib.leg import Leg, call
from lib.media import sender_report
from lib.phone import Sdp
from lib.rekey import Changing, Verdict, missing

FULL = bool(os.environ.get("SALLYPORT_FULL"))
CORE = {"keying": "dtls", "mux": True} # of the phone that does not change, where the core side is the one that does
SUITES = [suite for suite in dtls.PROFILES if suite in libsrtp.SUITES] if FULL else ["AES_CM_128_HMAC_SHA1_80"]


@pytest.fixture
def talking(topology, start):
	"""talking(access={...}, gateway={...}): a call whose access side can change its keys, with captures on both sides. side="core":
	the core side does, and the access side has keys as well, which stay."""
	made = []

	def begin(access, gateway=None, core=None, dial=True, side="access"):
		settings, other = {"calls": 20, **(gateway or {})}, "core"
		if side == "core":
			settings.update(core=settings.pop("access", "secure"), rtcp_mux="offer")
			other, core = "access", CORE
		running = start(**settings)
		legs = Changing(topology, side, **access), Leg(topology, other, **(core or {}))
		wires = Capture(getattr(topology, side)), Capture(getattr(topology, other))
		made.extend((*legs, *wires))
		legs[0].gateway = running
		call(*legs if dial else reversed(legs))
		legs[0].up()
		for leg in legs:
			leg.media.wait_received(15)
		return running, *legs, *wires

	yield begin
	for item in reversed(made):
		item.__exit__(None, None, None)


def more(*legs, packets=15):
	"""Each hears so many packets more."""
	for leg in legs:
		leg.media.wait_received(len(leg.media.received) + packets)


def reports_cross(access, core):
	for sender, receiver in ((access, core), (core, access)):
		before = len(receiver.media.rtcp)
		sender.media.send_rtcp(sender_report(sender.media.ssrc))
		receiver.media.wait_received(before + 1, 5, receiver.media.rtcp)


def judge(topology, access, wires, lost=0, late=0):
	"""What both wires show of the whole call. lost: packets towards the phone that may be missing for each change. What it sends
	under a new key while its last flight is still on its way through our control may be one, or, where control waited for a
	busy machine, as many as went meanwhile; at full size, which has the machine to itself, it is one. late: more of these, of a control that died before it had given the key to the relay."""
	for wire in wires:
		wire.stop()
	changes = len(access.keys) - 1
	other = "core" if access.side == "access" else "access"
	sealed = list(wires[0].media(source=topology.gateway(access.side)))
	verdict = Verdict(sealed, access.keys)
	assert verdict.packets > 30 and not verdict.unreadable and not verdict.repeated and not verdict.disputed, verdict
	assert verdict.order == sorted(verdict.order), f"an old key came back: {verdict}"
	assert Readable(sealed, (TONE_A, TONE_C)).plain == 0
	to_access = sum(gap for _, gap, _ in stream_gaps(sealed).values())
	to_core = sum(gap for _, gap, _ in stream_gaps(wires[1].media(source=topology.gateway(other))).values())
	had = access.gateway.events("line rekeyed", leg=access.side) if access.gateway else []
	waited = [datetime.fromisoformat(e["time"]).timestamp() - taken for taken, e in zip(access.taken, had)]
	late += sum(int(seconds / 0.02) + 10 for seconds in waited if seconds > 0.02) # the relay waits for it as well, and the phone catches up
	late += 2 if changes and not FULL else 0
	assert to_access <= lost * changes and to_core <= changes + late, (to_access, to_core, waited)
	return verdict


# DTLS: each thing that makes a new association, in either role of ours

def change_fingerprint(access, active):
	access.certificate = dtls.Certificate()
	access.fingerprint = access.certificate.fingerprint
	return active


def change_tls_id(access, active):
	access.tls_id = base64.b64encode(os.urandom(20)).decode().rstrip("=").replace("+", "a").replace("/", "b")
	return active


def change_role(access, active):
	access.role = "passive" if active else "active"
	return not active


# Of the core side as the changing one, a pair in continuous integration. dial: INVITE calls, UPDATE is called.
FROM_CORE = [(method, active) for method in ("INVITE", "UPDATE") for active in (True, False)
	     if FULL or (method == "INVITE") == active]


def named(value):
	return {True: "active", False: "passive"}.get(value) if isinstance(value, bool) else None


CHANGES = [("fingerprint", change_fingerprint), ("tls-id", change_tls_id), ("role", change_role)]


def dtls_answer(access, core, active):
	"""An answer that brings a new association: active peers begin with it, passive ones wait for us."""
	def answer(offered):
		assert offered.attributes("setup")[0] == "actpass"
		access.role = "active" if active else "passive"
		access.associate(active)
		return access._describe([f"setup:{access.role}", f"fingerprint:{access.fingerprint}"])
	access.reoffered(core, answer)


@pytest.mark.parametrize("side, method, suite, active", [
	*(("access", method, suite, active) for active in (True, False)
	  for method, suite in [("INVITE", suite) for suite in SUITES] + [("UPDATE", SUITES[0])]),
	*(("core", method, SUITES[0], active) for method, active in FROM_CORE)], ids=named)
def test_new_association(topology, talking, side, method, suite, active):
	"""The phone's role at the start; then by its re-offer, and by its answer to ours: each kind of change. By UPDATE the phone
	is the called side."""
	gateway, access, core, *wires = talking(
		{"keying": "dtls", "suite": suite, "role": "active" if active else "passive", "mux": True},
		{"suites": [suite], "rtcp_mux": "accept" if method == "INVITE" else "offer"}, core={"rtcp": True},
		dial=method == "INVITE", side=side)
	access.method = method
	change_tls_id(access, active) # from none to one
	for expected, change in [("tls-id", lambda *_: active), *CHANGES]:
		since = gateway.mark()
		active = change(access, active)
		access.role = "active" if active else "passive"
		response = access.reoffer(core, access.offer())
		assert access.described.attributes("setup") == ["passive" if active else "active"], response.body
		access.associate(active)
		assert access.rekeyed.wait(5), f"{expected}: no keys"
		assert gateway.wait_event("line rekeyed", 5, since, leg=access.side)["cause"] == expected
		more(access, core)
		reports_cross(access, core)
	for expected, change in CHANGES:
		since = gateway.mark()
		active = change(access, active)
		dtls_answer(access, core, active)
		assert access.rekeyed.wait(5), f"{expected} in an answer: no keys"
		assert gateway.wait_event("line rekeyed", 5, since, leg=access.side)["cause"] == expected
		more(access, core)
		reports_cross(access, core)
	access.hang_up()
	core.taken_down()
	assert access.media.unreadable == 0, "the phone lacked a key"
	assert missing(packet for _, packet in access.media.received) == 0
	verdict = judge(topology, access, wires)
	assert verdict.order == list(range(8)), verdict
	summary = gateway.wait_event("media summary", leg=access.side)
	assert summary["rekeys"] == 7, summary
	assert not [e for e in gateway.events("line rekeyed") if e["leg"] != side], "the other side has keys of its own"


@pytest.mark.parametrize("side, method, active", [
	*(("access", method, active) for active in (True, False) for method in ("INVITE", "UPDATE")),
	*(("core", method, active) for method, active in FROM_CORE)], ids=named)
def test_kept_association(topology, talking, side, method, active):
	"""The same fingerprint, tls-id, role and transport: the same association, whoever offers, actpass or not (RFC 8842 5.1). Both
	streams have wrapped: the roll-over counters go on, or nobody could read on."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active" if active else "passive", "mux": True,
						 "first_sequence": 65500}, dial=method == "INVITE", side=side)
	access.method = method
	core.media.sequence = 65500
	change_tls_id(access, active)
	access.reoffer(core, access.offer()) # from no tls-id to one: the last change
	access.associate(active)
	gateway.wait_event("line rekeyed", 5, leg=access.side)
	more(access, core, packets=60)
	role, setup = access.role, "passive" if active else "active"
	said = []
	for offered in ("actpass", role):
		access.role = offered
		access.reoffer(core, access.offer())
		assert access.described.attributes("setup") == [setup]
		said.append(access.described.attributes("tls-id") + access.described.attributes("fingerprint"))
		more(access, core)
	access.role = role

	def answer(offered):
		assert offered.attributes("setup") == ["actpass"]
		said.append(offered.attributes("tls-id") + offered.attributes("fingerprint"))
		return access._describe([f"setup:{role}", f"fingerprint:{access.fingerprint}"])
	for _ in range(2):
		access.reoffered(core, answer)
		more(access, core)
	assert len(set(map(tuple, said))) == 1, said # our name of the association, and our certificate
	access.hang_up()
	core.taken_down()
	assert len(gateway.events("line rekeyed")) == 1 and access.media.unreadable == 0
	verdict = judge(topology, access, wires, lost=1)
	assert verdict.order == [0, 1], verdict


@pytest.mark.parametrize("side, active", [("access", True), ("access", False), *[("core", active) for _, active in FROM_CORE[1:]]], ids=named)
def test_new_port(topology, talking, side, active):
	"""Without a tls-id another port is another association (RFC 5763 6.6). Media stays at the old one until it is keyed."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active" if active else "passive", "mux": True}, side=side)
	access.other_port()
	access.reoffer(core, access.offer())
	old = access.old_media[0]
	old.wait_received(len(old.received) + 10)
	assert not access.media.received, "nothing comes to a port that has no keys"
	access.associate_on_it(active)
	assert gateway.wait_event("line rekeyed", 5, leg=access.side)["cause"] == "port"
	more(access, core)
	access.hang_up()
	core.taken_down()
	assert old.unreadable == access.media.unreadable == 0
	heard = [packet for _, packet in old.received] + [packet for _, packet in access.media.received]
	assert missing(heard) <= 1
	judge(topology, access, wires, lost=1)


@pytest.mark.parametrize("side", ["access", "core"])
def test_an_association_moves(topology, talking, side):
	"""With the same tls-id another port is no other association (RFC 8842 4.2): its keys, indices and windows go along."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active", "mux": True}, side=side)
	change_tls_id(access, True)
	access.reoffer(core, access.offer())
	access.associate(True)
	gateway.wait_event("line rekeyed", 5, leg=access.side)
	since = gateway.mark()
	old = access.media
	access.other_port()
	access.media.receiving, access.media.sending = old.receiving, old.sending
	access.reoffer(core, access.offer())
	old.silence()
	access.media.sequence, access.media.sent = old.sequence, old.sent
	access.talk()
	more(access, core)
	access.hang_up()
	core.taken_down()
	assert not [e for e in gateway.events("line rekeyed") if e["cause"] == "port"] and since
	verdict = judge(topology, access, wires, lost=1)
	assert verdict.order == [0, 1], verdict


# What goes wrong with a new association

def test_wrong_certificate_ends_the_call(topology, talking):
	"""Another certificate than the re-offer's: the old media goes on until the keying timeout, then the call ends."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active"}, gateway={"keying_timeout": 2})
	began = time.monotonic()
	access.fingerprint = dtls.Certificate().fingerprint
	access.reoffer(core, access.offer())
	access.associate(True) # shows the old one
	more(access, core, packets=30)
	access.taken_down(8)
	core.taken_down(8)
	assert time.monotonic() - began > 1.9
	failed = gateway.wait_event("keying failed", leg="access")
	assert "certificate" in failed["cause"], failed
	assert not gateway.events("line rekeyed")
	judge(topology, access, wires)


def test_silence_ends_the_call_or_not(topology, talking):
	"""A re-offer with a new fingerprint and no handshake: the certificate behind the old keys is signalled no more. With
	another role alone it still is: a phone that did not mean it keeps its call."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active"}, gateway={"keying_timeout": 3})
	access.role = "passive"
	access.reoffer(core, access.offer())
	kept = gateway.wait_event("line keeps its keys", 8, leg="access")
	assert kept["cause"] == "role"
	more(access, core)
	change_fingerprint(access, True)
	access.reoffer(core, access.offer())
	more(access, core)
	access.taken_down(8)
	core.taken_down(8)
	assert gateway.wait_event("keying failed", leg="access")["cause"] == "no new keys in time"
	judge(topology, access, wires)


def test_refused_offer_changes_nothing(topology, talking):
	"""The far side says 488: the keys are as they were, and whoever shook hands in advance got nothing."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active"})
	old = access.media.endpoint, access.media._flush
	change_fingerprint(access, True)
	access.dialog.request("INVITE", access.offer() + "a=x-round:1\r\n")
	invite = core.phone.wait_request("INVITE")
	access.associate(True, use=False) # before the answer
	deadline = time.monotonic() + 5
	while not access.media.endpoint.done:
		assert time.monotonic() < deadline, "a handshake before the answer was not taken"
		more(access, packets=1)
	more(access, core)
	core.phone.answer(invite, 488, "Not Acceptable Here")
	core.phone.wait_request("ACK")
	response = access.phone.wait_response(access.dialog.cseq)
	assert response.status == 488
	access.dialog.ack(response.cseq[0])
	access.rekeyed.set()
	access.media.endpoint, access.media._flush = old
	more(access, core)
	access.hang_up()
	core.taken_down()
	assert not gateway.events("line rekeyed")
	verdict = judge(topology, access, wires)
	assert verdict.by_key == [verdict.packets]


# SDES

def sdes_reoffer(access, core, ack_first):
	"""The phone offers a new key. ack_first: it ACKs, then sends under it; else its first packet tells us."""
	access.fresh()
	access.reoffer(core, access.offer(), ack=False)
	sending = access.receive_sdes(access.described)
	if ack_first:
		access.dialog.ack(access.dialog.cseq)
	access.media.sending = sending
	if not ack_first:
		more(access, packets=5)
		access.dialog.ack(access.dialog.cseq)


def sdes_answer(access, core):
	def answer(offered):
		tag, suite, key = offered.crypto()[0]
		access.fresh()
		access.take(srtp.Context.from_inline(suite, key), srtp.Context(suite, access.masters[suite]))
		return access._describe([f"crypto:{tag} {suite} inline:{base64.b64encode(access.masters[suite]).decode()}"])
	access.reoffered(core, answer)


@pytest.mark.parametrize("side, suite, keep", [
	*(("access", suite, keep) for suite in SUITES for keep in (True, False)), ("core", SUITES[0], True)],
	ids=lambda value: {True: "careful", False: "plain"}.get(value) if isinstance(value, bool) else None)
def test_new_sdes_key(topology, talking, side, suite, keep):
	"""A phone that forgets its old key at once misses one packet at most; a careful one misses none. Both streams wrap
	their sequence numbers while the keys change."""
	gateway, access, core, *wires = talking(
		{"keying": "sdes", "suite": suite, "mux": True, "keep": keep, "first_sequence": 65500},
		gateway={"access": "sdes", "suites": [suite]}, core={"rtcp": True}, side=side)
	for number, (ack_first, expected) in enumerate([(True, "key"), (False, "key")], 1):
		since = gateway.mark()
		sdes_reoffer(access, core, ack_first)
		rekeyed = gateway.wait_event("line rekeyed", 5, since, leg=side)
		assert (rekeyed["cause"], rekeyed["suite"]) == (expected, suite)
		more(access, core)
		reports_cross(access, core)
		assert access.ring.opened[-1] > 10, f"change {number}: our sending key did not follow"
	since = gateway.mark()
	sdes_answer(access, core) # our key goes on, with its index; the phone's is new
	gateway.wait_event("line rekeyed", 5, since, leg=side)
	more(access, core)
	reports_cross(access, core)
	access.hang_up()
	core.taken_down()
	assert access.media.unreadable <= (0 if keep else 2)
	assert missing(packet for _, packet in access.media.received) <= (0 if keep else 2)
	access.keys.pop() # what it answered with named no new key of ours
	verdict = judge(topology, access, wires)
	assert verdict.order == [0, 1, 2], verdict
	sequences = [Rtp(packet).sequence for _, packet in core.media.received]
	assert max(sequences) == 65535 and min(sequences) == 0 and missing(p for _, p in core.media.received) <= 3


def test_late_offer_brings_keys(topology, talking):
	"""The phone's 200 is the offer, and the answer goes in our ACK: nothing says that it has arrived but its packets."""
	gateway, access, core, *wires = talking({"keying": "sdes", "mux": True}, gateway={"access": "sdes"})
	core.dialog.request("INVITE")
	invite = access.phone.wait_request("INVITE")
	access.fresh()
	access.phone.answer(invite, 200, "OK", access.offer())
	offered = core.phone.wait_response(core.dialog.cseq)
	core.phone.send_request("ACK", core.dialog.target, core.dialog.call_id, core.dialog.local, core.dialog.remote,
				core.dialog.cseq, core.begin_answer(offered.body))
	ack = access.phone.wait_request("ACK")
	access.take_sdes(Sdp(ack.body))
	gateway.wait_event("line rekeyed", 5, leg="access")
	more(access, core)
	access.hang_up()
	core.taken_down()
	assert access.media.unreadable == 0
	verdict = judge(topology, access, wires)
	assert verdict.order == [0, 1], verdict


def test_a_key_ends_with_its_lifetime(topology, talking):
	"""The phone says how many packets its key is good for (RFC 4568 6.1) and goes on: warned of, then shut out by name. Its
	next key is heard again."""
	gateway, access, core, *wires = talking({"keying": "sdes", "mux": True}, gateway={"access": "sdes"})
	access.fresh()
	access.lifetime = 100
	access.reoffer(core, access.offer())
	access.take_sdes(access.described)
	near = gateway.wait_event("key near its end", 10, leg="access")
	assert near["lifetime"] == 100 and near["used"] < 160, near
	assert near["call_id_a"] == access.dialog.call_id and near["call_id_b"]
	gateway.wait_event("key expired", 10, leg="access")
	heard = len(core.media.received)
	more(access, packets=10)
	assert len(core.media.received) - heard <= 1, "packets under a key that is used up"
	access.fresh()
	access.lifetime = None
	access.reoffer(core, access.offer())
	access.take_sdes(access.described)
	more(access, core)
	access.hang_up()
	core.taken_down()
	assert "key_expired=" in gateway.wait_event("media summary", leg="access")["drops_by"]
	assert len(gateway.events("key expired")) == len(gateway.events("key near its end")) == 1


# Crashes in the middle

def test_control_killed_in_a_handshake(topology, talking):
	"""Both sides hold the new description and the old keys. The next control shakes hands anew; no index comes twice."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active", "mux": True}, core={"rtcp": True})
	reports_cross(access, core)
	change_fingerprint(access, True)
	access.reoffer(core, access.offer())
	since = gateway.mark()
	gateway.kill_child("control") # no ClientHello has come yet, or no answer to it
	gateway.wait_event("child back", 5, since, child="control")
	more(access, core)
	reports_cross(access, core)
	access.associate(True)
	assert access.rekeyed.wait(5), "no keys from the next control"
	assert gateway.wait_event("line rekeyed", 5, since, leg="access")["cause"] == "fingerprint"
	more(access, core)
	reports_cross(access, core)
	access.hang_up()
	core.taken_down()
	for context in access.ring.contexts:
		assert context.rtcp_indices == sorted(set(context.rtcp_indices)), context.rtcp_indices
	judge(topology, access, wires)


def test_control_killed_and_no_handshake_after(topology, talking):
	"""The phone was in the middle of its handshake and cannot begin again: it goes on with the old keys, and so does the
	call, until a BYE ends it on both sides."""
	gateway, access, core, *wires = talking({"keying": "dtls", "role": "active"}, gateway={"keying_timeout": 3})
	change_fingerprint(access, True)
	access.reoffer(core, access.offer())
	since = gateway.mark()
	gateway.kill_child("control")
	assert gateway.wait_event("line keeps its keys", 10, since, leg="access")["cause"] == "fingerprint"
	more(access, core)
	core.hang_up()
	access.taken_down()
	verdict = judge(topology, access, wires)
	assert verdict.by_key == [verdict.packets]


@pytest.mark.parametrize("arrived", [True, False], ids=["answer-arrived", "answer-lost"])
def test_control_killed_before_the_ack(topology, talking, arrived):
	"""SDES: the answer with our new key is out, its ACK has not come. A phone that has it sends under its own new key; one
	that has not goes on with the old one, and we with ours."""
	gateway, access, core, *wires = talking({"keying": "sdes", "mux": True}, gateway={"access": "sdes"}, core={"rtcp": True})
	reports_cross(access, core)
	access.fresh()
	access.reoffer(core, access.offer(), ack=False)
	since = gateway.mark()
	gateway.kill_child("control")
	if arrived:
		access.take_sdes(access.described)
	away_ms = gateway.wait_event("child back", 5, since, child="control")["after_ms"]
	if arrived:
		gateway.wait_event("line rekeyed", 8, since, leg="access")
	else:
		more(access, core, packets=100)
	more(access, core)
	reports_cross(access, core)
	access.hang_up()
	core.taken_down()
	assert access.media.unreadable == 0
	for context in access.ring.contexts:
		assert context.rtcp_indices == sorted(set(context.rtcp_indices)), context.rtcp_indices
	verdict = judge(topology, access, wires, late=5 + away_ms // 20)
	assert verdict.order == ([0, 1] if arrived else [0]), verdict


def test_control_killed_with_an_offer_out(topology, talking):
	"""Our offer is at the far side, its answer comes to a control that never asked. The old keys go on, and the call ends
	as a call does."""
	gateway, access, core, *wires = talking({"keying": "sdes", "mux": True}, gateway={"access": "sdes"})
	access.fresh()
	access.dialog.request("INVITE", access.offer() + "a=x-round:1\r\n")
	invite = core.phone.wait_request("INVITE")
	since = gateway.mark()
	gateway.kill_child("control")
	gateway.wait_event("child back", 5, since, child="control")
	core.phone.answer(invite, 200, "OK", core.begin_answer(invite.body))
	more(access, core, packets=50)
	access.hang_up()
	core.taken_down()
	verdict = judge(topology, access, wires)
	assert verdict.by_key == [verdict.packets] and not gateway.events("line rekeyed")


def test_relay_killed_in_the_overlap(topology, talking):
	"""The phone has wrapped once and still sends under its old key when the relay dies: both of its keys are taken up at
	their indices, and ours goes on at its own."""
	gateway, access, core, *wires = talking({"keying": "sdes", "mux": True, "first_sequence": 65500}, gateway={"access": "sdes"})
	core.media.sequence = 65530 # a jump, as after a silence; wraps under the key in force
	more(access, core, packets=40)
	access.fresh()
	access.reoffer(core, access.offer(), ack=False) # it has our answer, and changes over later
	old = access.media.sending
	since = gateway.mark()
	gateway.kill_child("relay")
	gateway.wait_event("child back", 5, since, child="relay")
	more(access, core)
	assert access.media.sending is old and max(old._newest.values()) >> 16 == 1
	access.take_sdes(access.described)
	access.dialog.ack(access.dialog.cseq)
	gateway.wait_event("line rekeyed", 5, since, leg="access")
	more(access, core)
	access.hang_up()
	core.taken_down()
	assert access.media.unreadable == 0
	for wire in wires:
		wire.stop()
	verdict = Verdict(list(wires[0].media(source=topology.gateway("access"))), access.keys)
	assert not verdict.unreadable and not verdict.repeated and verdict.order == [0, 1], verdict


# A phone that nobody here wrote

def keys_said(datagrams):
	"""What a=crypto lines in SIP said, in order, each once: (suite, master)."""
	lines = [Sdp(d.payload.partition(b"\r\n\r\n")[2].decode()).crypto() for d in datagrams if b"a=crypto:" in d.payload]
	return list(dict.fromkeys((suite, base64.b64decode(key)) for line in lines for _, suite, key in line))


def test_baresip_on_hold_and_back(topology, start):
	"""Debian's baresip repeats its SDES key in each re-INVITE: then nothing changes, and indices and windows go on."""
	gateway = start(access="sdes", calls=20)
	with Baresip(topology.access, topology.phone("access"), "alice", "srtp-mand", TONE_A) as alice, \
	     Baresip(topology.core, topology.phone("core"), "bob", None, TONE_C) as bob, Capture(topology.access) as wire:
		alice.call(f"sip:bob@{topology.GW['access']}:5060")
		bob.established()
		gateway.wait_event("line secured", leg="access")
		time.sleep(1)
		alice.hold()
		time.sleep(1)
		back = time.time()
		alice.resume()
		time.sleep(1.5)
		alice.hangup()
		bob.closed()
		wire.stop()
		seen = list(wire.datagrams())
		ours = keys_said(d for d in seen if d.source == topology.gateway("access"))
		theirs = keys_said(d for d in seen if d.target == topology.gateway("access"))
		assert len(ours) == len(theirs) == 1, "it changes its key after all"
		for keys, direction in ((ours, {"source": topology.gateway("access")}), (theirs, {"target": topology.gateway("access")})):
			sealed = list(wire.media(**direction))
			verdict = Verdict(sealed, keys)
			assert not verdict.unreadable and not verdict.repeated and not verdict.disputed, (direction, verdict)
			assert len([d for d in sealed if d.time > back]) > 30, direction
		summary = gateway.wait_event("media summary", leg="access")
		assert summary["rekeys"] == 0 and summary["drops"] <= 2, summary
