# SPDX-License-Identifier: GPL-3.0-or-later
# Packets that nobody keyed (docs/security.md M3, M4, M9, M10, S2): one flipped bit, a million bad tags, endless SSRCs, every first octet,
# STUN. The call goes on, each packet has its counter, nothing comes back.
import itertools
import os
import random
import struct
import time

import pytest

from lib import srtp
from lib.attack import FULL, all_counted, end, secured, set_up
from lib.attacker import MARK, Attacker, marked, rtp
from lib.capture import Capture
from lib.gateway import Gateway, sanitized
from lib.leg import Leg, both_hear
from lib.naive import NaiveRelay
from lib.netns import Topology

SUITE = "AES_CM_128_HMAC_SHA1_80"
FLOOD = 1_000_000 if FULL else 10_000 # bad tags, and runts; of each source
RATE = 40_000 if FULL else 8_000      # a second; what a veth pair and two shared cores carry without loss


@pytest.fixture(scope="module")
def topology():
	with Topology(attacker=True) as made:
		yield made


@pytest.fixture(scope="module")
def gateway(topology):
	"""One for all: each test has a call of its own."""
	with Gateway(topology, access="sdes", core="sdes", suites=[SUITE, "AEAD_AES_128_GCM"]) as made:
		yield made


@pytest.fixture
def attacker(topology):
	with Attacker(topology) as made:
		yield made


def talking(gateway, access, core):
	set_up(access, core)
	secured(gateway, access, core)
	for leg in (access, core):
		leg.talk()
	both_hear(access, core, packets=12, seconds=0.1)


def next_packets(media, n, payload=(MARK * 16)[:160]):
	"""The phone's own next n packets, sealed and not sent; it is silent now."""
	media.silence()
	time.sleep(0.05)
	packets = []
	for _ in range(n):
		packets.append(media.sending.protect(media.packet(payload)))
		media.sequence += 1
	return packets


