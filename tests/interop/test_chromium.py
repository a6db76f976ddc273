# SPDX-License-Identifier: GPL-3.0-or-later
# Chromium's WebRTC at the access side: both DTLS roles and versions, called and calling, keys that change in a call.
import re

import pytest

from lib import gateway
from lib.capture import Rtp
from lib.leg import Leg
from lib.netns import Topology
from lib.phone import sdp
from peers.chromium import Chromium
from peers.webrtc import Webrtc

DTLS = {"1.2": "FEFD", "1.3": "FEFC"}
SRTP = {"SRTP_AES128_CM_HMAC_SHA1_80": "AES_CM_128_HMAC_SHA1_80", "SRTP_AEAD_AES_256_GCM": "AEAD_AES_256_GCM"}


@pytest.fixture(scope="module")
def topology():
	with Topology() as made:
		yield made


@pytest.fixture(scope="module")
def chromium(topology):
	with Chromium(topology.access) as made:
		yield made


@pytest.fixture
def browser(topology, chromium):
	with Webrtc(topology, chromium) as made:
		yield made


def settings(profile, version):
	return f'dtls: {{versions: ["{version}"]}}\n' + gateway.configuration(access=profile)


def both_hear(browser, core):
	since = len(core.media.received)
	seen = browser.hears(core.tone)
	assert seen["inbound-rtp"]["audioLevel"] > 0.1 and seen["media-source"]["audioLevel"] > 0.1, seen
	core.media.wait_received(since + 50)
	heard = core.media.heard(browser.tone, since)
	assert heard.ok(0.6) and core.media.unreadable == 0, heard


def agree(running, transport, version, role):
	"""Both ends say the same of one association; returns what the gateway says."""
	secured = running.wait_event("line secured", leg="access")
	assert transport["dtlsState"] == "connected" and transport["tlsVersion"] == DTLS[version]
	assert (transport["dtlsRole"], secured["dtls_role"]) == (("server" if role == "active" else "client"), role)
	assert secured["dtls_version"] == version and secured["suite"] == SRTP[transport["srtpCipher"]]
	assert secured["fingerprint_checked"] and transport["localCertificateId"].endswith(secured["peer_fingerprint"].split()[1])
	return secured


# The DTLS server chooses the suite: Chromium its first, we our best.
@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("role,version,group,suite", [
	("active", "1.2", "X25519", "AES_CM_128_HMAC_SHA1_80"), ("active", "1.3", "X25519", "AES_CM_128_HMAC_SHA1_80"),
	("passive", "1.2", "X25519", "AEAD_AES_256_GCM"), ("passive", "1.3", "X25519MLKEM768", "AEAD_AES_256_GCM")])
def test_calls_and_changes_keys(topology, start, browser, role, version, group, suite):
	"""A second RTCPeerConnection then takes the call over: fingerprint, port and keys are new. The stream to it has wrapped before,
	and its sequence goes on: under the new keys its rollover counter must begin at 0, since the browser's does."""
	running = start(text=settings(role, version))
	with Leg(topology, "core") as core:
		browser.dial()
		core.pick_up()
		browser.dialled_answer()
		first = browser.connected()
		secured = agree(running, first, version, role)
		assert (secured["dtls_group"], secured["suite"]) == (group, suite)
		core.media.sequence = 0x10000 - 20 # only now: its first packets are those that the browser is keyed for
		core.talk()
		both_hear(browser, core)
		assert browser.look()["inbound-rtp"]["packetsLost"] == 0 and core.media.sequence > 0x10000
		browser.renew()
		browser.reoffer(core, browser.offer())
		second = browser.connected()
		rekeyed = running.wait_event("line rekeyed", leg="access")
		assert rekeyed["cause"] == "fingerprint" and rekeyed["suite"] == suite and second["tlsVersion"] == DTLS[version]
		assert second["localCertificateId"] != first["localCertificateId"]
		both_hear(browser, core)
		browser.hang_up()
		core.taken_down()


def test_is_called_and_restarts_ice(topology, start, browser):
	"""It takes our offer: active, as RFC 8842 wants of an answerer, with the newest that both know. New ICE credentials within
	the call are no new association."""
	running = start(rtcp_mux="offer") # without it no browser would have it
	with Leg(topology, "core") as core:
		core.dial()
		browser.pick_up()
		core.dialled_answer()
		before = browser.connected()
		secured = agree(running, before, "1.3", "passive")
		assert (secured["dtls_group"], secured["dtls_cipher"]) == ("X25519MLKEM768", "TLS13-AES128-GCM-SHA256")
		core.talk()
		both_hear(browser, core)
		checks = browser.front.checks
		browser.reoffer(core, browser.restart_ice())
		browser.wait(lambda _: browser.front.checks > checks, "check under the new password")
		after = browser.connected()
		both_hear(browser, core)
		assert after["iceLocalUsernameFragment"] != before["iceLocalUsernameFragment"]
		assert not running.events("line rekeyed") and len(running.events("line secured", leg="access")) == 1
		core.hang_up()
		browser.phone.take_bye()


class Mirror(Leg):
	"""Says what it hears, in whatever codec that is."""

	def pick_up(self):
		stored = self.media._store

		def answer(where, packet):
			stored(where, packet)
			if where is self.media.received and packet:
				self.media.payload_type = Rtp(packet).payload_type
				self.media.send(Rtp(packet).body)
		self.media._store = answer
		return super().pick_up()

	def _describe(self, attributes, direction="sendrecv"):
		section = next(part for part in self.described.media if part[0].startswith("m=audio"))
		kept = [line for line in section if re.match(r"a=(rtpmap|fmtp)", line)]
		return sdp(self.address, [f"m=audio {self.media.port} {self.proto} {section[0].split(None, 3)[3]}", *kept])


def test_opus_there_and_back(topology, start, chromium):
	running = start(access="secure")
	with Webrtc(topology, chromium, codec="opus") as browser, Mirror(topology, "core") as core:
		browser.dial()
		core.pick_up()
		browser.dialled_answer()
		agree(running, browser.connected(), "1.3", "active")
		seen = browser.hears(browser.tone)
		assert seen["codec"] == "audio/opus"
		browser.hang_up()
		core.taken_down()


def test_a_false_fingerprint_of_ours_is_refused(topology, start, browser):
	"""The instrument is able to fail, and Chromium to say no: no packet is exchanged."""
	start(access="active", keying_timeout=2)
	with Leg(topology, "core") as core:
		browser.dial()
		core.pick_up()
		response = browser.phone.wait_response(browser.dialog.cseq)
		browser.phone.confirm(browser.dialog, response)
		browser.take_answer(re.sub(r"(a=fingerprint:\S+ )..:..", r"\g<1>00:00", response.body))
		core.talk()
		seen = browser.wait(lambda seen: seen["transport"]["dtlsState"] == "failed", "refusal")
		assert "inbound-rtp" not in seen and not core.media.received
		core.taken_down()


def test_it_ends_without_remains(topology, chromium):
	chromium.close()
	assert not topology.access.processes()
