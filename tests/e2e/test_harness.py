# SPDX-License-Identifier: GPL-3.0-or-later
# The tests' own instruments, tried where the truth is known: phones call each other directly, no gateway between them.
# What a check is to find, it must find here, and must miss where it is not.
import time

import pytest

from lib import audio, dtls, media, phone, sipp, srtp
from lib.baresip import Baresip
from lib.capture import Capture, Readable, stream_gaps
from lib.srtp import Context

TONES = (audio.TONE_A, audio.TONE_C)


@pytest.fixture
def wire(topology):
	"""Straight through: the gateway's namespace only forwards."""
	topology.gw.sysctl("net.ipv4.ip_forward", 1)
	topology.access.run("ip", "route", "add", "10.20.0.0/24", "via", "10.10.0.1")
	topology.core.run("ip", "route", "add", "10.10.0.0/24", "via", "10.20.0.1")
	return topology


def call_directly(wire, mediaenc):
	alice = Baresip(wire.access, wire.phone("access"), "alice", mediaenc)
	bob = Baresip(wire.core, wire.phone("core"), "bob", mediaenc, tone=audio.TONE_C)
	with alice, bob, Capture(wire.access) as capture:
		alice.call(bob.uri)
		time.sleep(2.5)
		alice.hangup()
		alice.closed()
		capture.stop()
		return alice.heard(audio.TONE_C), bob.heard(audio.TONE_A), bob.heard(audio.TONE_C), list(capture.media())


def test_a_plain_call_is_heard_and_readable(wire):
	at_alice, at_bob, wrong, packets = call_directly(wire, None)
	assert at_alice.ok(1.5) and at_bob.ok(1.5)
	assert not wrong.ok(0.1), "the other tone must not pass"
	readable = Readable(packets, TONES)
	assert readable.packets > 100 and readable.tonal == readable.packets == readable.untagged
	assert not readable.looks_encrypted()
	assert not Readable(packets, (1000.0,)).tonal
	assert len(stream_gaps(packets)) == 2


@pytest.mark.parametrize("mediaenc", ["srtp-mand", "dtls_srtp"])
def test_a_secured_call_is_heard_and_not_readable(wire, mediaenc):
	at_alice, at_bob, _, packets = call_directly(wire, mediaenc)
	assert at_alice.ok(0.8) and at_bob.ok(0.8)
	readable = Readable(packets, TONES)
	assert readable.looks_encrypted(), readable


def test_our_sdes_phone_speaks_with_baresip(wire):
	suite, key = "AES_CM_128_HMAC_SHA1_80", srtp.fresh_master("AES_CM_128_HMAC_SHA1_80")
	import base64
	bob = Baresip(wire.core, wire.phone("core"), "bob", "srtp-mand", tone=audio.TONE_C)
	own = phone.Phone(wire.access, wire.phone("access"))
	with bob, own, media.Media(wire.access, wire.phone("access"), 16000) as stream:
		inline = base64.b64encode(key).decode()
		dialog = own.invite(bob.uri, phone.sdp(own.address, phone.audio_section(
			stream.port, "RTP/SAVP", f"crypto:1 {suite} inline:{inline}")))
		answer = own.wait_response(1)
		own.confirm(dialog, answer)
		described = phone.Sdp(answer.body)
		_, chosen, theirs = described.crypto()[0]
		stream.sdes(Context.from_inline(chosen, theirs), Context(suite, key))
		stream.talk(described.remote())
		stream.wait_received(50)
		time.sleep(1)
		dialog.request("BYE")
		own.wait_response(dialog.cseq, "BYE")
		assert stream.unreadable == 0 and stream.heard(audio.TONE_C).ok(0.8)
		assert bob.heard(audio.TONE_A).ok(0.8)


@pytest.mark.parametrize("active", [True, False])
def test_our_dtls_phone_speaks_with_baresip(wire, active):
	certificate = dtls.Certificate()
	bob = Baresip(wire.core, wire.phone("core"), "bob", "dtls_srtp", tone=audio.TONE_C)
	own = phone.Phone(wire.access, wire.phone("access"))
	with bob, own, media.Media(wire.access, wire.phone("access"), 16000) as stream:
		dialog = own.invite(bob.uri, phone.sdp(own.address, phone.audio_section(
			stream.port, "UDP/TLS/RTP/SAVPF", f"setup:{'active' if active else 'actpass'}",
			f"fingerprint:{certificate.fingerprint}")))
		answer = own.wait_response(1)
		described = phone.Sdp(answer.body)
		stream.remote = described.remote()
		# baresip 1.0.0 answers setup:active whatever was offered, yet behaves as RFC 5763 says
		assert described.attributes("setup") == ["active"]
		stream.dtls(dtls.Endpoint(certificate, active))
		own.confirm(dialog, answer)
		assert stream.secured.wait(10), answer.body + bob.process.tail(60)
		assert stream.endpoint.peer_fingerprint().lower() == described.attributes("fingerprint")[0].lower()
		stream.talk()
		stream.wait_received(60)
		time.sleep(0.5)
		dialog.request("BYE")
		own.wait_response(dialog.cseq, "BYE")
		assert stream.unreadable == 0 and stream.heard(audio.TONE_C).ok(0.8)
		assert bob.heard(audio.TONE_A).ok(0.5)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_our_phone_speaks_with_sipp(wire, transport):
	with sipp.Sipp(wire.core, wire.phone("core"), sipp.answering(delay=200), transport=transport) as callee, \
	     phone.Phone(wire.access, wire.phone("access"), transport=transport) as own, \
	     media.Media(wire.access, wire.phone("access"), 16000) as stream:
		dialog = own.invite(f"sip:100@{wire.phone('core')}:5060", phone.sdp(own.address, phone.audio_section(stream.port)))
		answer = own.wait_response(1)
		own.confirm(dialog, answer)
		stream.talk(phone.Sdp(answer.body).remote())
		stream.wait_received(60)
		dialog.request("BYE")
		own.wait_response(dialog.cseq, "BYE")
		callee.done()
		assert stream.heard(audio.TONE_A).ok(0.8), "the echo of our own tone"


def test_sipp_calls_and_plays_to_our_phone(wire):
	in_call = [sipp.play("@TONE@"), sipp.pause(1200), *sipp.reinvite("sendonly", 2), *sipp.reinvite("sendrecv", 3)]
	with phone.Phone(wire.access, wire.phone("access")) as own, \
	     media.Media(wire.access, wire.phone("access"), 16000) as stream, \
	     sipp.Sipp(wire.core, wire.phone("core"), sipp.calling(steps_in_call=in_call), tone=audio.TONE_C,
		       target=wire.phone("access"), echo=False) as caller:
		described = phone.sdp(own.address, phone.audio_section(stream.port))
		for _ in range(3):
			invite = own.wait_request("INVITE")
			own.accept(invite, described)
			own.wait_request("ACK")
		own.take_bye()
		caller.done()
		assert stream.heard(audio.TONE_C).ok(0.8), stream.heard(audio.TONE_C)