@pytest.mark.parametrize("suite", [SUITE, "AEAD_AES_128_GCM"])
def test_one_flipped_bit_with_equal_keys_on_both_legs(topology, gateway, attacker, suite):
	"""Both phones have the same master key. Fresh packets of the caller, each with another bit wrong, from its own address: none leaves
	the gateway, by decryption or around it. Whole, they do."""
	with Leg(topology, "access", keying="sdes", suite=suite) as access, \
	     Leg(topology, "core", keying="sdes", suite=suite) as core, Capture(topology.core) as wire:
		core.masters = access.masters
		talking(gateway, access, core)
		bits = 8 * srtp.SUITES[suite].tag
		packets = next_packets(access.media, bits + 8)
		source = access.address, access.media.port
		flipped = [packet[:-1 - bit // 8] + bytes([packet[-1 - bit // 8] ^ 1 << bit % 8]) + packet[len(packet) - bit // 8:]
			   for bit, packet in enumerate(packets[:bits])]
		sent = attacker.flood(flipped, access.media.remote, source, rate=1000)
		time.sleep(0.2)
		assert not marked(core.media.received)
		attacker.flood(packets[bits:], access.media.remote, source, rate=1000)
		deadline = time.monotonic() + 10
		while len(marked(core.media.received)) < 8 and time.monotonic() < deadline:
			time.sleep(0.02)
		assert len(marked(core.media.received)) == 8
		access.talk()
		both_hear(access, core, packets=12, seconds=0.1)
		assert not gateway.events("source moved")
		drops = end(gateway, access, core)["access"]
		assert set(drops) == {"auth"}, drops
		all_counted(drops["auth"], sent, attacker.lost(), drops)
		wire.stop()
		assert not [d for d in wire.media(source=topology.GW["core"]) if d.payload in flipped]
	assert not attacker.received()


def gaps(media, since):
	"""(expected, missing) sequence numbers in what came since."""
	numbers = [struct.unpack_from("!H", packet, 2)[0] for _, packet in media.received[since:]]
	span = (numbers[-1] - numbers[0]) & 0xFFFF
	return span + 1, span + 1 - len(set(numbers))


@pytest.mark.alone
@pytest.mark.parametrize("spoofed", [False, True], ids=["own-address", "peers-address"])
def test_a_flood_of_bad_tags(topology, gateway, attacker, spoofed):
	"""Right SSRC, sequence numbers around the right ones, and runts of 14 octets; the call's own packets come through."""
	with Leg(topology, "access", keying="sdes", suite=SUITE) as access, Leg(topology, "core", keying="sdes") as core:
		talking(gateway, access, core)
		media, since, mark = access.media, len(core.media.received), gateway.mark()
		tail = os.urandom(10)
		runt = struct.pack("!BBHII", 0x80, 0, 1, 2, media.ssrc) + b"\x55\x55"
		body = [rtp(media.ssrc, 0, tail=tail), runt]
		n_runts = FLOOD // 10

		def forged():
			for n in range(FLOOD):
				if n % 10 == 0:
					yield runt
				else:
					yield body[0][:2] + struct.pack("!H", media.sequence + n % 64 & 0xFFFF) + body[0][4:]

		began = time.monotonic()
		sent = attacker.flood(forged(), media.remote, (access.address, media.port) if spoofed else None, RATE)
		took = time.monotonic() - began
		both_hear(access, core, packets=12, seconds=0.1)
		expected, missing = gaps(core.media, since)
		lines = len(gateway.process.lines) - mark
		drops, lost = end(gateway, access, core)["access"], attacker.lost()
	print(f"{sent} forged at {sent / took:.0f}/s from {'the peer' if spoofed else 'elsewhere'}: call lost {missing} of {expected}, "
	      f"counted {drops}, lost on the wire at most {lost}, {lines} log lines in {took:.1f} s")
	# One that has the number of a packet just accepted is refused before its tag is looked at.
	counted = sum(drops.get(name, 0) for name in ("auth", "malformed", "replay", "old"))
	all_counted(counted, sent, lost, drops)
	all_counted(drops["malformed"], n_runts, lost, drops)
	assert missing <= max(expected * 0.001, lost) and not marked(core.media.received)
	assert lines <= 1 + took and not attacker.received()


def test_ssrcs_without_end(topology, gateway, attacker):
	"""Random SSRCs with bad tags bind nothing: no memory, and a source of the real peer that comes after them is heard. Of the real
	peer's own, as many as there are places; the others are named."""
	n = 100_000 if FULL else 10_000
	with Leg(topology, "access", keying="sdes", suite=SUITE) as access, Leg(topology, "core", keying="sdes") as core:
		talking(gateway, access, core)
		before = {kind: gateway.memory_kb(kind) for kind in ("relay", "control")}
		tail = os.urandom(10)
		sent = attacker.flood((rtp(random.getrandbits(32), k, tail=tail) for k in range(n)), access.media.remote,
				      (access.address, access.media.port), RATE)
		grown = {kind: gateway.memory_kb(kind) - size for kind, size in before.items()}
		access.media.silence()
		for _ in range(24):
			access.media.ssrc = random.getrandbits(32)
			access.media.send(bytes(160))
		access.media.send(MARK * 10) # the last one again
		time.sleep(0.3)
		heard = {packet[8:12] for _, packet in core.media.received}
		drops, lost = end(gateway, access, core)["access"], attacker.lost()
	print(f"{sent} SSRCs: memory grew by {grown} kB; of 25 authenticated ones {len(heard)} heard; {drops}")
	all_counted(drops["auth"], sent, lost, drops)
	assert all(size <= (1024 if sanitized() else 64) for size in grown.values()), grown
	assert len(heard) == 16 and drops["ssrc_limit"] == 25 - 16 + 1


def first_octets():
	"""RFC 7983: all 256 at five lengths. Zeros behind them: RTP of payload type 0 where they say RTP."""
	for first, size in itertools.product(range(256), (0, 1, 4, 12, 1472)):
		yield (bytes([first]) + bytes(1471))[:size]


def test_every_first_octet(topology, gateway, attacker):
	"""Each goes where RFC 7983 says: 16 to STUN and 176 to DTLS, 64 RTP packets too short for a tag, 64 with a bad one, the rest
	unknown. Nothing comes back and the call goes on."""
	with Leg(topology, "access", keying="sdes", suite=SUITE) as access, Leg(topology, "core", keying="sdes") as core:
		talking(gateway, access, core)
		attacker.flood(first_octets(), access.media.remote, rate=1000)
		both_hear(access, core, packets=12, seconds=0.1)
		drops = end(gateway, access, core)["access"]
		assert not attacker.lost()
	assert not attacker.received()
	assert drops == {"unknown_kind": 960, "malformed": 64, "auth": 64, "dtls_stale": 176, "stun": 16}, drops


def stun(*attributes, kind=1):
	body = b"".join(struct.pack("!HH", name, len(value)) + value + bytes(-len(value) % 4) for name, value in attributes)
	return struct.pack("!HHI", kind, len(body), 0x2112A442) + os.urandom(12) + body


STUN = [stun(), stun((0x0006, b"a:b")), stun((0x0006, b"a:b"), (0x0008, bytes(20))), stun((0x8028, bytes(4))),
	stun((0x0003, bytes(4))), stun((0x0001, b"x" * 400)), stun(kind=0x0003), b"\0\1\0\0" + bytes(16), b"\0", b"\1\1" + bytes(18)]


def test_stun_is_not_answered(topology, gateway, attacker):
	"""Without integrity, with a wrong one, malformed, RFC 3489's; at RTP and RTCP ports, live and not: nothing comes back. A responder that answers
	anybody is seen to."""
	with Leg(topology, "access", keying="sdes", rtcp=True) as access, Leg(topology, "core", keying="sdes") as core:
		talking(gateway, access, core)
		host, port = access.media.remote
		for target in (port, port + 1, 32700):
			attacker.flood(STUN * 20, (host, target), rate=2000)
			attacker.flood(STUN * 20, (host, target), (access.address, access.media.port), rate=2000)
		both_hear(access, core, packets=12, seconds=0.1)
		assert not access.media.unreadable
		end(gateway, access, core)
	with NaiveRelay(topology) as relay:
		attacker.flood([stun()] * 5, relay.access)
		time.sleep(0.3)
		attacker.capture.stop()
		answers = [d for d in attacker.capture.datagrams() if d.source == topology.GW["access"]]
	assert len(answers) == 5 and {d.source_port for d in answers} == {relay.access[1]}
