# SPDX-License-Identifier: GPL-3.0-or-later
# Why a call is silent: each reason of docs/admin.md happens to real peers, and both ways through the call are told. Where an end can
# still be heard, its tone is.
import re

import pytest

from lib import srtp
from lib.leg import Leg, both_hear, call


def told(managed, timeout=30, **reasons):
	"""access: why what comes from there goes nowhere, core: the same. Once it is so, {realm: explanation}, the same by sallyportctl."""
	number = str(managed.wait("/v1/calls", lambda c: len(c["calls"]) == 1)["calls"][0]["id"])
	seen = managed.wait(f"/v1/calls/{number}", lambda c: {w["from"]: w["reason"] for w in c["media"]} == reasons, timeout)
	for way in seen["media"]:
		assert way["flows"] == (way["reason"] == "flows") and way["to"] != way["from"] and way["line"] == 0
	text = managed.ctl("call", number)
	for side, other in (("access", "core"), ("core", "access")):
		assert f"{side} -> {other}, line 0: {reasons[side]}" in text, text
	return {way["from"]: way["explanation"] for way in seen["media"]}


def answered(caller, callee):
	"""Up, and neither has said anything."""
	caller.dial()
	callee.pick_up()
	caller.dialled_answer()


def test_not_agreed(topology, start_managed):
	"""It rings: there is an offer, and no answer."""
	managed = start_managed()
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		access.dial()
		core.ring()
		said = told(managed, access="not_agreed", core="not_agreed")
		assert "Offer and answer are not complete" in said["access"]
		core.pick_up()
		access.dialled_answer()
		access.hang_up()
		core.taken_down()


def test_no_keys(topology, start_managed):
	"""It never shakes hands; the other way would leave by the same leg."""
	managed = start_managed(keying_timeout=60)
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		access._begin_dtls = lambda active: None
		answered(access, core)
		core.talk()
		said = told(managed, access="no_keys", core="no_keys")
		for text in said.values():
			assert "leg in access has no keys" in text and "dtls-srtp" in text
		managed.wait("/v1/calls/1", lambda c: all(int(re.search(r"for (\d+) ms", w["explanation"])[1]) > 1000 for w in c["media"]))


def test_wrong_fingerprint(topology, start_managed):
	managed = start_managed(keying_timeout=60)
	wrong = "sha-256 " + ":".join(["AB"] * 32)
	with Leg(topology, "access", keying="dtls", signalled_fingerprint=wrong) as access, Leg(topology, "core") as core:
		answered(access, core)
		said = told(managed, access="wrong_fingerprint", core="wrong_fingerprint")
		for text in said.values():
			assert wrong in text and access.certificate.fingerprint.split()[1].upper() in text.upper()


def test_one_way(topology, start_managed):
	"""Nothing comes from one side, and why that is nobody here can know; when it speaks, all is well; and when it stops, since when."""
	managed = start_managed()
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		answered(access, core)
		access.talk()
		said = told(managed, access="flows", core="nothing_comes")
		assert "No packet has come from core since" in said["core"] and core.address in said["core"]
		core.talk()
		told(managed, access="flows", core="flows")
		both_hear(access, core)
		access.media.silence()
		said = told(managed, access="nothing_comes", core="flows")
		assert "No packet has come from access for" in said["access"] and "before" in said["access"]


def test_both_silent(topology, start_managed):
	managed = start_managed()
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		answered(access, core)
		access.secured()
		said = told(managed, access="nothing_comes", core="nothing_comes")
		assert access.address in said["access"] and core.address in said["core"]


@pytest.mark.parametrize("direction,answer,access,core", [
	("sendonly", "recvonly", "flows", "hold"), ("inactive", "inactive", "hold", "hold"), ("recvonly", "sendonly", "hold", "flows")])
def test_hold(topology, start_managed, direction, answer, access, core):
	reasons = {"access": access, "core": core}
	managed = start_managed()
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		access.dialog.request("INVITE", access.offer(direction))
		number = access.dialog.cseq
		core.phone.accept(core.phone.wait_request("INVITE"), core.begin_answer(core.described.text).replace("a=sendrecv", f"a={answer}"))
		core.phone.wait_request("ACK")
		response = access.phone.wait_response(number)
		access.dialog.ack(number)
		assert response.status == 200
		said = told(managed, **reasons)
		for side, reason in reasons.items():
			assert (said[side].startswith("On hold")) == (reason == "hold")


