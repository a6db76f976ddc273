# SPDX-License-Identifier: GPL-3.0-or-later
# RTP header extensions through the gateway: what passes, what is encrypted on the secured leg and in clear on the other.
# The eavesdropper on the access side looks for the octets themselves.
import struct

import pytest

from lib import sealed
from lib.capture import Capture
from lib.gateway import configuration
from lib.leg import Leg, both_hear, call
from lib.sealed import SealedLeg

LEVEL, TIME = "urn:ietf:params:rtp-hdrext:ssrc-audio-level", "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
ENCRYPT = "urn:ietf:params:rtp-hdrext:encrypt"
# Long enough that chance does not make them.
TOLD, OPEN = b"level-of-access!", b"time"
TOLD_BACK, OPEN_BACK = b"level-of-core---", b"emit"
CSRCS = b"one+two!"


def with_profile(key, value, realm_profile="sdes", **settings):
	"""A configuration whose profile of that name says more."""
	text = configuration(access="sdes", **settings)
	head, name, rest = text.partition(f"  - name: {realm_profile}\n    keying")
	return f"{head}  - name: {realm_profile}\n    {key}: {value}\n    keying{rest}"


def phones(topology, attributes, suite="AES_CM_128_HMAC_SHA1_80", elements=True, **access):
	access = SealedLeg(topology, "access", suite=suite, attributes=attributes,
			   elements=[(3, TOLD), (5, OPEN)] if elements else (), **access)
	core = Leg(topology, "core", attributes=[f"extmap:3 {LEVEL}", f"extmap:5 {TIME}"])
	core.media.packet = lambda payload: sealed.packet(core.media, payload, [(3, TOLD_BACK), (5, OPEN_BACK)])
	return access, core


def seen(wire, octets):
	"""How many of the RTP packets on the access side hold these octets, in clear."""
	packets = list(wire.media())
	assert len(packets) > 60
	return sum(octets in d.payload for d in packets)


def came(leg):
	return [sealed.elements(packet) for _, packet in leg.media.received[-20:]]


def run(topology, access, core):
	"""A call of some packets; returns how many on the access side held each of the words in clear."""
	with access, core, Capture(topology.access) as wire:
		call(access, core)
		both_hear(access, core, packets=40, seconds=0.4)
		access.hang_up()
		core.taken_down()
		wire.stop()
		return {octets: seen(wire, octets) for octets in (TOLD, OPEN, TOLD_BACK, OPEN_BACK, CSRCS)}


def test_element_by_element(topology, start):
	"""RFC 6904: one of two extensions is encrypted on the access side, both are in clear on the core's."""
	start(access="sdes")
	access, core = phones(topology, [f"extmap:3 {ENCRYPT} {LEVEL}", f"extmap:5 {TIME}"], encrypted=[3])
	readable = run(topology, access, core)
	assert access.described.attributes("extmap") == [f"3 {ENCRYPT} {LEVEL}", f"5 {TIME}"]
	assert core.described.attributes("extmap") == [f"3 {LEVEL}", f"5 {TIME}"]
	assert all(each == [(3, TOLD), (5, OPEN)] for each in came(core))
	assert all(each == [(3, TOLD_BACK), (5, OPEN_BACK)] for each in came(access))
	assert readable[TOLD] == readable[TOLD_BACK] == 0
	assert readable[OPEN] > 30 and readable[OPEN_BACK] > 30 # the control: what is not encrypted is found


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"])
def test_cryptex(topology, start, suite):
	"""RFC 9335: nothing of the extension, nor the CSRCs, is readable on the access side."""
	start(access="sdes")
	access, core = phones(topology, [f"extmap:3 {LEVEL}", f"extmap:5 {TIME}"], suite=suite, cryptex=True,
			      csrcs=struct.unpack("!II", CSRCS))
	readable = run(topology, access, core)
	assert access.described.attributes("cryptex") and not core.described.attributes("cryptex")
	assert access.media.receiving.cryptex_seen == len(access.media.received) > 30
	assert all(each == [(3, TOLD), (5, OPEN)] for each in came(core))
	assert all(each == [(3, TOLD_BACK), (5, OPEN_BACK)] for each in came(access))
	assert all(packet[12:20] == CSRCS for _, packet in core.media.received[-20:])
	assert not any(readable.values())


def test_only_what_the_profile_names(topology, start):
	"""A URI that is not in the list leaves the descriptions, and its element every packet."""
	start(text=with_profile("header_extensions", f'["{LEVEL}"]', realm_profile="plain"))
	access, core = phones(topology, [f"extmap:3 {LEVEL}", f"extmap:5 {TIME}"])
	readable = run(topology, access, core)
	assert access.described.attributes("extmap") == core.described.attributes("extmap") == [f"3 {LEVEL}"]
	assert all(each == [(3, TOLD)] for each in came(core))
	assert all(each == [(3, TOLD_BACK)] for each in came(access))
	assert not any(OPEN in packet for _, packet in core.media.received)
	assert readable[OPEN_BACK] == 0 and readable[TOLD_BACK] > 30


def test_none_at_all(topology, start):
	start(text=with_profile("header_extensions", "[]"))
	access, core = phones(topology, [f"extmap:3 {LEVEL}", f"extmap:5 {TIME}", "extmap-allow-mixed"])
	readable = run(topology, access, core)
	assert not access.described.attributes("extmap") and not core.described.attributes("extmap")
	assert not any(packet[0] & 0x10 for leg in (access, core) for _, packet in leg.media.received)
	assert readable[TOLD] > 30 and readable[TOLD_BACK] == 0 # what the phone itself sends is its own affair
