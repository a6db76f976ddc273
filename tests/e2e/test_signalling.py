# SPDX-License-Identifier: GPL-3.0-or-later
# SIP through the gateway: every way in which a call can go, seen from both ends.
import base64
import re
import time

import pytest

from lib import media, phone, sipp, srtp
from lib.capture import Capture
from lib.leg import Leg, both_hear, call
from lib.phone import Sdp


@pytest.fixture
def gateway(start):
	return start(access="plain", keying_timeout=3)


@pytest.fixture
def ends(topology, gateway):
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		yield access, core


def ways(function):
	return pytest.mark.parametrize("from_access", [True, False], ids=["to-core", "to-access"])(function)


def order(ends, from_access):
	return ends if from_access else ends[::-1]


@ways
def test_the_legs_share_nothing(ends, from_access):
	"""Own Call-ID, tags, Contact, Via and media address on each leg; the topology does not leak."""
	caller, callee = order(ends, from_access)
	caller.dial()
	invite = callee.ring()
	text = "\r\n".join([invite.first, *(f"{k}: {v}" for k, v in invite.headers), invite.body])
	assert invite.get("call-id") != caller.dialog.call_id
	assert caller.address not in invite.body and str(caller.media.port) not in invite.body
	assert caller.dialog.local.rsplit("tag=", 1)[1] not in text
	assert len(invite.all("via")) == 1 and caller.address not in invite.all("via")[0]
	assert caller.address not in invite.get("contact")
	assert int(invite.get("max-forwards")) == 69
	callee.pick_up()
	answer = caller.dialled_answer()
	assert callee.address not in answer.body and callee.address not in answer.get("contact")
	for leg in ends:
		leg.talk()
	both_hear(*ends)
	caller.hang_up()
	callee.taken_down()


@ways
def test_the_called_side_hangs_up(ends, gateway, from_access):
	caller, callee = order(ends, from_access)
	call_id = call(caller, callee)
	both_hear(*ends, packets=30, seconds=0.3)
	callee.hang_up()
	caller.taken_down()
	ended = gateway.wait_event("call ended", call_id=call_id)
	assert ended["call_id_a"] and ended["call_id_b"] and ended["duration_ms"] > 0


@ways
def test_early_media(ends, from_access):
	"""A 183 with a description opens the way back; the 200 keeps it."""
	caller, callee = order(ends, from_access)
	caller.dial()
	callee.invite = callee.phone.wait_request("INVITE")
	early = callee.begin_answer(callee.invite.body)
	callee.phone.answer(callee.invite, 183, "Session Progress", early)
	progress = caller.phone.wait(lambda m: m.status == 183, 5, "183")
	caller.media.remote = Sdp(progress.body).remote()
	callee.talk()
	caller.media.wait_received(30)
	callee.dialog = callee.phone.accept(callee.invite, early)
	callee.phone.wait_request("ACK")
	caller.dialled_answer()
	caller.talk()
	both_hear(*ends)
	caller.hang_up()
	callee.taken_down()


@pytest.mark.parametrize("status", [404, 486, 488, 503, 603])
def test_errors_come_through(ends, gateway, status):
	caller, callee = ends
	caller.dial()
	callee.ring()
	callee.phone.answer(callee.invite, status, "No")
	response = caller.phone.wait_response(1)
	assert response.status in ((status, 500, 502, 480) if status == 503 else (status,)), response.first
	caller.phone.ack_failure(caller.dialog, response)
	callee.phone.wait_request("ACK")
	gateway.wait_event("call ended", call_id=caller.dialog.call_id)


def expect_cancelled(caller, gateway):
	response = caller.phone.wait_response(1, "CANCEL")
	assert response.status == 200, response.first
	final = caller.phone.wait_response(1)
	assert final.status == 487, final.first
	caller.phone.ack_failure(caller.dialog, final)
	gateway.wait_event("call ended", call_id=caller.dialog.call_id)


@ways
def test_cancel_while_ringing(ends, gateway, from_access):
	caller, callee = order(ends, from_access)
	caller.dial()
	invite = callee.ring()
	caller.phone.wait(lambda m: m.status == 180, 5, "180")
	caller.phone.cancel(caller.dialog)
	cancel = callee.phone.wait_request("CANCEL")
	callee.phone.answer(cancel, 200, "OK")
	callee.phone.answer(invite, 487, "Request Terminated")
	callee.phone.wait_request("ACK")
	expect_cancelled(caller, gateway)


