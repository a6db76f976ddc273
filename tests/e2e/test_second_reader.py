# SPDX-License-Identifier: GPL-3.0-or-later
# Wireshark reads what the gateway sent: every packet is understood, none is malformed, every checksum is right. Damage that
# we do to a copy is found.
import time

import pytest

from lib import tshark
from lib.capture import Capture, kind_of
from lib.leg import Leg, both_hear, call
from lib.media import sender_report


def complete_checksums(topology):
	"""Of what Linux itself sends, SIP: else it leaves them to the card, and a veth needs none."""
	for device in topology.DEVICE.values():
		topology.gw.run("ethtool", "-K", device, "tx", "off")


SUITE = "AES_CM_128_HMAC_SHA1_80" # of AEAD's SRTCP Wireshark takes the tag's end for the E-bit, and reads cipher text every other time


def some_calls(topology, family):
	for keying in ("dtls", "sdes"):
		with Leg(topology, "access", keying=keying, suite=SUITE, mux=keying == "dtls", rtcp=True, family=family) as access, \
		     Leg(topology, "core", rtcp=True, family=family) as core:
			call(access, core)
			both_hear(access, core, packets=20, seconds=0.2)
			for sender, receiver in ((access, core), (core, access)):
				sender.media.send_rtcp(sender_report(sender.media.ssrc))
				receiver.media.wait_received(1, 5, receiver.media.rtcp)
			access.hang_up()
			core.taken_down()


DAMAGE = { # what is changed in one packet, of which kind
	"rtp with sources that are not there": ("rtp", lambda p: bytes([p[0] | 15]) + p[1:20]),
	"rtp that is cut short": ("rtp", lambda p: p[:8]),
	"rtcp that is cut short": ("rtcp", lambda p: p[:10]),
	"dtls message that is longer than its record": ("dtls", lambda p: p[:14] + b"\x00\x00\x10" + p[17:22] + b"\x00\x00\x10" + p[25:]
		if p[0] == 22 and p[3:5] == b"\0\0" else None),
}


@pytest.mark.parametrize("family", [4, 6])
def test_nothing_of_ours_is_malformed(topology, start, family, tmp_path):
	complete_checksums(topology)
	start(family=family)
	with Capture(topology.access) as outer, Capture(topology.core) as inner:
		some_calls(topology, family)
		time.sleep(0.2) # what is under way
		for side, wire in (("access", outer.stop()), ("core", inner.stop())):
			gateway = topology.gateway(side, family)
			found = tshark.protocols(wire.path, gateway)
			assert found["rtp"] > 40 and found["rtcp"] >= 2 and found["sip"] >= 4 and (found["dtls"] >= 4 or side == "core"), found
			assert not tshark.unknown(wire.path, gateway)
			assert not tshark.malformed(wire.path, gateway)
		if family == 4:
			for what, (kind, edit) in DAMAGE.items():
				copy = tmp_path / "damaged.pcap"
				gateway = topology.gateway("access")
				assert tshark.damaged(outer.path, copy, gateway, lambda p: edit(p) if kind_of(p) == kind else None), what
				assert len(tshark.malformed(copy, gateway)) == 1, what
