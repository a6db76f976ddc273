# SPDX-License-Identifier: GPL-3.0-or-later
# Phones behind a NAT without ICE, and a gateway behind one: what is signalled is not where media comes from.
import os
import time

import pytest

from lib import audio
from lib.baresip import Baresip
from lib.capture import Capture, Readable
from lib.gateway import Gateway, configuration
from lib.leg import Leg, both_hear, call, report_until_heard
from lib.media import sender_report
from lib.nat import HOME, Home, keep_open
from lib.netns import Namespace, veth
from test_chain import AsCore

PROFILES = {"dtls": "secure", "sdes": "sdes", "none": "plain"}
NAT = "10.10.0.10"
FULL = os.environ.get("SALLYPORT_FULL") == "1"


@pytest.fixture
def topology():
	with Home() as made:
		yield made


def home_leg(topology, keying, **more):
	leg = Leg(topology, "home", keying=keying, **more)
	leg.tone = leg.media.tone = audio.TONE_A
	return leg


def reports_cross(home, core):
	"""RTCP, too, finds its way back: on a port of its own, which the NAT has mapped on its own, once the phone has sent some."""
	report_until_heard(home, core)
	home.media.send_rtcp(sender_report(home.media.ssrc)) # as media, secured reports move a path by two
	report_until_heard(core, home)
	for sender, receiver in ((home, core), (core, home)):
		assert any(sender.media.ssrc.to_bytes(4, "big") in packet for _, packet in receiver.media.rtcp)


@pytest.mark.parametrize("keying", list(PROFILES))
def test_a_phone_behind_a_nat(topology, start, keying):
	"""Calls in and out: both hear each other, SIP goes back where it came from, either side ends the call."""
	gateway = start(access=PROFILES[keying])
	for outward in (True, False):
		with home_leg(topology, keying, rtcp=True, mux=keying == "dtls") as home, Leg(topology, "core", rtcp=True) as core:
			assert keep_open(home.phone, topology.gateway("access")) == 5060
			call_id = call(home, core) if outward else call(core, home)
			both_hear(home, core)
			if keying != "dtls" or home.mux: # our phone has no second association
				reports_cross(home, core)
			line = gateway.wait_event("line secured", call_id=call_id, leg="access")
			if keying == "dtls": # a ClientHello of ours would have gone to the private address
				assert line["dtls_role"] == "passive", line
			else:
				moved = gateway.wait_event("source moved", call_id=call_id)
				assert moved["from"].startswith(f"{HOME}:") and moved["to"].startswith(f"{NAT}:"), moved
			(core if outward else home).hang_up()
			(home if outward else core).taken_down()


def test_without_a_packet_of_its_own_nothing_is_heard(topology, start):
	"""The control of the tests above: a phone that says nothing is not found, and the call ends by name. So what the
	others heard, they heard because their packets showed the way."""
	gateway = start(access="sdes", keying_timeout=2)
	with home_leg(topology, "sdes") as home, Leg(topology, "core") as core, Capture(topology.access) as wire:
		home.dial()
		core.pick_up()
		home.dialled_answer()
		core.talk()
		lost = gateway.wait_event("path lost", call_id=home.dialog.call_id, leg="access")
		assert lost["remote"].startswith(f"{HOME}:") and lost["cause"] == "Network is unreachable"
		home.taken_down()
		core.taken_down()
		assert not home.media.received and not list(wire.stop().media(source=topology.gateway("access")))
	ended = gateway.wait_event("call ended", call_id=home.dialog.call_id)
	assert ended["cause"].startswith(f"no way to {HOME}:"), ended


def test_sip_by_received_and_rport(topology, start):
	"""A NAT that gives SIP another port, too: responses and the far side's BYE go to it."""
	topology.access.run("nft", "flush", "chain", "ip", "nat", "out")
	topology.access.run("nft", "add", "rule", "ip", "nat", "out", "ip", "saddr", "192.168.1.0/24", "meta", "l4proto", "udp",
			    "masquerade", "to", ":40000-41000", "fully-random")
	start(access="sdes")
	with home_leg(topology, "sdes") as home, Leg(topology, "core") as core:
		assert keep_open(home.phone, topology.gateway("access")) >= 40000
		call(home, core)
		both_hear(home, core)
		core.hang_up()
		home.taken_down()


@pytest.mark.parametrize("keying", ["dtls", "sdes"])
def test_a_secured_leg_follows_a_nat_that_maps_anew(topology, start, keying):
	gateway = start(access=PROFILES[keying])
	with home_leg(topology, keying) as home, Leg(topology, "core") as core:
		call_id = call(home, core)
		both_hear(home, core)
		time.sleep(2) # at most one move in 2 s
		since = gateway.mark()
		topology.rebind()
		moved = gateway.wait_event("source moved", since=since, call_id=call_id)
		assert moved["from"] != moved["to"] and moved["to"].startswith(f"{NAT}:")
		both_hear(home, core)
		assert home.media.unreadable == 0
		keep_open(home.phone, topology.gateway("access"))
		core.hang_up()
		home.taken_down()


def test_a_plain_leg_does_not(topology, start):
	"""After its window nothing vouches for another source: the packets are dropped by name, and the call is silent."""
	gateway = start(access="plain")
	with home_leg(topology, "none") as home, Leg(topology, "core") as core:
		call_id = call(home, core)
		both_hear(home, core)
		since = gateway.mark()
		topology.rebind()
		time.sleep(0.3) # what was under way
		here, there = len(home.media.received), len(core.media.received)
		time.sleep(1)
		assert len(home.media.received) == here and len(core.media.received) == there
		assert not [e for e in gateway.events("source moved")[1:]]
		keep_open(home.phone, topology.gateway("access"))
		core.hang_up()
		home.taken_down()
		summary = gateway.wait_event("media summary", since=since, call_id=call_id, leg="access")
		assert "wrong_source" in str(summary["drops_by"]), summary


