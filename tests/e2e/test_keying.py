# SPDX-License-Identifier: GPL-3.0-or-later
# Keying seen from phones of our own: every suite, either role, what comes early, what is wrong.
import time

import pytest

from lib import dtls, srtp
from lib.audio import TONE_A, TONE_C
from lib.capture import Capture, Readable
from lib.gateway import configuration
from lib.leg import Leg, both_hear, call, certificate
from lib.media import sender_report
from lib.sealed import SealedLeg

OURS = ["AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32", "AES_192_CM_HMAC_SHA1_80",
	"AES_192_CM_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"]


@pytest.fixture
def legs(topology):
	"""legs(access={...}, core={...}) gives the two ends."""
	made = []

	def make(access=None, core=None):
		for side, settings in (("access", access), ("core", core)):
			made.append(Leg(topology, side, **(settings or {})))
		return made[-2], made[-1]

	yield make
	for leg in made:
		leg.close()


@pytest.mark.parametrize("offering", ["access", "core"])
def test_every_sdes_suite(topology, start, legs, offering):
	gateway = start(access="sdes", suites=OURS)
	for suite in srtp.SUITES:
		with Leg(topology, "access", keying="sdes", suite=suite) as access, Leg(topology, "core") as core:
			first, second = (access, core) if offering == "access" else (core, access)
			call_id = call(first, second)
			both_hear(access, core, packets=30, seconds=0.3)
			assert gateway.wait_event("line secured", call_id=call_id, leg="access")["suite"] == suite
			first.hang_up()
			second.taken_down()


@pytest.mark.parametrize("role", ["active", "passive"])
def test_every_dtls_profile(topology, start, role):
	gateway = start(suites=OURS)
	for suite in dtls.PROFILES:
		with Leg(topology, "access", keying="dtls", suite=suite, role=role) as access, Leg(topology, "core") as core:
			call_id = call(core, access)
			both_hear(access, core, packets=30, seconds=0.3)
			line = gateway.wait_event("line secured", call_id=call_id, leg="access")
			assert (line["suite"], line["dtls_version"]) == (suite, "1.2")
			assert line["peer_fingerprint"].lower().endswith(certificate().fingerprint.split()[1].lower())
			core.hang_up()
			access.taken_down()


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_mki_both_ways(topology, start, suite):
	"""Four keys, each with an MKI of its own: the phones' in their packets, ours in ours, RTCP as well."""
	gateway = start(text=configuration(access="sdes", core="offers_mki", suites=[suite]))
	with SealedLeg(topology, "access", suite=suite, mki=(0x01020304, 4), rtcp=True) as access, \
	     SealedLeg(topology, "core", suite=suite, mki=(258, 2), rtcp=True) as core:
		call_id = call(access, core)
		both_hear(access, core, packets=30, seconds=0.3)
		assert access.media.receiving.mki == b"\1\2\3\4" and core.media.receiving.mki == b"\1"
		for sender, receiver in ((access, core), (core, access)):
			sender.media.send_rtcp(sender_report(sender.media.ssrc))
			receiver.media.wait_received(1, 5, receiver.media.rtcp)
		# The control: the right key under another MKI is nobody's, and changes nothing.
		access.media.silence()
		since = len(core.media.received)
		access.media.sending.mki = b"\1\2\3\5"
		for _ in range(20):
			access.media.send(b"\x55" * 160)
		access.media.sending.mki = b"\1\2\3\4"
		access.media.talk()
		both_hear(access, core, packets=30, seconds=0.3)
		assert not [p for _, p in core.media.received[since:] if b"\x55" * 160 in p]
		assert access.media.receiving.wrong_mki == core.media.receiving.wrong_mki == 0
		access.hang_up()
		core.taken_down()
		assert gateway.wait_event("media summary", call_id=call_id, leg="access")["drops"] >= 20


def test_sdes_to_sdes_and_dtls_to_sdes(topology, start, legs):
	"""Both legs secured, each with its own keys and suite."""
	start(access="secure", core="sdes", suites=OURS)
	for access_keying in ("dtls", "sdes"):
		with Leg(topology, "access", keying=access_keying, suite="AES_CM_128_HMAC_SHA1_80") as access, \
		     Leg(topology, "core", keying="sdes", suite="AEAD_AES_128_GCM") as core:
			call(access, core)
			both_hear(access, core)
			access.hang_up()
			core.taken_down()


def test_answer_500_ms_behind_the_client_hello(topology, start, legs):
	"""The callee is active and its handshake is over before its 200: parked, and claimed by the answer's fingerprint."""
	gateway = start()
	access, core = legs(access={"keying": "dtls"})
	core.dial()
	invite = access.ring()
	answer = access.begin_answer(invite.body)
	assert access.media.secured.wait(5), "the handshake needs no answer"
	assert not gateway.events("line secured", leg="access"), "no key leaves before a fingerprint vouches for it"
	core.media.remote = None
	time.sleep(0.5)
	answered = time.monotonic()
	access.dialog = access.phone.accept(invite, answer)
	core.dialled_answer()
	gateway.wait_event("line secured", leg="access")
	assert time.monotonic() - answered < 0.9 # a flight sent again comes after a second
	access.talk()
	core.talk()
	both_hear(access, core)
	core.hang_up()
	access.taken_down()