def test_cancel_before_any_answer(ends, gateway):
	"""RFC 3261 9.1: the CANCEL onward waits for a provisional response; the caller does not."""
	caller, callee = ends
	caller.dial()
	invite = callee.phone.wait_request("INVITE")
	caller.phone.cancel(caller.dialog)
	expect_cancelled(caller, gateway)
	assert not [m for m in callee.phone.messages if m.method == "CANCEL"]
	callee.phone.answer(invite, 180, "Ringing")
	callee.phone.answer(callee.phone.wait_request("CANCEL"), 200, "OK")
	callee.phone.answer(invite, 487, "Request Terminated")
	callee.phone.wait_request("ACK")


def test_cancel_crosses_the_200(ends, gateway):
	"""The callee's 200 wins the race on its side: it is acknowledged and released at once."""
	caller, callee = ends
	caller.dial()
	invite = callee.ring()
	caller.phone.wait(lambda m: m.status == 180, 5, "180")
	caller.phone.cancel(caller.dialog)
	cancel = callee.phone.wait_request("CANCEL")
	callee.phone.answer(invite, 200, "OK", callee.begin_answer(invite.body))
	callee.phone.answer(cancel, 481, "No transaction")
	callee.phone.wait_request("ACK")
	callee.taken_down()
	expect_cancelled(caller, gateway)


def test_cancel_after_the_answer_does_nothing(ends):
	caller, callee = ends
	call(caller, callee)
	caller.phone.cancel(caller.dialog)
	caller.phone.wait_response(1, "CANCEL")
	both_hear(*ends)
	caller.hang_up()
	callee.taken_down()


def test_options(topology, gateway):
	with phone.Phone(topology.access, topology.phone("access")) as own:
		uri = f"sip:{topology.GW['access']}:5060"
		own.send_request("OPTIONS", uri, "ping-1", f"<sip:a@{own.address}>;tag=1", f"<{uri}>", 1)
		response = own.wait_response(1, "OPTIONS")
		assert response.status == 200 and "INVITE" in response.get("allow")


def test_a_body_that_is_no_sdp(ends, gateway):
	caller, _ = ends
	caller.dial(body="this is no session description\r\n")
	response = caller.phone.wait_response(1)
	assert response.status == 400, response.first
	caller.phone.ack_failure(caller.dialog, response)


def test_no_common_keying(topology, start):
	gateway = start() # access must encrypt
	with Leg(topology, "access") as access:
		access.dial()
		response = access.phone.wait_response(1)
		assert response.status == 488 and response.get("warning"), response.first
		access.phone.ack_failure(access.dialog, response)
		assert not gateway.events("call leg out")


def test_no_ports(topology, start):
	"""Ports for one call: the second is refused, with when to try again."""
	start(access="plain", ports="16384-16385")
	with Leg(topology, "access") as first, Leg(topology, "access", host=11) as second, Leg(topology, "core") as core:
		call(first, core)
		second.dial()
		response = second.phone.wait_response(1)
		assert response.status == 503 and response.get("retry-after"), response.first
		second.phone.ack_failure(second.dialog, response)
		both_hear(first, core)
		first.hang_up()
		core.taken_down()


@ways
def test_reinvite_for_hold_resume_and_address(ends, from_access):
	caller, callee = order(ends, from_access)
	call(caller, callee)
	both_hear(*ends, packets=30, seconds=0.3)

	def reinvite(direction):
		body = caller.offer(direction)
		caller.dialog.request("INVITE", body)
		number = caller.dialog.cseq
		invite = callee.phone.wait_request("INVITE")
		offered = Sdp(invite.body)
		mirrored = {"sendonly": "recvonly", "recvonly": "sendonly"}.get(offered.direction(), offered.direction())
		text = callee.begin_answer(invite.body).replace("a=sendrecv", f"a={mirrored}")
		callee.phone.accept(invite, text)
		callee.phone.wait_request("ACK")
		response = caller.phone.wait_response(number)
		assert response.status == 200, response.first
		caller.dialog.ack(number)
		caller.take_answer(response.body)
		return offered, Sdp(response.body)

	version = re.search(r"o=\S+ \S+ (\d+)", callee.described.text)[1]
	offered, answered = reinvite("sendonly")
	assert offered.direction() == "sendonly" and answered.direction() == "recvonly"
	assert int(re.search(r"o=\S+ \S+ (\d+)", offered.text)[1]) == int(version) + 1, "RFC 3264 8: the version grows by one"
	since = len(caller.media.received)
	time.sleep(0.5)
	assert len(caller.media.received) - since <= 3, "nothing to the holder"
	reinvite("sendrecv")
	both_hear(*ends)
	# another address and port: the phone has moved
	old = caller.media
	moved = media.Media(getattr(caller.topology, caller.side), caller.topology.phone(caller.side, 15), 0, caller.tone)
	moved.ssrc, moved.sequence = old.ssrc, old.sequence
	caller.media, address = moved, caller.address
	caller.address = moved.address
	caller.dialog.request("INVITE", caller.offer()) # which the other side need not know
	response = caller.phone.wait_response(caller.dialog.cseq)
	assert response.status == 200 and not callee.phone.untaken("INVITE")
	caller.dialog.ack(response.cseq[0])
	caller.take_answer(response.body)
	old.silence()
	moved.talk()
	both_hear(*ends)
	caller.address = address
	caller.hang_up()
	callee.taken_down()
	old.close()


