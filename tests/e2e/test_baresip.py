# SPDX-License-Identifier: GPL-3.0-or-later
# Calls of real phones through the gateway: who hears whom, what was negotiated, and what an eavesdropper at the access side
# could read.
import time

import pytest

from lib import audio
from lib.baresip import Baresip
from lib.capture import Capture, Readable
from lib.netns import Topology, uri_host

TONES = (audio.TONE_A, audio.TONE_C)


def two_phones(topology, mediaenc, family=4, transport="udp", **more):
	alice = Baresip(topology.access, topology.phone("access", 10, family), "alice", mediaenc, transport=transport, **more)
	bob = Baresip(topology.core, topology.phone("core", 10, family), "bob", None, tone=audio.TONE_C, transport=transport)
	return alice, bob


def call_and_listen(topology, gateway, alice, bob, from_access, family=4, transport="udp", seconds=2.0):
	"""One call of `seconds`; returns (line secured, summaries by leg, eavesdropper's view of access)."""
	caller, callee, side = (alice, bob, "access") if from_access else (bob, alice, "core")
	suffix = ";transport=tcp" if transport == "tcp" else ""
	with alice, bob, Capture(topology.access) as capture:
		caller.dial(f"sip:{callee.name}@{uri_host(topology.gateway(side, family))}:5060{suffix}")
		caller.established()
		callee.established()
		secured = gateway.wait_event("line secured", leg="access")
		call_id = secured["call_id_a"]
		time.sleep(seconds)
		caller.hangup()
		callee.closed()
		ended = gateway.wait_event("call ended", call_id=call_id)
		assert ended["call_id_b"]
		summaries = {leg: gateway.wait_event("media summary", call_id=call_id, leg=leg) for leg in ("access", "core")}
		capture.stop()
		# What the gateway sent. baresip itself sends some packets in clear while its handshake lasts (README.md).
		view = Readable(capture.media(source=topology.gateway("access", family)), TONES)
		# DTLS of baresip may start a second late (README.md)
		assert bob.heard(audio.TONE_A).ok(seconds - 1.3), bob.heard(audio.TONE_A)
		assert alice.heard(audio.TONE_C).ok(seconds - 1.3), alice.heard(audio.TONE_C)
		assert not alice.heard(audio.TONE_A).ok(0.1)
	return secured, summaries, view


@pytest.mark.parametrize("from_access", [True, False], ids=["to-core", "to-access"])
@pytest.mark.parametrize("profile", ["active", "passive", "secure"])
def test_dtls_srtp(topology, start, profile, from_access):
	gateway = start(access=profile)
	secured, summaries, view = call_and_listen(topology, gateway, *two_phones(topology, "dtls_srtp"), from_access)
	assert secured["mechanism"] == "dtls-srtp"
	assert secured["dtls_version"] == "1.2" and secured["fingerprint_checked"] is True
	# A baresip that answers is always active; one that offers takes the role that our profile leaves it. The DTLS server
	# chooses: we prefer GCM, baresip's first is CM.
	if profile == "passive" or not from_access:
		assert (secured["dtls_role"], secured["suite"]) == ("passive", "AEAD_AES_256_GCM")
	else: # auto is active, too: its media address is its SIP source
		assert (secured["dtls_role"], secured["suite"]) == ("active", "AES_CM_128_HMAC_SHA1_80")
	assert view.looks_encrypted(), view
	assert summaries["access"]["rx_packets"] > 30 and summaries["core"]["rx_packets"] > 30
	assert summaries["core"]["lost"] == 0 and summaries["access"]["lost"] == 0
	assert summaries["core"]["drops"] <= 60 # what bob sent before alice had keys; never passed on in clear


@pytest.mark.parametrize("from_access", [True, False], ids=["to-core", "to-access"])
@pytest.mark.parametrize("mediaenc", ["srtp-mand", "srtp-mandf"])
def test_sdes(topology, start, mediaenc, from_access):
	gateway = start(access="sdes")
	if mediaenc == "srtp-mandf" and not from_access:
		mediaenc = "srtp-mand" # as answerer baresip takes the offer's proto: one run says all
	secured, summaries, view = call_and_listen(topology, gateway, *two_phones(topology, mediaenc), from_access)
	# baresip offers one suite, and takes our first
	assert secured["suite"] == ("AES_CM_128_HMAC_SHA1_80" if from_access else "AEAD_AES_256_GCM")
	assert secured["mechanism"] == "sdes" and view.looks_encrypted(), view
	for summary in summaries.values():
		assert summary["lost"] == 0 and summary["drops"] <= 2, summary # a next hop that was not known yet


@pytest.mark.parametrize("from_access", [True, False], ids=["to-core", "to-access"])
def test_plain(topology, start, from_access):
	gateway = start(access="plain")
	_, summaries, view = call_and_listen(topology, gateway, *two_phones(topology, None), from_access)
	assert view.packets > 80 and view.tonal == view.packets, "the eavesdropper's control: this one is readable"
	for summary in summaries.values():
		assert summary["mechanism"] == "none" and summary["drops"] <= 2, summary


@pytest.mark.parametrize("family,transport", [(4, "tcp"), (6, "udp"), (6, "tcp")])
def test_dtls_srtp_over(topology, start, family, transport):
	gateway = start(family=family, transport=transport)
	alice, bob = two_phones(topology, "dtls_srtp", family, transport)
	secured, summaries, view = call_and_listen(topology, gateway, alice, bob, True, family, transport)
	assert secured["mechanism"] == "dtls-srtp" and view.looks_encrypted(), view
	assert summaries["core"]["lost"] == 0


def test_hold_and_resume(topology, start):
	"""On hold nothing is sent to the holder, the media timeout (2 s) rests, and the sound comes back. Long enough for RTCP:
	without rtcp-mux it has a DTLS association of its own, and only what verifies under its keys counts as received."""
	gateway = start(media_timeout=2)
	alice, bob = two_phones(topology, "dtls_srtp")
	with alice, bob, Capture(topology.core) as wire:
		alice.call(f"sip:bob@{Topology.GW['access']}:5060")
		bob.established()
		time.sleep(2)
		alice.hold()
		time.sleep(3)
		assert not alice.has_event("CALL_CLOSED") and not bob.has_event("CALL_CLOSED")
		alice.resume()
		time.sleep(2)
		alice.hangup()
		bob.closed()
		wire.stop()
		times = [d.time for d in wire.media(source=Topology.GW["core"])]
		silence = max(b - a for a, b in zip(times, times[1:]))
		assert 2.5 < silence < 4, f"{silence:.1f} s of silence on the core side"
		assert times[-1] - times[0] > 6
		assert alice.heard(audio.TONE_C).ok(1.5), alice.heard(audio.TONE_C)
		access, core = (gateway.wait_event("media summary", leg=leg) for leg in ("access", "core"))
		assert access["rtcp_rx"] >= 1 and access["rtcp_tx"] >= 1, access
		assert core["rtcp_tx"] >= 1, core
