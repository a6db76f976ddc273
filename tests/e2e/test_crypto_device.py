# SPDX-License-Identifier: GPL-3.0-or-later
# SRTP by a crypto device instead of ipsec-mb: phones hear no difference, in calls, in changes of keys, and over a killed relay.
from lib.leg import Leg, both_hear, call


def stopped(gateway):
	"""What the relay that ran last says of its device."""
	gateway.stop()
	return gateway.events("crypto device stopped")[-1]


def test_calls_by_a_crypto_device(topology, start):
	device = "crypto_aesni_mb"
	gateway = start(access="sdes", core="sdes", crypto=device)
	engine = gateway.wait_event("crypto engine")
	assert (engine["engine"], engine["device"]) == ("cryptodev", device) and "AEAD_AES_256_GCM" in engine["suites"]
	for keying, suite in (("dtls", "AEAD_AES_128_GCM"), ("sdes", "AES_CM_128_HMAC_SHA1_80")):
		with Leg(topology, "access", keying=keying, suite=suite) as access, \
		     Leg(topology, "core", keying="sdes", suite="AEAD_AES_256_GCM") as core:
			call_id = call(access, core)
			both_hear(access, core)
			access.hang_up()
			core.taken_down()
			for leg in ("access", "core"):
				summary = gateway.wait_event("media summary", call_id=call_id, leg=leg)
				assert "crypto_device" not in summary["drops_by"] and "auth" not in summary["drops_by"], summary
	device = stopped(gateway)
	assert device["jobs"] > 400, device
	assert device["failed"] == device["stalled"] == device["no_session"] == 0, device


def test_suites_that_it_has_not_are_done_all_the_same(topology, start):
	gateway = start(access="sdes", crypto="crypto_aesni_gcm", hugepages="off")
	left = gateway.wait_event("crypto device has not all suites")["left_to_ipsec_mb"]
	assert "AES_CM_128_HMAC_SHA1_80" in left and "GCM" not in left
	for suite in ("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"):
		with Leg(topology, "access", keying="sdes", suite=suite) as access, Leg(topology, "core") as core:
			call(access, core)
			both_hear(access, core, packets=30, seconds=0.3)
			access.hang_up()
			core.taken_down()
	assert stopped(gateway)["jobs"] > 50


def test_relay_killed_with_a_crypto_device(topology, start):
	"""The next relay makes sessions of the keys that it finds, and goes on at the exact index."""
	gateway = start(crypto="crypto_aesni_mb", calls=100)
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core)
		since = gateway.mark()
		gateway.kill_child("relay")
		gateway.wait_event("child back", 10, since, child="relay")
		both_hear(access, core)
		assert access.media.receiving.repeated == 0, "a (key, SSRC, index) was used twice"
		access.hang_up()
		core.taken_down()
	assert stopped(gateway)["jobs"] > 200
