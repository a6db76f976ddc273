# SPDX-License-Identifier: GPL-3.0-or-later
# What leaves the gateway on secured legs (docs/security.md M8), from before the INVITE until after the BYE: every datagram is DTLS or
# authenticated SRTP/SRTCP, and no index comes twice. Judged by lib/indices.py, which holds the keys.
import time

import pytest

from lib import tshark
from lib.attack import set_up
from lib.attacker import rtp
from lib.capture import Capture
from lib.indices import Judge, fresh, media_of
from lib.leg import Leg, both_hear
from lib.media import sender_report

LINGER = 0.3 # the capture goes on after the BYE


def judged(topology, wire, leg):
	"""The verdict on all that the gateway sent to that leg's phone; the capture ends."""
	wire.stop()
	datagrams = media_of(wire, topology.gateway(leg.side))
	# The second reader. Without the keys it takes SRTCP for RTCP, and what is behind the first header is noise to it.
	strange = tshark.fields(wire.path, f"(_ws.malformed || _ws.short) && ip.src == {topology.gateway(leg.side)}",
				"frame.number", "frame.protocols", "_ws.expert.message")
	assert not [row for row in strange if not row[1].endswith(":rtcp")], strange
	return Judge(fresh(leg.media.receiving)).judge(datagrams), datagrams


def reports(*legs):
	for sender, receiver in (legs, legs[::-1]):
		before = len(receiver.media.rtcp)
		sender.media.send_rtcp(sender_report(sender.media.ssrc))
		receiver.media.wait_received(before + 1, 5, receiver.media.rtcp)


@pytest.mark.parametrize("kind,mux", [("dtls", True), ("sdes", False)])
def test_nothing_in_clear_from_the_invite_to_the_bye(topology, start, kind, mux):
	"""Both sides talk from the first moment on. Each leg is secured, with keys of its own."""
	start(access="secure" if kind == "dtls" else "sdes", core="sdes")
	with Capture(topology.access) as near, Capture(topology.core) as far, \
	     Leg(topology, "access", keying=kind, mux=mux, rtcp=True) as access, \
	     Leg(topology, "core", keying="sdes", suite="AEAD_AES_128_GCM", rtcp=True) as core:
		access.dial()
		core.pick_up()
		core.talk()
		core.media.send_rtcp(sender_report(core.media.ssrc))
		access.dialled_answer()
		access.talk()
		access.secured()
		both_hear(access, core, packets=12, seconds=0.1)
		reports(access, core)
		access.hang_up()
		core.taken_down()
		time.sleep(LINGER) # both go on talking
		for wire, leg in ((near, access), (far, core)):
			verdict, datagrams = judged(topology, wire, leg)
			print(leg.side, verdict)
			assert verdict.good, verdict
			assert verdict.kinds["rtp"] >= 20 and verdict.kinds["rtcp"] >= 1 and len(datagrams) == sum(verdict.kinds.values())
			assert (verdict.kinds["dtls"] > 0) == (leg.keying == "dtls")


def test_the_judge_finds_what_is_wrong(topology, start):
	"""Its positive control: a plain leg's wire is foreign throughout; so is one readable packet among good ones, one of which a bit
	is flipped, and one that comes twice."""
	start(access="sdes")
	with Capture(topology.access) as near, Capture(topology.core) as far, \
	     Leg(topology, "access", keying="sdes", mux=True) as access, Leg(topology, "core", rtcp=True) as core:
		set_up(access, core)
		for leg in (access, core):
			leg.talk()
		both_hear(access, core, packets=12, seconds=0.1)
		core.media.send_rtcp(sender_report(core.media.ssrc))
		access.media.wait_received(1, 5, access.media.rtcp)
		access.hang_up()
		core.taken_down()
		good, datagrams = judged(topology, near, access)
		assert good.good, good
		far.stop()
		plain = Judge(fresh(access.media.receiving)).judge(media_of(far, topology.gateway("core")))
		assert len(plain.foreign) >= 10 and not plain.kinds["rtp"]
	key = access.media.receiving
	media = [d for d in datagrams if d.payload[1] & 0x7F == 0]
	control = [d for d in datagrams if d.payload[1] in range(192, 224)]
	for spoilt, found in (
		([media[3]._replace(payload=rtp(1, 2))], "foreign"),
		([media[3]._replace(payload=media[3].payload[:-1] + bytes([media[3].payload[-1] ^ 1]))], "foreign"),
		([control[0]._replace(payload=sender_report(1))], "foreign"),
		([media[3]._replace(payload=b"\x16\xfe\xfd" + bytes(40))], "foreign"),
		([media[5]], "repeated"), ([control[0]], "repeated"),
	):
		verdict = Judge(fresh(key)).judge(datagrams + spoilt)
		assert not verdict.good and len(getattr(verdict, found)) == 1, (found, verdict)


@pytest.mark.parametrize("profile", ["sdes", "mixed"])
def test_a_reoffer_cannot_lower_security(topology, start, profile):
	"""In the middle of the call the phone offers RTP/AVP without keys. Policy or not: 488, and media goes on as it was."""
	start(access=profile)
	with Capture(topology.access) as wire, \
	     Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		set_up(access, core)
		for leg in (access, core):
			leg.talk()
		both_hear(access, core, packets=12, seconds=0.1)
		lower = access.offer().replace("RTP/SAVP", "RTP/AVP")
		lower = "\r\n".join(line for line in lower.split("\r\n") if not line.startswith("a=crypto"))
		access.dialog.request("INVITE", lower)
		response = access.phone.wait_response(access.dialog.cseq)
		access.dialog.request("ACK", cseq=response.cseq[0])
		assert response.status == 488, response.first
		both_hear(access, core, packets=12, seconds=0.1)
		access.hang_up()
		core.taken_down()
		verdict, _ = judged(topology, wire, access)
		assert verdict.good and verdict.kinds["rtp"] >= 20, verdict