def test_reinvite_refused_leaves_the_call(ends):
	caller, callee = ends
	call(caller, callee)
	caller.dialog.request("INVITE", caller.offer("sendonly"))
	number = caller.dialog.cseq
	invite = callee.phone.wait_request("INVITE")
	callee.phone.answer(invite, 488, "Not Acceptable Here")
	callee.phone.wait_request("ACK")
	response = caller.phone.wait_response(number)
	assert response.status == 488, response.first
	caller.dialog.ack(number)
	both_hear(*ends)
	caller.hang_up()
	callee.taken_down()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("family", [4, 6])
def test_transports(topology, start, family, transport):
	start(access="secure", family=family, transport=transport)
	with Leg(topology, "access", keying="dtls", family=family, transport=transport) as access, \
	     Leg(topology, "core", family=family, transport=transport) as core:
		call(access, core)
		both_hear(access, core)
		access.hang_up()
		core.taken_down()


PROTOS = ["RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"]


@ways
@pytest.mark.parametrize("proto", PROTOS)
def test_every_proto(topology, start, proto, from_access):
	"""Offered by either side; the other one speaks plain RTP."""
	keying = "none" if "SAVP" not in proto else "dtls" if "TLS" in proto else "sdes"
	side, other = ("access", "core") if from_access else ("core", "access")
	start(**{side: "plain" if keying == "none" else "secure", other: "plain"})
	with Leg(topology, side, keying=keying, proto=proto) as caller, Leg(topology, other) as callee:
		caller.dial()
		callee.pick_up()
		answer = caller.dialled_answer()
		assert Sdp(answer.body).m()[2] == proto, "an answer says the offer's proto"
		for leg in (caller, callee):
			leg.secured()
			leg.talk()
		both_hear(caller, callee)
		caller.hang_up()
		callee.taken_down()


def test_audio_and_video(topology, start):
	"""Two streams, the core refuses a third (application): every m-line is answered at its place, each stream finds its own."""
	start(access="sdes")
	suite = "AES_CM_128_HMAC_SHA1_80"
	with Leg(topology, "access", keying="sdes", suite=suite) as access, Leg(topology, "core") as core:
		video = [media.Media(getattr(topology, side), topology.phone(side), payload_type=96) for side in ("access", "core")]
		master = srtp.fresh_master(suite)
		section = [f"m=video {video[0].port} RTP/SAVP 96", "a=rtpmap:96 VP8/90000",
			   f"a=crypto:1 {suite} inline:{base64.b64encode(master).decode()}"]
		data = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "a=sctp-port:5000"]
		access.dial(body=access.offer() + "\r\n".join(section + data) + "\r\n")
		invite = core.ring()
		offered = Sdp(invite.body)
		kinds = [offered.m(i)[0] for i in range(len(offered.media))]
		assert kinds[:2] == ["audio", "video"], kinds
		assert "crypto" not in invite.body
		video[1].remote = offered.remote(1)
		extra = [f"m=video {video[1].port} RTP/AVP 96", "a=rtpmap:96 VP8/90000"]
		extra += [f"m={kind} 0 {offered.m(i + 2)[2]} {' '.join(offered.m(i + 2)[3])}" for i, kind in enumerate(kinds[2:])]
		core.dialog = core.phone.accept(invite, core.begin_answer(invite.body) + "\r\n".join(extra) + "\r\n")
		core.phone.wait_request("ACK")
		response = access.phone.wait_response(1)
		answer = Sdp(response.body)
		assert [answer.m(i)[0] for i in range(len(answer.media))] == ["audio", "video", "application"]
		assert answer.m(2)[1] == 0 and answer.m(0)[1] and answer.m(1)[1]
		first_audio = response.body.partition("m=video")[0]
		access.take_answer(first_audio)
		access.phone.confirm(access.dialog, response)
		(_, chosen, theirs), = answer.crypto(1)
		video[0].sdes(srtp.Context.from_inline(chosen, theirs), srtp.Context(suite, master))
		video[0].remote = answer.remote(1)
		for _ in range(20):
			video[0].send(media.noise(900))
			video[1].send(media.noise(900))
			time.sleep(0.01)
		for stream in video:
			stream.wait_received(18)
			assert stream.unreadable == 0
		access.talk()
		core.talk()
		both_hear(access, core)
		access.hang_up()
		core.taken_down()
		for stream in video:
			stream.close()


