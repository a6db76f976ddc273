# SPDX-License-Identifier: GPL-3.0-or-later
# Ways that take less than an Ethernet frame: handshakes are cut to fit, media above the MTU is dropped by name, fragments
# of others are dropped and counted. Nothing of ours is ever a fragment.
import os
import pathlib
import struct
import subprocess
import tempfile
import time

import pytest

from lib import dtls, tshark
from lib.capture import Capture
from lib.gateway import configuration
from lib.leg import Leg, both_hear, call


FULL = os.environ.get("SALLYPORT_FULL") == "1"


@pytest.fixture(scope="module")
def rsa():
	"""A certificate that makes flights long: RSA, 4096 bits."""
	with tempfile.TemporaryDirectory(prefix="spe2e-rsa-") as name:
		folder = pathlib.Path(name)
		folder.chmod(0o755) # control reads it without privileges
		subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:4096", "-nodes", "-subj", "/CN=gateway", "-days", "30",
				"-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
		(folder / "key.pem").chmod(0o644)
		yield folder


def narrow(topology, mtu):
	"""The phone's card takes no longer packet, as a tunnel on the way; what is longer is lost without a word."""
	topology.access.run("ip", "link", "set", "net0", "mtu", str(mtu))


class NarrowLeg(Leg):
	"""Its own flights fit, too: it knows its card."""

	def _begin_dtls(self, active):
		self.media.dtls(dtls.Endpoint(self.certificate, active, self.suites, mtu=500))


def config(rsa, **more):
	text = configuration(access=more.pop("access", "secure"), **more)
	return text + f"dtls: {{certificate: {rsa / 'cert.pem'}, key: {rsa / 'key.pem'}}}\n"


def longest(wire, gateway):
	"""Of the IP packets from the gateway to media ports."""
	return max(len(d.payload) + 28 for d in wire.stop().datagrams() if d.source == gateway and 5060 not in (d.source_port, d.target_port))


@pytest.mark.parametrize("profile,mtu", [("passive", 576), ("active", 900)] + ([("active", 576), ("passive", 900)] if FULL else []))
def test_handshakes_over_a_narrow_way(topology, start, rsa, profile, mtu):
	"""The route says the MTU; our flight with a long certificate comes in fragments of DTLS, none longer than that."""
	narrow(topology, mtu)
	topology.gw.run("ethtool", "-K", "access0", "tx", "off") # the checksums of SIP, too
	topology.gw.run("ip", "route", "replace", "10.10.0.0/24", "dev", "access0", "src", "10.10.0.1", "mtu", str(mtu))
	gateway = start(text=config(rsa, access=profile))
	with Capture(topology.access) as wire, NarrowLeg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call_id = call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		assert gateway.wait_event("line secured", call_id=call_id, leg="access")["dtls_role"] == profile
		access.hang_up()
		core.taken_down()
		assert not tshark.malformed(wire.stop().path, topology.gateway("access"))
		assert mtu - 200 < longest(wire, topology.gateway("access")) <= mtu
		summary = gateway.wait_event("media summary", call_id=call_id, leg="access")
		assert "too_big" not in summary["drops_by"], summary


@pytest.mark.parametrize("mtu", [None, 640], ids=["lost", "configured"])
def test_a_narrow_way_that_nobody_knows_of(topology, start, rsa, mtu):
	"""The control: no route says it, so flights are lost and the keys never come. `dtls: mtu` is what the operator can do.
	SIP goes by TCP, which finds out by itself."""
	narrow(topology, 700)
	text = config(rsa, access="passive", keying_timeout=2, transport="tcp")
	gateway = start(text=text.replace("key.pem}", f"key.pem, mtu: {mtu}}}") if mtu else text)
	with NarrowLeg(topology, "access", keying="dtls", transport="tcp") as access, Leg(topology, "core", transport="tcp") as core:
		access.dial()
		core.pick_up()
		access.dialled_answer()
		if mtu:
			access.secured()
			access.hang_up()
		else:
			access.taken_down(8)
			assert gateway.wait_event("keying failed")["seen_fingerprints"] == "none"
		core.taken_down(8)


def rtp(media, size):
	media.sequence += 1
	return media.packet(bytes(size))


def test_media_above_the_mtu(topology, start):
	"""Dropped as too big, by name and number; what fits goes on, and no fragment leaves."""
	gateway = start(access="plain")
	with Capture(topology.access, expression="ip") as wire, Leg(topology, "access") as access, Leg(topology, "core") as core:
		call_id = call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		big = rtp(core.media, 1000)
		core.media.socket.sendto(big, core.media.remote) # fits yet
		access.media.wait_received(len(access.media.received) + 1)
		since = gateway.mark()
		topology.gw.run("ip", "route", "replace", "10.10.0.0/24", "dev", "access0", "src", "10.10.0.1", "mtu", "900")
		assert gateway.wait_event("routes changed", since=since)["moved"] >= 1
		for _ in range(20):
			core.media.socket.sendto(rtp(core.media, 1000), core.media.remote)
		both_hear(access, core, packets=20, seconds=0.2)
		access.hang_up()
		core.taken_down()
		assert sum(len(packet) == len(big) for _, packet in access.media.received) == 1
		assert "too_big=20" in gateway.wait_event("media summary", call_id=call_id, leg="access")["drops_by"]
		assert longest(wire, topology.gateway("access")) == len(big) + 28
		frames = wire.path.read_bytes()
		assert struct.pack("!H", 0x2000) not in {frames[i + 20:i + 22] for i in offsets(frames)}


def offsets(raw):
	"""Where the frames of a pcap file begin."""
	at = 24
	while at + 16 <= len(raw):
		yield at + 16
		at += 16 + struct.unpack_from("<I", raw, at + 8)[0]


def sizes(leg):
	return [len(packet) for _, packet in leg.media.received]


def test_fragments_to_media_ports(topology, start):
	"""Whole datagrams of 1400 bytes pass; the same in fragments are dropped before the relay, counted, and never answered."""
	gateway = start(access="plain")
	with Leg(topology, "access") as access, Leg(topology, "core") as core, \
	     Capture(topology.core, expression="icmp") as icmp:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		core.media.socket.sendto(rtp(core.media, 1400), core.media.remote)
		deadline = time.monotonic() + 5
		while 1412 not in sizes(access):
			assert time.monotonic() < deadline, "the whole datagram did not come"
			access.media.wait_received(len(access.media.received) + 1)
		for _ in range(10):
			core.media.socket.sendto(rtp(core.media, 3000), core.media.remote)
		both_hear(access, core, packets=20, seconds=0.2)
		assert sizes(access).count(1412) == 1 and sizes(access).count(3012) == 0
		core.hang_up()
		access.taken_down()
		assert len(icmp.stop().path.read_bytes()) == 24
	gateway.stop()
	steering = gateway.wait_event("steering", interface="core0")
	assert steering["fragment"] == 10, steering
