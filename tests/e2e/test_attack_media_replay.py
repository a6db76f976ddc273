# SPDX-License-Identifier: GPL-3.0-or-later
# Packets once more (docs/security.md M5, M11): what was accepted is not accepted again, on any leg, in any order; and what makes us send
# twice under one index, from the plain side or by a crash, does not.
import itertools
import time

import pytest

from lib import srtp
from lib.attack import FULL, all_counted, attacker, drops_of, end, offer_again, set_up_warm, topology # noqa: F401
from lib.attacker import MARK, rtp
from lib.capture import Capture
from lib.gateway import configuration
from lib.indices import Judge, fresh, media_of
from lib.leg import Leg, both_hear
from lib.media import sender_report

SUITE = "AES_CM_128_HMAC_SHA1_80"
PACKETS = 2000 if FULL else 300
RATE = 2000


def paced(n, rate=RATE):
	began = time.monotonic()
	for i in range(n):
		yield i
		wait = began + (i + 1) / rate - time.monotonic()
		if wait > 0.002:
			time.sleep(wait)


def say(media, n, word=b"?", rate=RATE):
	"""n packets whose payload begins with the word."""
	for _ in paced(n, rate):
		media.send((word + bytes(160))[:160])


def words(media, since=0):
	"""How many packets of each word came, in order of first hearing."""
	counts = {}
	for _, packet in media.received[since:]:
		word = bytes(packet[12:]).rstrip(b"\0")
		counts[word] = counts.get(word, 0) + 1
	return counts