@pytest.mark.parametrize("role", ["active", "passive"])
def test_wrong_fingerprint(topology, start, legs, role):
	"""No key, no sound, not a readable packet; the call ends with both fingerprints in the log."""
	gateway = start(keying_timeout=2)
	other = dtls.Certificate().fingerprint
	access, core = legs(access={"keying": "dtls", "role": role, "signalled_fingerprint": other})
	with Capture(topology.access) as wire:
		core.dial()
		access.pick_up()
		core.dialled_answer()
		core.talk()
		access.talk()
		access.taken_down(8)
		core.taken_down(8)
		wire.stop()
		assert not list(wire.media(kind="rtp", source=topology.gateway("access")))
	assert not core.media.received
	failed = gateway.wait_event("keying failed", call_id=core.dialog.call_id)
	assert other.split()[1].lower() in failed["expected_fingerprints"].lower()
	assert certificate().fingerprint.split()[1].lower() in failed["seen_fingerprints"].lower()
	assert not gateway.events("line secured", leg="access")


def test_no_handshake_at_all(topology, start, legs):
	gateway = start(keying_timeout=2)
	access, core = legs(access={"keying": "dtls", "role": "active"})
	access._begin_dtls = lambda active: None
	core.dial()
	access.pick_up()
	core.dialled_answer()
	core.talk()
	access.taken_down(8)
	core.taken_down(8)
	gateway.wait_event("keying failed", call_id=core.dialog.call_id)
	assert not access.media.received


def test_nothing_readable_before_the_keys(topology, start, legs):
	"""The core talks from the first moment; the access side is keyed a second later."""
	start()
	access, core = legs(access={"keying": "dtls", "role": "active"})
	with Capture(topology.access) as wire:
		core.dial()
		begin, access._begin_dtls = access._begin_dtls, lambda active: None
		access.pick_up()
		core.dialled_answer()
		core.talk()
		time.sleep(1)
		keyed = time.time()
		begin(True)
		access.secured()
		access.talk()
		both_hear(access, core)
		core.hang_up()
		access.taken_down()
		wire.stop()
		packets = list(wire.media())
		assert not [d for d in packets if d.time < keyed], "no RTP of any kind before the handshake"
		view = Readable(packets, (TONE_A, TONE_C))
		assert view.looks_encrypted(), view


@pytest.mark.parametrize("keying,access_mux,core_mux", [
	("sdes", True, False), ("sdes", False, False), ("sdes", True, True), ("dtls", True, False), ("dtls", True, True)])
def test_rtcp_both_ways(topology, start, legs, keying, access_mux, core_mux):
	"""Sender reports cross, on the port that each side agreed to; SRTCP on the access side."""
	start(access="sdes" if keying == "sdes" else "secure", rtcp_mux="offer" if core_mux else "accept")
	access, core = legs(access={"keying": keying, "mux": access_mux, "rtcp": True}, core={"mux": core_mux, "rtcp": True})
	call(access, core)
	both_hear(access, core, packets=30, seconds=0.3)
	for sender, receiver in ((access, core), (core, access)):
		report = sender_report(sender.media.ssrc)
		sender.media.send_rtcp(report)
		receiver.media.wait_received(1, 5, receiver.media.rtcp)
		assert any(sender.media.ssrc.to_bytes(4, "big") in packet for _, packet in receiver.media.rtcp)
	access.hang_up()
	core.taken_down()


def test_rtcp_where_the_attribute_says(topology, start, legs):
	"""RFC 3605: a=rtcp names a port that is not the next one; reports go there."""
	gateway = start(access="sdes")
	listener = topology.core.udp(topology.phone("core"), 26001)
	listener.settimeout(5)
	access, core = legs(access={"keying": "sdes", "mux": True}, core={"attributes": ["rtcp:26001"]})
	call(access, core)
	for leg in ("access", "core"):
		gateway.wait_event("line secured", 5, leg=leg)
	access.media.send_rtcp(sender_report(access.media.ssrc))
	report, source = listener.recvfrom(2048)
	assert report[1] == 200 and access.media.ssrc.to_bytes(4, "big") in report
	assert source[1] == core.described.rtcp_remote()[1]
	listener.close()
	access.hang_up()
	core.taken_down()


def test_bad_tags_change_nothing(topology, start, legs):
	"""Packets whose tag is wrong are dropped and counted; the call goes on."""
	gateway = start(access="sdes")
	access, core = legs(access={"keying": "sdes", "suite": "AES_CM_128_HMAC_SHA1_80"})
	call_id = call(access, core)
	both_hear(access, core, packets=30, seconds=0.3)
	for _ in range(100):
		packet = bytearray(access.media.packet(b"\x55" * 160) + bytes(10))
		packet[-1] ^= 0xFF
		access.media.socket.sendto(packet, access.media.remote)
	both_hear(access, core)
	assert not [p for _, p in core.media.received if b"\x55" * 160 in p]
	access.hang_up()
	core.taken_down()
	summary = gateway.wait_event("media summary", call_id=call_id, leg="access")
	assert summary["drops"] >= 100, summary
