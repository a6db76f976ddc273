# SPDX-License-Identifier: GPL-3.0-or-later
# Bleed and inject (docs/security.md M1, M2): somebody without keys sends into a live call at every moment of its life. He must
# hear nothing, and nobody may hear him.
import itertools
import time

import pytest

from lib.attack import FULL, all_counted, attacker, drops_of, offer_again, set_up, topology # noqa: F401
from lib.attacker import marked, rtp
from lib.leg import Leg, both_hear
from lib.media import Media
from lib.naive import NaiveRelay

PACKETS = 1000 if FULL else 100 # of each of two sorts, at each of the four moments
RATE = 1000


class Attack:
	"""Sends at one target and counts; knows the victim's SSRC and numbers, as one does who reads the wire."""

	def __init__(self, attacker, victim):
		self.attacker, self.victim, self.sent = attacker, victim, 0

	def moment(self, target, packets=PACKETS):
		media = self.victim.media
		blind = (rtp(0x66666666, n) for n in range(packets))
		informed = (rtp(media.ssrc, media.sequence + 1 + n // 8) for n in range(packets))
		self.sent += self.attacker.flood(itertools.chain(blind, informed), target, rate=RATE)


KINDS = {"dtls": ("secure", {"keying": "dtls"}), "sdes": ("sdes", {"keying": "sdes"}), "plain": ("plain", {})}


@pytest.mark.parametrize("kind", KINDS)
def test_a_stranger_hears_nothing_and_is_not_heard(topology, start, attacker, kind):
	profile, keying = KINDS[kind]
	gateway = start(access=profile)
	with Leg(topology, "access", **keying) as access, Leg(topology, "core") as core:
		set_up(access, core)
		gateway.wait_event("line secured", leg="core") # both ports are live: what they drop is the call's own
		attack = Attack(attacker, access)
		core.talk() # there is something to hear
		attack.moment(access.media.remote)         # (a) before the first real packet
		access.secured()
		access.talk()
		core.media.wait_received(5)
		attack.moment(access.media.remote)         # (b) within the window that a plain leg may have
		both_hear(access, core, packets=12, seconds=0.1)
		if FULL:
			time.sleep(5)
		attack.moment(access.media.remote)         # (c) after it
		offer_again(access)
		attack.moment(access.media.remote)         # (d) right after a re-INVITE
		both_hear(access, core, packets=12, seconds=0.1)
		access.hang_up()
		core.taken_down()
		assert not attacker.received()
		assert not marked(core.media.received) and not marked(core.media.rtcp)
		drops = drops_of(gateway, access.dialog.call_id)
	named = sum(drops.get(name, 0) for name in ("wrong_source", "auth", "not_keyed"))
	print(f"{kind}: sent {attack.sent}, counted {drops}, lost on the wire at most {attacker.lost()}")
	all_counted(named, attack.sent, attacker.lost(), drops)


@pytest.mark.parametrize("learn,nat", [("never", False), ("nat", False), ("nat", True), ("any", False)])
def test_learning_on_a_plain_leg(topology, start, attacker, learn, nat):
	"""In each mode the attacker is first, and goes on; the peer begins a third of a second later. Behind a NAT, its SDP has an
	address that nobody hears from."""
	start(access="plain", learn=learn)
	topology.gw.run("ip", "route", "add", "default", "via", topology.phone("access"))
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		if nat:
			access.address = "192.168.1.5"
		set_up(access, core)
		attack = Attack(attacker, access)
		core.talk()
		attack.moment(access.media.remote, 150)
		access.talk()
		attack.moment(access.media.remote, 250)
		both_hear(access, core, packets=12, seconds=0.1)
		access.hang_up()
		core.taken_down()
		heard = attacker.received()
		print(f"learn {learn}, NAT {nat}: attacker sent {attack.sent}, heard {len(heard)}")
		assert len(heard) <= 4 and not marked(core.media.received)


def test_learning_from_anywhere_trusts_whom_it_hears_alone(topology, start, attacker):
	"""What `learn: any` costs, and the proof that these tests see a bleed: the peer is silent for longer than a second. When it does
	speak within the window, the leg is its own again."""
	start(access="plain", learn="any")
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		set_up(access, core)
		core.talk()
		Attack(attacker, access).moment(access.media.remote, 650)
		access.talk()
		core.media.wait_received(len(marked(core.media.received)) + 10)
		back = time.time()
		both_hear_from_now(access, core)
		access.hang_up()
		core.taken_down()
		heard = attacker.received()
		assert len(heard) > 4, "the attack has to work here"
		assert not [d for d in heard if d.time > back + 0.1]


def both_hear_from_now(access, core):
	for leg in (access, core):
		leg.media.received.clear()
	both_hear(access, core, packets=12, seconds=0.1)


def test_one_stolen_packet_moves_nothing(topology, start, attacker):
	"""Genuine packets of the phone, kept from the gateway and sent from elsewhere: one changes nothing. Two are what a peer that really moved
	looks like: media (unreadable to him) follows, at most until the phone's own next packets two seconds on."""
	gateway = start(access="sdes")
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		set_up(access, core)
		for leg in (access, core):
			leg.talk()
		both_hear(access, core, packets=12, seconds=0.1)
		for stolen in (1, 2):
			packets = steal(access.media, stolen)
			for packet in packets:
				attacker.send(packet, access.media.remote)
				time.sleep(0.06) # the relay reports one a transport in 50 ms
			if stolen == 1:
				time.sleep(0.2)
				before = len(list(attacker.capture.datagrams()))
			access.talk()
		assert before == 0
		gateway.wait_event("source moved", to=f"{attacker.address}:{attacker.port}")
		gateway.wait_event("source moved", to=f"{access.address}:{access.media.port}", timeout=5)
		both_hear_from_now(access, core)
		access.hang_up()
		core.taken_down()
		heard = attacker.received()
		print(f"two stolen packets: {len(heard)} encrypted packets astray")
		assert 0 < len(heard) < 150


def steal(media, n):
	media.silence()
	time.sleep(0.05)
	packets = []
	for _ in range(n):
		packets.append(media.sending.protect(media.packet(bytes(160))))
		media.sequence += 1
	return packets


def test_a_relay_that_latches_does_bleed(topology, attacker):
	"""The positive control: the same packets at a relay with the hole. The attacker hears, and is heard."""
	with NaiveRelay(topology) as relay, \
	     Media(topology.access, topology.phone("access")) as victim, Media(topology.core, topology.phone("core")) as callee:
		victim.remote, callee.remote = relay.access, relay.core
		victim.talk()
		callee.talk()
		callee.wait_received(10)
		for _ in range(10): # 1.5 s each: the callee says 75 packets
			attacker.flood((rtp(victim.ssrc, n) for n in range(1500)), relay.access, rate=RATE)
			if marked(callee.received) and relay.relayed[attacker.address] > 10:
				break
		assert marked(callee.received)
		assert len([d for d in attacker.received() if d.source_port == relay.access[1]]) > 4
