# SPDX-License-Identifier: GPL-3.0-or-later
# GStreamer's DTLS-SRTP (OpenSSL's DTLS, libsrtp2) at the access side, in either role, calling and called.
import pytest

from lib.leg import Leg
from peers.gstreamer import GStreamer

pytestmark = pytest.mark.usefixtures("wire")


@pytest.fixture
def peer(topology, tmp_path):
	with GStreamer(topology, tmp_path) as made:
		yield made


def secured_as(running, role):
	secured = running.wait_event("line secured", leg="access")
	assert (secured["dtls_version"], secured["dtls_role"], secured["suite"]) == ("1.2", role, "AES_CM_128_HMAC_SHA1_80")
	assert secured["dtls_group"] == "X25519" and secured["dtls_cipher"] == "ECDHE-ECDSA-AES128-GCM-SHA256", secured


def both_hear(peer, core):
	core.talk()
	core.media.wait_received(100)
	assert core.media.heard(peer.tone).ok(1.5) and core.media.unreadable == 0, core.media.heard(peer.tone)
	assert peer.hears(core.tone).ok(1.0), peer.hears(core.tone)


@pytest.mark.parametrize("role", ["active", "passive"])
def test_gstreamer_calls(topology, start, peer, role):
	running = start(access=role)
	with Leg(topology, "core") as core:
		peer.dial()
		core.pick_up()
		peer.dialled_answer()
		secured_as(running, role)
		peer.connected()
		both_hear(peer, core)
		peer.hang_up()
		core.taken_down()


def test_gstreamer_is_called(topology, start, peer):
	"""It takes our offer and leaves the first word to us: passive, which RFC 5763 allows an answerer."""
	running = start()
	with Leg(topology, "core") as core:
		core.dial()
		peer.pick_up("passive")
		core.dialled_answer()
		secured_as(running, "active")
		peer.connected()
		both_hear(peer, core)
		core.hang_up()
		peer.phone.take_bye()
