# SPDX-License-Identifier: GPL-3.0-or-later
# Linphone at the access side: SDES with the suites that it has, and DTLS-SRTP (mbed TLS) in either role.
import pytest

from lib.leg import Leg
from peers.linphone import Linphone

pytestmark = pytest.mark.usefixtures("wire")


def both_heard(peer, core):
	"""Talks for a while and hangs up: its recording is whole then."""
	core.talk()
	core.media.wait_received(100)
	assert core.media.heard(peer.tone).ok(1.5) and core.media.unreadable == 0, core.media.heard(peer.tone)
	peer.hang_up()
	core.taken_down()
	peer.ended()
	assert peer.heard(core.tone).ok(1.0), peer.heard(core.tone)


@pytest.mark.parametrize("suite", ["AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80"])
def test_sdes_calls(topology, start, suite):
	running = start(access="sdes", suites=["AEAD_AES_256_GCM", suite])
	with Leg(topology, "core") as core, Linphone(topology, suites=suite) as peer:
		peer.dial()
		core.pick_up()
		secured = running.wait_event("line secured", leg="access")
		assert (secured["mechanism"], secured["suite"]) == ("sdes", suite)
		both_heard(peer, core)


def test_sdes_is_called(topology, start):
	"""Of our lines it takes the first that it knows."""
	running = start(access="sdes")
	with Leg(topology, "core") as core, Linphone(topology) as peer:
		core.dial()
		peer.pick_up()
		core.dialled_answer()
		secured = running.wait_event("line secured", leg="access")
		assert (secured["mechanism"], secured["suite"]) == ("sdes", "AES_CM_128_HMAC_SHA1_80")
		both_heard(peer, core)


# As server it takes the largest curve first, as client it has no X25519.
@pytest.mark.parametrize("role,group,cipher", [
	("active", "SECP521R1", "ECDHE-RSA-CHACHA20-POLY1305"), ("passive", "SECP256R1", "ECDHE-ECDSA-AES128-GCM-SHA256")])
def test_dtls_calls(topology, start, role, group, cipher):
	running = start(access=role)
	with Leg(topology, "core") as core, Linphone(topology, encryption="dtls") as peer:
		peer.dial()
		core.pick_up()
		secured = running.wait_event("line secured", leg="access")
		assert (secured["dtls_version"], secured["dtls_role"], secured["suite"]) == ("1.2", role, "AES_CM_128_HMAC_SHA1_80")
		assert (secured["dtls_group"], secured["dtls_cipher"]) == (group, cipher)
		both_heard(peer, core)