@pytest.mark.parametrize("policy,access,core", [("backward", "gate", "flows"), ("none", "gate", "gate")])
def test_gate(topology, start_managed, policy, access, core):
	"""Before the answer policy counts, whatever SDP says; the answer opens it."""
	reasons = {"access": access, "core": core}
	managed = start_managed(changes=[("    media_timeout: 60", f"    early_media: {policy}\n    media_timeout: 60")])
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		access.dial()
		core.invite = core.phone.wait_request("INVITE")
		early = core.begin_answer(core.invite.body)
		core.phone.answer(core.invite, 183, "Session Progress", early)
		progress = access.phone.wait(lambda m: m.status in (180, 183), what="180 or 183")
		if policy == "backward":
			access.take_answer(progress.body)
			access.talk()
		core.talk()
		said = told(managed, **reasons)
		assert "until the call is answered" in said["access"] and not core.media.received
		core.dialog = core.phone.accept(core.invite, early)
		core.phone.wait_request("ACK")
		access.dialled_answer()
		access.talk()
		told(managed, access="flows", core="flows")
		both_hear(access, core)


def test_wrong_keys(topology, start_managed):
	"""The keys that it uses are not those of its SDP."""
	managed = start_managed()
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		answered(access, core)
		suite = access.media.suite
		access.media.sdes(access.media.receiving, srtp.Context(suite, srtp.fresh_master(suite)))
		access.talk()
		core.talk()
		said = told(managed, access="wrong_keys", core="flows")
		assert "tags do not verify" in said["access"]


def test_wrong_source(topology, start_managed):
	"""Behind a NAT, that is: it names an address in its SDP that is not the one its packets come from."""
	managed = start_managed(learn="never")
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		describe = core._describe
		core._describe = lambda *some, **more: describe(*some, **more).replace(f"c=IN IP4 {core.address}", "c=IN IP4 10.20.0.19")
		answered(access, core)
		access.talk()
		core.talk()
		said = told(managed, access="flows", core="wrong_source") # nobody hears it at that address; that it is sent there is true
		assert "10.20.0.19" in said["core"] and "learn" in said["core"]


def test_no_path(topology, start_managed):
	"""The link to the trunk is down. What the phone says has no way out, and nothing comes."""
	managed = start_managed()
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		core.media.silence() # its own system would not take what it says into a dead wire
		topology.gw.run("ip", "link", "set", "core0", "down")
		said = told(managed, access="no_path", core="nothing_comes")
		assert "no way to the peer in core" in said["access"]
		topology.gw.run("ip", "link", "set", "core0", "up")
		managed.wait_event("path back", 30)
		core.talk()
		told(managed, access="flows", core="flows")
		both_hear(access, core)


def replayed(leg):
	"""A phone whose sequence numbers stand still, under one key (RFC 3711 forbids it): all but one of its packets are replays."""
	protect = leg.media.sending.protect
	first = []

	def same(packet):
		if not first:
			first.append(protect(packet))
		return first[0]
	leg.media.sending.protect = same


def test_dropped_as_it_comes(topology, start_managed):
	managed = start_managed()
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		answered(access, core)
		replayed(access)
		access.talk()
		core.talk()
		said = told(managed, access="dropped", core="flows")
		assert "Packets come from access and are dropped: replay" in said["access"]


def test_dropped_as_it_leaves(topology, start_managed):
	"""What the trunk sends fits its own network and not the phones': the way there is narrower. Small packets would pass."""
	topology.gw.run("ip", "route", "replace", "10.10.0.0/24", "dev", "access0", "src", "10.10.0.1", "mtu", "576")
	managed = start_managed(access="plain")
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		answered(access, core)
		packet = core.media.packet
		core.media.packet = lambda payload: packet(payload * 5) # 812 octets of RTP
		access.talk()
		core.talk()
		said = told(managed, access="flows", core="dropped")
		assert "on their way out to access: too_big" in said["core"] and not access.media.received
		core.media.packet = packet
		told(managed, access="flows", core="flows")