@pytest.mark.parametrize("side", ["access", "core"])
def test_media_timeout_ends_the_call(topology, start, side):
	"""One side falls silent for good: both get a BYE, the log says why."""
	gateway = start(access="plain", media_timeout=1)
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		call_id = call(access, core)
		both_hear(access, core, packets=30, seconds=0.3)
		silent = access if side == "access" else core
		began = time.monotonic()
		silent.media.silence()
		access.taken_down(5)
		core.taken_down(5)
		assert 0.8 < time.monotonic() - began < 8
		gateway.wait_event("media silent", call_id=call_id)


# SIPp on the plain side: a SIP stack that nobody here wrote.

@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_sipp_answers(topology, start, transport):
	start(access="secure", transport=transport)
	with sipp.Sipp(topology.core, topology.phone("core"), sipp.answering(delay=500, early=True), transport=transport) as callee, \
	     Leg(topology, "access", keying="dtls", transport=transport) as access:
		access.dial()
		access.dialled_answer()
		access.secured()
		access.talk()
		access.media.wait_received(60)
		assert access.media.heard(access.tone).ok(0.8), "our own tone, echoed"
		access.hang_up()
		callee.done()


def test_sipp_calls_holds_and_resumes(topology, start):
	start(access="sdes")
	in_call = [sipp.play("@TONE@"), sipp.pause(1200), *sipp.reinvite("sendonly", 2), sipp.pause(200), *sipp.reinvite("sendrecv", 3)]
	with Leg(topology, "access", keying="sdes") as access, \
	     sipp.Sipp(topology.core, topology.phone("core"), sipp.calling(steps_in_call=in_call), tone=660.0,
		       target=topology.GW["core"], echo=False) as caller:
		access.pick_up()
		access.talk()
		for direction in ("recvonly", "sendrecv"):
			invite = access.phone.wait_request("INVITE")
			access.phone.accept(invite, access.begin_answer(invite.body).replace("a=sendrecv", f"a={direction}"))
			access.phone.wait_request("ACK")
		access.taken_down()
		caller.done()
		assert access.media.heard(660.0).ok(0.8), access.media.heard(660.0)
		assert access.media.unreadable == 0


def test_sipp_refuses(topology, start):
	start(access="plain")
	with sipp.Sipp(topology.core, topology.phone("core"), sipp.answering(status=486)) as callee, \
	     Leg(topology, "access") as access:
		access.dial()
		response = access.phone.wait_response(1)
		assert response.status == 486
		access.phone.ack_failure(access.dialog, response)
		callee.done()


def test_nothing_is_sent_to_strangers(topology, start):
	"""A call from an address that is no peer's is refused, and nothing goes out on the other side."""
	start(access="plain")
	topology.access.address("net0", "10.66.0.1/24")
	topology.gw.run("ip", "route", "add", "10.66.0.0/24", "dev", "access0")
	with phone.Phone(topology.access, "10.66.0.1") as stranger, Capture(topology.core, expression="udp port 5060") as wire:
		stranger.invite(f"sip:100@{topology.GW['access']}:5060", phone.sdp(stranger.address, phone.audio_section(20000)))
		response = stranger.wait_response(1)
		assert response.status in (403, 404), response.first
		wire.stop()
		assert not list(wire.datagrams())