def test_replay_in_every_form(topology, start, attacker):
	"""Real SRTP and SRTCP of the caller, from its own address: all, backwards, the last 64, at the callee's port, after a change of keys.
	A packet that is fresh is taken from the same hand."""
	gateway = start(access="sdes", core="sdes", suites=[SUITE], rtcp_mux="offer")
	with Leg(topology, "access", keying="sdes", suite=SUITE, mux=True) as access, \
	     Leg(topology, "core", keying="sdes", suite=SUITE, mux=True) as core, Capture(topology.access) as wire:
		set_up_warm(gateway, access, core)
		say(access.media, PACKETS)
		for _ in paced(PACKETS // 10):
			access.media.send_rtcp(sender_report(access.media.ssrc))
		core.media.wait_received(PACKETS)
		core.media.wait_received(PACKETS // 10, where=core.media.rtcp)
		wire.wait_media(PACKETS // 10, source=access.address, kind="rtcp").stop()
		own = [d.payload for d in wire.datagrams() if d.source == access.address and d.source_port == access.media.port]
		own = [p for p in own if access.media.ssrc.to_bytes(4, "big") in p[4:12]]
		rtp_, rtcp = [p for p in own if p[1] < 128], [p for p in own if p[1] >= 192]
		assert (len(rtp_), len(rtcp)) == (PACKETS, PACKETS // 10)
		source, target = (access.address, access.media.port), access.media.remote
		heard = len(core.media.received), len(core.media.rtcp)
		sent = attacker.flood(itertools.chain(rtp_, rtp_[::-1], rtp_[-64:]), target, source, RATE)
		sent_rtcp = attacker.flood(itertools.chain(rtcp, rtcp[::-1]), target, source, RATE)
		for packet in rtp_[-64:] + rtcp: # across the legs
			core.media.socket.sendto(packet, core.media.remote)
		access.masters = {SUITE: srtp.fresh_master(SUITE)}
		old, since = access.media.sending, gateway.mark()
		offer_again(access)
		gateway.wait_event("line rekeyed", since=since, leg="access") # before it, a packet under the new key may come too early
		say(access.media, 5, b"new key")
		core.media.wait_received(heard[0] + 5)
		sent += attacker.flood(rtp_, target, source, RATE)
		sent_rtcp += attacker.flood(rtcp, target, source, RATE)
		time.sleep(0.3)
		assert (len(core.media.received), len(core.media.rtcp)) == (heard[0] + 5, heard[1])
		fresh_packet = access.media.sending.protect(access.media.packet(MARK))
		assert old.master != access.media.sending.master
		attacker.send(fresh_packet, target, source)
		core.media.wait_received(heard[0] + 6)
		access.hang_up()
		core.taken_down()
		drops = {side: drops_of(gateway, access.dialog.call_id, side) for side in ("access", "core")}
	lost = attacker.lost()
	print(f"replayed {sent} SRTP, {sent_rtcp} SRTCP, 64 and {len(rtcp)} at the other leg: {drops}, lost on the wire at most {lost}")
	near, far = drops["access"], drops["core"]
	all_counted(near.get("replay", 0) + near.get("old", 0) + near.get("auth", 0), sent, lost, drops)
	assert near.get("auth", 0) <= len(rtp_) # once the old key is gone
	all_counted(sum(n for name, n in near.items() if name.startswith("rtcp_")), sent_rtcp, lost, drops)
	assert far["auth"] == 64 and sum(n for name, n in far.items() if name.startswith("rtcp_")) == len(rtcp)


@pytest.mark.parametrize("window,kept", [(1024, True), (128, False)])
def test_the_window_is_as_wide_as_it_says(topology, start, attacker, window, kept):
	"""A packet comes 900 late, and is no replay."""
	text = configuration(access="sdes", suites=[SUITE]).replace("  workers: 1", f"  workers: 1\n  replay_window: {window}")
	gateway = start(text=text)
	with Leg(topology, "access", keying="sdes", suite=SUITE) as access, Leg(topology, "core") as core:
		set_up_warm(gateway, access, core)
		say(access.media, 5)
		late = access.media.sending.protect(access.media.packet(b"late" + bytes(156)))
		access.media.sequence += 1
		say(access.media, 900)
		core.media.wait_received(905)
		for _ in range(2): # the second is one
			access.media.socket.sendto(late, access.media.remote)
		say(access.media, 1) # behind them
		core.media.wait_received(906 + kept)
		drops = end(gateway, access, core)["access"]
		assert words(core.media).get(b"late", 0) == int(kept)
	assert drops == ({"replay": 1} if kept else {"old": 2}), drops


class Listening:
	"""What a secured phone was sent, judged at the end: nothing foreign, no index twice."""

	def __init__(self, topology, leg):
		self.topology, self.leg = topology, leg
		self.wire = Capture(getattr(topology, leg.side))
		self.judge = Judge()

	def verdict(self):
		self.wire.stop()
		self.judge.add(fresh(self.leg.media.receiving))
		return self.judge.judge(media_of(self.wire, self.topology.gateway(self.leg.side), self.leg.address))

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.wire.delete()


@pytest.mark.parametrize("suite", [SUITE, "AEAD_AES_128_GCM"])
def test_no_index_twice_whatever_the_plain_side_does(topology, start, attacker, suite):
	"""The plain phone repeats its numbers with other contents, begins anew with its SSRC, and does so again after the relay, and then control,
	were killed. The secured side hears each new beginning; no index protects two packets, RTCP included."""
	gateway = start(access="sdes", suites=[suite], rtcp_mux="offer")
	with Leg(topology, "access", keying="sdes", suite=suite, mux=True) as access, Leg(topology, "core", rtcp=True) as core, \
	     Listening(topology, access) as listening:
		set_up_warm(gateway, access, core)
		mouth, began = core.media, core.media.sequence

		def report():
			before = len(access.media.rtcp)
			mouth.send_rtcp(sender_report(mouth.ssrc))
			access.media.wait_received(before + 1, 5, access.media.rtcp)

		def repeat(word):
			newest = mouth.sequence
			for back in (1, 10, 63, 100):
				mouth.sequence = newest - back
				say(mouth, 1, word)
			mouth.sequence = newest

		def restart(word):
			mouth.sequence = began
			say(mouth, 60, word, 250)
			report()

		say(mouth, 200, b"first", 500)
		report()
		repeat(b"altered")
		restart(b"restarted")
		repeat(b"altered")
		for number, child in enumerate(("relay", "control")):
			since = gateway.mark()
			gateway.kill_child(child)
			gateway.wait_event("child back", 10, since, child=child)
			if child == "relay":
				gateway.wait_event("relay back", 10, since)
			say(mouth, 60, b"after " + child.encode(), 250)
			repeat(b"altered")
			restart(b"restarted after " + child.encode())
		time.sleep(0.3)
		heard = words(access.media)
		assert not access.media.unreadable
		verdict = listening.verdict()
		access.hang_up()
		core.taken_down()
	print(suite, heard, verdict)
	assert verdict.good, verdict
	assert len({ssrc for _, ssrc in verdict.highest}) >= 2 and verdict.kinds["rtcp"] == 4
	for word, sent in ((b"first", 200), (b"restarted", 60), (b"after relay", 60), (b"restarted after relay", 60),
			   (b"after control", 60), (b"restarted after control", 60)):
		assert heard.get(word, 0) >= 0.5 * sent, (word, heard) # some 10 are lost; more, where this thread is late


def test_the_judge_knows_a_sender_that_forgets(topology):
	"""The control of the above: a phone that begins anew as careless senders do is found out from a capture."""
	target = topology.access.udp(topology.phone("access", 11))
	master = srtp.fresh_master(SUITE)
	with Capture(topology.access, "lo") as wire:
		sender = topology.access.udp(topology.phone("access"))
		for content in (b"a", b"b"): # one key stream for both
			context = srtp.Context(SUITE, master)
			for n in range(5):
				sender.sendto(context.protect(rtp(7, n, payload=content * 160)), target.getsockname())
		time.sleep(0.2)
		wire.stop()
		verdict = Judge(srtp.Context(SUITE, master)).judge(d for d in wire.datagrams())
	sender.close()
	target.close()
	assert not verdict.foreign and len(verdict.repeated) == 5
