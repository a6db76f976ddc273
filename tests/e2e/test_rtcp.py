# SPDX-License-Identifier: GPL-3.0-or-later
# RTCP through the gateway: what crosses, in which form and on which port; what never does; and what is made of it.
import base64
import struct
import time

from lib import audio, phone, rtcp, srtp
from lib.capture import Capture
from lib.leg import Leg, both_hear, call
from lib.process import Process


def compound(ssrc, *more):
	return rtcp.sender_report(ssrc) + rtcp.description(ssrc) + b"".join(more)


def crosses(sender, receiver, packet):
	"""Exactly that comes out at the other end."""
	since = len(receiver.media.rtcp)
	sender.media.send_rtcp(packet)
	receiver.media.wait_received(since + 1, 5, receiver.media.rtcp)
	assert receiver.media.rtcp[since][1] == packet


def talk(access, core):
	"""A call in which both have been heard, so that each way is known to go."""
	call_id = call(access, core)
	for leg in (access, core):
		leg.media.wait_received(1)
	return call_id


def gateways_keys(leg):
	"""A reader's own copy of the keys under which the gateway sends to that leg."""
	if leg.keying == "dtls":
		return leg.media.endpoint.contexts()[1]
	(_, suite, key), = leg.described.crypto()
	return srtp.Context.from_inline(suite, key)


def captured(wire, source, n=0):
	"""RTCP that the gateway sent, once the capture has n of it."""
	return wire.wait_media(n, source=source, kind="rtcp").stop().media(source=source, kind="rtcp")


def test_every_form_on_every_pair_of_ports(topology, start):
	"""Each suite against each pair of ports: compound, reduced-size, feedback and BYE, unchanged in both directions; on the
	access wire all of it is SRTCP, no index twice. On the core wire the same judge finds nothing that verifies."""
	suites = list(srtp.SUITES)
	pairs, keys = [(True, False), (False, False), (True, True), (False, True)], []
	start(access="sdes", suites=suites, rtcp_mux="offer")
	with Capture(topology.access) as secured, Capture(topology.core) as plain:
		for number, suite in enumerate(suites):
			access_mux, core_mux = pairs[number % len(pairs)]
			with Leg(topology, "access", keying="sdes", suite=suite, mux=access_mux, rtcp=True) as access, \
			     Leg(topology, "core", mux=core_mux, rtcp=True) as core:
				talk(access, core)
				a, c = access.media.ssrc, core.media.ssrc
				for sender, receiver, one, other in ((access, core, a, c), (core, access, c, a)):
					about = rtcp.receiver_report(one, rtcp.block(other)) + rtcp.description(one)
					crosses(sender, receiver, compound(one))
					crosses(sender, receiver, about)
					crosses(sender, receiver, rtcp.picture_loss(one, other)) # RFC 5506
					crosses(sender, receiver, rtcp.nack(one, other))
					crosses(sender, receiver, compound(one, rtcp.bye(one)))
				keys.append(gateways_keys(access))
				access.hang_up()
				core.taken_down()
		n = 5 * len(suites)
		judge = rtcp.Judge(*keys).look(captured(secured, topology.gateway("access"), n))
		assert len(judge.verified) == n and not judge.foreign and not judge.repeated, judge
		control = rtcp.Judge(*keys).look(captured(plain, topology.gateway("core"), n))
		assert len(control.foreign) == n and not control.verified, control


