# SPDX-License-Identifier: GPL-3.0-or-later
# Transfers asked for by a phone that nobody here wrote, with sound: who hears whom before and after, and what the leg that stays shows
# on the wire: the same keys, every index once, and a roll-over in the middle of its count.
import pytest

from lib import audio
from lib.baresip import Baresip
from lib.capture import Capture
from lib.gateway import configuration
from lib.netns import Topology
from lib.phone import Sdp
from lib.rekey import Changing, Verdict

TONE_D = 880.0 # Carol speaks
CAROL = Topology.phone("core", 11)


def transferring(how, **settings):
	"""Carol is a second PBX in the core; both sides may transfer."""
	text = configuration(**settings).replace("    rtcp_mux:", f"    transfer: {how}\n    rtcp_mux:")
	text = text.replace("routes:", "\n".join((
		"  - name: carol", "    realm: core", "    sources: []", f'    target: "sip:{{user}}@{CAROL}:5060"', "routes:",
		"  - {from: core, user: carol, to: carol}", "  - {from: access, user: carol, to: carol}")))
	return text


def bob_and_carol(topology):
	return (Baresip(topology.core, topology.phone("core", 10), "bob", tone=audio.TONE_C),
		Baresip(topology.core, CAROL, "carol", tone=TONE_D, first_port=22000))


class Caller(Changing):
	gateway_uri = f"sip:bob@{Topology.GW['access']}:5060"


def answer_again(access):
	"""The phone that stays is offered somebody else, and says what it has said."""
	asked = access.phone.wait_request("INVITE", 15)
	offered = Sdp(asked.body)
	before = access.described
	assert offered.remote() == before.remote(), "it is sent elsewhere"
	if access.keying == "sdes":
		(tag, suite, key), = offered.crypto()
		assert (suite, key) == before.crypto()[0][1:], "another key"
		attributes = [access_line for access_line in access.offer().split("\r\n") if access_line.startswith("a=crypto:") and f" {suite} " in access_line]
		attributes = [f"crypto:{tag} {attributes[0].split(' ', 1)[1]}"]
	else:
		assert offered.attributes("fingerprint") == before.attributes("fingerprint"), "another association"
		attributes = [f"setup:{'active' if access.media.endpoint.active else 'passive'}", f"fingerprint:{access.fingerprint}"]
	access.phone.answer(asked, 200, "OK", access._describe(attributes))
	access.phone.wait_request("ACK")
	return offered


@pytest.mark.parametrize("keying", ["sdes", "dtls"])
def test_resolved(topology, start, keying):
	"""Bob gives the phone to Carol. Its sequence numbers wrap before that: a context that began anew would read nothing more."""
	suite = "AES_CM_128_HMAC_SHA1_80"
	gateway = start(text=transferring("resolve", access="sdes" if keying == "sdes" else "secure", suites=[suite]))
	bob, carol = bob_and_carol(topology)
	access = Caller(topology, "access", keying=keying, suite=suite, first_sequence=65500)
	with bob, carol, access, Capture(topology.access) as wire:
		access.dial()
		access.dialled_answer()
		access.secured()
		access.up()
		access.talk()
		access.media.wait_received(60)
		bob.established()
		session = gateway.wait_event("line secured", leg="access")["session"]
		bob.command("transfer", f"sip:carol@{Topology.GW['core']}")
		answer_again(access)
		carol.established(15)
		gateway.wait_event("call transferred", 15)
		bob.closed(15)
		access.media.wait_received(len(access.media.received) + 100)
		assert not gateway.events("line rekeyed") and len(gateway.events("line secured", leg="access")) == 1
		access.hang_up()
		carol.closed()
		wire.stop()
		assert carol.heard(audio.TONE_A).ok(1.0), carol.heard(audio.TONE_A)
		assert bob.heard(audio.TONE_A).ok(0.3), bob.heard(audio.TONE_A)
		summary = gateway.wait_event("media summary", leg="access")
		assert summary["session"] == session
		verdict = Verdict(list(wire.media(source=topology.gateway("access"))), access.keys)
		assert verdict.packets > 150 and verdict.order == [0], verdict
		assert not verdict.unreadable and not verdict.repeated and not verdict.disputed, verdict
		assert access.media.unreadable == 0
	gateway.stop()


def test_passed(topology, start):
	"""The same between three such phones, and the one that stays makes the new call itself."""
	gateway = start(text=transferring("pass"))
	bob, carol = bob_and_carol(topology)
	alice = Baresip(topology.access, topology.phone("access", 10), "alice", "dtls_srtp")
	with alice, bob, carol:
		alice.call(f"sip:bob@{Topology.GW['access']}:5060")
		bob.established()
		bob.command("transfer", f"sip:carol@{Topology.GW['core']}")
		carol.established(15)
		bob.closed(15)
		assert gateway.wait_event("transfer passed")["status"] == 202
		gateway.wait_event("line secured", 15, since=0, leg="access")
		carol.hangup()
		alice.closed()
	gateway.stop()