@pytest.mark.parametrize("forwarded", [True, False], ids=["port-forwarded", "closed"])
def test_a_passive_phone(topology, start, forwarded):
	"""It insists on our ClientHello, which cannot reach its private address. Where its SIP comes from is tried as well: that
	helps if the NAT lets the port in, and if not, the call ends by name."""
	gateway = start(access="secure", keying_timeout=10 if forwarded else 3)
	with home_leg(topology, "dtls", role="passive", port=20000) as home, Leg(topology, "core") as core:
		if forwarded:
			topology.forward(20000)
			call_id = call(home, core)
			both_hear(home, core)
			assert gateway.wait_event("line secured", call_id=call_id, leg="access")["dtls_role"] == "active"
			home.hang_up()
		else:
			home.dial()
			core.pick_up()
			home.dialled_answer()
			home.taken_down()
			ended = gateway.wait_event("call ended", call_id=home.dialog.call_id)
			assert ended["cause"] in ("no keys in time", f"no way to {HOME}:20000: Network is unreachable"), ended
		core.taken_down()


@pytest.mark.parametrize("mediaenc", ["dtls_srtp", "srtp-mand"] if FULL else ["dtls_srtp"])
def test_a_baresip_behind_a_nat(topology, start, mediaenc):
	gateway = start(access="secure")
	alice = Baresip(topology.home, HOME, "alice", mediaenc)
	bob = Baresip(topology.core, topology.phone("core"), "bob", None, tone=audio.TONE_C)
	with alice, bob, Capture(topology.access, "net0") as wire:
		alice.call(f"sip:bob@{topology.gateway('access')}:5060")
		bob.established()
		gateway.wait_event("line secured", leg="access")
		time.sleep(2.5) # baresip's DTLS may start a second late (README.md)
		bob.hangup()
		alice.closed()
		view = Readable(wire.stop().media(source=topology.gateway("access")), (audio.TONE_A, audio.TONE_C))
		assert view.looks_encrypted(), view
		for ear, tone in ((alice, audio.TONE_C), (bob, audio.TONE_A)):
			assert ear.heard(tone).ok(1), f"{ear.name}: {ear.heard(tone)}"


# A second gateway at home is the peer that speaks DTLS 1.3.
#
#   access.gw ==== NAT ==== 192.168.1.10 [ home: second gateway ] 10.30.0.1 --- 10.30.0.10 far
SECOND = """\
log: {{level: info, format: json}}
process: {{state_dir: "@STATE@"}}
dtls: {{versions: ["{version}"]}}
realms:
  - name: trunk
    interface: net0
    listeners: ["udp:192.168.1.10:5060"]
    media: [{{address: 192.168.1.10, ports: 16384-17383}}]
    profile: secure
  - name: far
    interface: far0
    listeners: ["udp:10.30.0.1:5060"]
    media: [{{address: 10.30.0.1, ports: 16384-17383}}]
    profile: plain
profiles:
  - {{name: secure, keying: {{accept: [dtls-srtp], offer: [dtls-srtp]}}}}
  - {{name: plain, keying: {{accept: [none], offer: [none]}}}}
peers:
  - {{name: gateway, realm: trunk, sources: [10.10.0.1/32], target: "sip:{{user}}@10.10.0.1:5060;transport=udp"}}
  - {{name: phone, realm: far, sources: [10.30.0.0/24], target: "sip:{{user}}@10.30.0.10:5060;transport=udp"}}
routes:
  - {{from: trunk, user: "*", to: phone}}
  - {{from: far, user: "*", to: gateway}}
"""


class Branch(Home):
	"""At home is a gateway, too, and behind it `far`, where a phone is."""

	def __init__(self):
		super().__init__()
		self.far = Namespace(self.core.name.replace("core", "far"))
		self.far.device = "net0"
		veth(self.far, "net0", self.home, "far0")
		self.home.address("far0", "10.30.0.1/24")
		self.far.address("net0", "10.30.0.10/24")
		self.as_home = AsCore(self)
		self.as_home.gw = self.home

	@staticmethod
	def phone(side, host=10, family=4):
		return "10.30.0.10" if side == "far" else Home.phone(side, host, family)

	def gateway(self, side, family=4):
		return "10.30.0.1" if side == "far" else super().gateway(side, family)

	def namespaces(self):
		return [*super().namespaces(), self.far]


@pytest.mark.parametrize("version", ["1.3", "1.2"] if FULL else ["1.3"])
def test_a_gateway_behind_a_nat(version):
	"""Its trunk with DTLS-SRTP, calls both ways; the outer one is passive, since its peer says a private address."""
	with Branch() as branch, Gateway(branch, text=configuration()) as first, \
	     Gateway(branch.as_home, text=SECOND.format(version=version)):
		for caller, callee in (("far", "core"), ("core", "far")): # the first call opens the NAT for the second's INVITE
			with Leg(branch, caller) as here, Leg(branch, callee) as there:
				(here if caller == "far" else there).tone = audio.TONE_A
				(here if caller == "far" else there).media.tone = audio.TONE_A
				since = first.mark()
				call(here, there)
				line = first.wait_event("line secured", 10, since, mechanism="dtls-srtp")
				assert (line["dtls_version"], line["dtls_role"]) == (version, "passive"), line
				both_hear(here, there)
				(there if caller == "far" else here).hang_up()
				(here if caller == "far" else there).taken_down()