def test_never_plain_from_set_up_to_tear_down(topology, start):
	"""The core side sends RTCP without a pause: before the access side has its keys, during the call, on hold, after the
	keys changed, and behind the end. What reaches the access wire verifies, without exception."""
	gateway = start(rtcp_mux="offer")
	with Leg(topology, "access", keying="dtls", role="active", mux=True) as access, \
	     Leg(topology, "core", rtcp=True) as core, Capture(topology.access) as wire:
		core.dial()
		begin, access._begin_dtls = access._begin_dtls, lambda active: None
		access.pick_up()
		core.dialled_answer()
		ssrc = core.media.ssrc
		stream = rtcp.Stream(core.media, [compound(ssrc), rtcp.picture_loss(ssrc, 1), compound(ssrc, rtcp.bye(ssrc))])
		time.sleep(0.5)
		assert stream.sent > 10 and not access.media.rtcp
		begin(True)
		access.secured()
		access.media.wait_received(20, 5, access.media.rtcp)
		core.dialog.request("INVITE", core.offer("inactive"))
		held = access.phone.wait_request("INVITE")
		access.phone.answer(held, 200, "OK", access._describe(["setup:active", f"fingerprint:{access.fingerprint}"], "inactive"))
		assert core.phone.wait_response(core.dialog.cseq).status == 200
		core.dialog.ack(core.dialog.cseq)
		access.media.wait_received(len(access.media.rtcp) + 20, 5, access.media.rtcp) # RFC 3264 8.4: on hold, too
		core.hang_up()
		access.taken_down()
		time.sleep(0.2)
		stream.stop()
		judge = rtcp.Judge(gateways_keys(access)).look(captured(wire, topology.gateway("access"), 40))
		assert len(judge.verified) >= 40 and not judge.foreign and not judge.repeated, judge
	summary = gateway.wait_event("media summary", leg="access")
	assert "rtcp_tx_not_keyed=" in summary["drops_by"], summary


def test_rekey_under_rtcp(topology, start):
	"""SDES keys change in the call while RTCP flows both ways: each datagram on the wire verifies under the old key or the
	new one, no index of either comes twice, and reports cross before and after."""
	start(access="sdes", suites=["AES_CM_128_HMAC_SHA1_80"])
	with Leg(topology, "access", keying="sdes", suite="AES_CM_128_HMAC_SHA1_80", mux=True) as access, \
	     Leg(topology, "core", rtcp=True) as core, Capture(topology.access) as wire:
		talk(access, core)
		old = gateways_keys(access)
		stream = rtcp.Stream(core.media, [compound(core.media.ssrc)])
		access.media.wait_received(20, 5, access.media.rtcp)
		access.masters = {name: srtp.fresh_master(name) for name in access.suites}
		access.dialog.request("INVITE", access.offer())
		response = access.phone.wait_response(access.dialog.cseq)
		assert response.status == 200, response.first
		access.take_answer(response.body)
		access.dialog.ack(access.dialog.cseq)
		new = gateways_keys(access)
		time.sleep(0.5)
		stream.stop()
		crosses(access, core, compound(access.media.ssrc))
		access.hang_up()
		core.taken_down()
		judge = rtcp.Judge(old, new).look(captured(wire, topology.gateway("access"), 40))
		assert len(judge.verified) >= 40 and not judge.foreign and not judge.repeated, judge


def test_drops_have_names(topology, start):
	"""What is not the peer's, not whole or not new ends at the gateway, each under its own name, and nothing of it is
	believed."""
	gateway = start(access="sdes", suites=["AES_CM_128_HMAC_SHA1_80"])
	with Leg(topology, "access", keying="sdes", suite="AES_CM_128_HMAC_SHA1_80", mux=True) as access, \
	     Leg(topology, "core", rtcp=True) as core:
		call_id = talk(access, core)
		socket, remote, keys, ssrc = access.media.socket, access.media.remote, access.media.sending, access.media.ssrc
		lie = rtcp.receiver_report(ssrc, rtcp.block(core.media.ssrc, fraction=255, lost=99999))
		good = keys.protect_rtcp(compound(ssrc))
		socket.sendto(rtcp.sealed_in_clear(keys, lie), remote)
		for _ in range(2):
			socket.sendto(lie, remote)    # not even SRTCP
		for _ in range(3):
			spoiled = bytearray(keys.protect_rtcp(lie))
			spoiled[-1] ^= 1
			socket.sendto(spoiled, remote)
		for _ in range(5):
			socket.sendto(good, remote)
		for packet in (b"\x9f" + lie[1:], rtcp.part(1, rtcp.SDES, struct.pack("!I", ssrc) + b"\x01\xffab")):
			access.media.send_rtcp(packet) # authenticated, and malformed
		stranger = topology.core.udp(topology.phone("core", 15))
		stranger.sendto(lie, core.media.rtcp_remote)
		core.media.send_rtcp(b"\x9f" + lie[1:])
		core.media.wait_received(1, 5, core.media.rtcp)
		crosses(core, access, compound(core.media.ssrc))
		stranger.close()
		access.hang_up()
		core.taken_down()
		assert [packet for _, packet in core.media.rtcp] == [compound(ssrc)]
	access, core = (gateway.wait_event("media summary", call_id=call_id, leg=leg) for leg in ("access", "core"))
	drops = dict(pair.split("=") for pair in access["drops_by"].split(","))
	assert drops == {"rtcp_clear": "3", "rtcp_auth": "3", "rtcp_replay": "4", "rtcp_malformed": "2"}, access
	assert access["rtcp_drops"] == 12 and access["peer_reports"] == 0 and access["peer_lost"] is None
	drops = dict(pair.split("=") for pair in core["drops_by"].split(","))
	assert drops == {"rtcp_malformed": "1", "rtcp_port_wrong_source": "1"}, core


def test_a_plain_phones_rtcp_from_another_port(topology, start):
	"""Behind a NAT: its reports come from a port that no SDP named. The first settles it, later ones from elsewhere do not."""
	gateway = start(access="sdes")
	topology.gw.run("ip", "route", "add", "192.168.1.0/24", "via", topology.phone("core"))
	with Leg(topology, "access", keying="sdes", mux=True) as access, Leg(topology, "core", rtcp=True) as core:
		core.address, host = "192.168.1.5", core.address # what it says, and where it is
		call_id = talk(access, core)
		ports = [topology.core.udp(one) for one in (topology.phone("core", 15), host, host)]
		for number, port in enumerate(ports): # a stranger's host, the phone's, the phone's once more
			port.sendto(rtcp.receiver_report(number), core.media.rtcp_remote)
			if number == 1:
				access.media.wait_received(1, 5, access.media.rtcp)
		ports[1].sendto(rtcp.receiver_report(9), core.media.rtcp_remote)
		access.media.wait_received(2, 5, access.media.rtcp)
		assert [packet for _, packet in access.media.rtcp] == [rtcp.receiver_report(1), rtcp.receiver_report(9)]
		access.media.send_rtcp(compound(access.media.ssrc))
		ports[1].settimeout(5)
		assert ports[1].recv(2048) == compound(access.media.ssrc)
		for port in ports:
			port.close()
		access.hang_up()
		core.taken_down()
	summary = gateway.wait_event("media summary", call_id=call_id, leg="core")
	# RTP's own source had to be learnt before.
	assert summary["drops_by"].partition("rtcp")[1:] == ("rtcp", "_wrong_source=1,rtcp_port_wrong_source=1"), summary


def reported_call(topology, gateway, held, shown, **losses):
	"""A call in which the access phone answers sender reports as told: `held` seconds late, of which it admits all but
	`shown`. Returns the access line's summary."""
	with Leg(topology, "access", keying="sdes", mux=True) as access, Leg(topology, "core", rtcp=True) as core:
		call_id = call(access, core)
		both_hear(access, core, packets=30, seconds=0.3) # enough to tell the clock by
		for number in range(1, 4):
			ntp = 0xE000_0000_0000_0000 + (number << 32)
			since = len(access.media.rtcp)
			core.media.send_rtcp(rtcp.sender_report(core.media.ssrc, ntp))
			access.media.wait_received(since + 1, 5, access.media.rtcp)
			came, report = access.media.rtcp[since]
			time.sleep(held)
			dlsr = time.monotonic() - came - shown
			access.media.send_rtcp(rtcp.receiver_report(access.media.ssrc, rtcp.block(
				core.media.ssrc, highest=1000 * number, lsr=rtcp.ntp_middle(report), dlsr=dlsr,
				**{name: value * number for name, value in losses.items()})))
			core.media.wait_received(number, 5, core.media.rtcp)
		access.hang_up()
		core.taken_down()
	return gateway.wait_event("media summary", call_id=call_id, leg="access")


def test_figures_are_what_the_phone_pretends(topology, start):
	"""Round trip: the phone waits 150 ms and hides 100 ms of them, so 100 ms and what the machine takes; hiding nothing, only
	the latter. Losses and jitter: as reported, in the clock of the stream; the score follows them."""
	gateway = start(access="sdes")
	lossy = reported_call(topology, gateway, held=0.15, shown=0.1, lost=50, jitter=80, fraction=12)
	clean = reported_call(topology, gateway, held=0.05, shown=0)
	assert 99_000 <= lossy["rtt_min_us"] <= lossy["rtt_us"] <= lossy["rtt_max_us"], lossy
	assert lossy["rtt_min_us"] < 180_000, lossy
	assert clean["rtt_min_us"] < 80_000 and clean["rtt_min_us"] < lossy["rtt_min_us"] - 50_000, clean
	assert lossy["peer_reports"] == clean["peer_reports"] == 3
	assert (lossy["peer_lost"], clean["peer_lost"]) == (150, 0)
	assert (lossy["peer_jitter_us"], clean["peer_jitter_us"]) == (30_000, 0) # 240 of 8,000 a second
	assert float(clean["peer_mos"]) > 4.2 > float(lossy["peer_mos"]) > 3, (clean, lossy) # 5 % lost
	assert float(clean["mos"]) > 4.2


def test_ffmpeg_reports_and_says_bye(topology, start):
	"""FFmpeg's SRTCP, which nobody here wrote: its sender report and, behind another, its BYE arrive in the core, well formed."""
	suite = "AES_CM_128_HMAC_SHA1_80"
	gateway = start(access="sdes", suites=[suite])
	key, port = srtp.fresh_master(suite), 22000
	with phone.Phone(topology.access, topology.phone("access"), "ffmpeg") as caller, Leg(topology, "core", rtcp=True) as core:
		dialog = caller.invite(f"sip:100@{topology.GW['access']}:5060", phone.sdp(caller.address, phone.audio_section(
			port, "RTP/SAVP", f"crypto:1 {suite} inline:{base64.b64encode(key).decode()}", payload_types="0")))
		core.pick_up()
		response = caller.wait_response(1)
		caller.confirm(dialog, response)
		host, target = phone.Sdp(response.body).remote()
		speaker = Process("ffmpeg", topology.access.command(
			"ffmpeg", "-nostdin", "-loglevel", "warning", "-re", "-f", "lavfi", "-i",
			f"sine=frequency={audio.TONE_A:.0f}:sample_rate=8000:duration=1,asetnsamples=n=160:p=0", "-c:a", "pcm_mulaw",
			"-f", "rtp", "-rtpflags", "send_bye", "-srtp_out_suite", suite, "-srtp_out_params", base64.b64encode(key).decode(),
			f"srtp://{host}:{target}?localrtpport={port}"))
		core.media.wait_received(2, 10, core.media.rtcp)
		kinds = [[part.kind for part in rtcp.parts(packet)] for _, packet in core.media.rtcp]
		assert kinds == [[rtcp.SR], [rtcp.SR, rtcp.BYE]], kinds
		speaker.kill()
		dialog.request("BYE")
		core.taken_down()
	assert gateway.wait_event("media summary", leg="access")["rtcp_drops"] == 0
