# SPDX-License-Identifier: GPL-3.0-or-later
# Calls that outlive control: what they can do afterwards, with real media and keys; and a hundred at once.
import base64
import time

import pytest

from lib import phone
from lib.capture import Capture
from lib.gateway import sanitized
from lib.leg import Leg, call
from lib.many import many_calls, secured, set_up
from lib.rekey import Changing
from test_rekey import judge, more

LIMIT = 60 # seconds, which only a fault reaches


def kill(gateway):
	since = gateway.mark()
	gateway.kill_child("control")
	gateway.wait_event("calls taken up", 10, since)
	return gateway.wait_event("child back", 10, since, child="control")


def refresh(asker, other, marks):
	"""A re-INVITE that crosses, for it brings an attribute that is new; no key changes."""
	marks.append(len(marks))
	asker.dialog.request("INVITE", asker.offer() + f"a=x-round:{marks[-1]}\r\n")
	invite = other.phone.wait_request("INVITE")
	assert f"a=x-round:{marks[-1]}" in invite.body
	answer = [f"setup:{other.role}", f"fingerprint:{other.fingerprint}"] if other.keying == "dtls" else \
		[f"crypto:1 {other.suites[0]} inline:{other.inline}"] if other.keying == "sdes" else []
	other.phone.answer(invite, 200, "OK", other._describe(answer))
	other.phone.wait_request("ACK")
	response = asker.phone.wait_response(asker.dialog.cseq)
	assert response.status == 200, response.first
	asker.dialog.ack(response.cseq[0])


@pytest.mark.parametrize("keying", ["dtls", "sdes"])
def test_changes_after_control_died(topology, start, keying):
	"""Re-INVITEs from both sides after each of two deaths: association, keys and indices go on, and not a packet is missing."""
	gateway = start(calls=20, access="secure" if keying == "dtls" else "sdes")
	settings = {"role": "active"} if keying == "dtls" else {"suite": "AES_CM_128_HMAC_SHA1_80"}
	with Changing(topology, "access", keying=keying, mux=True, **settings) as access, Leg(topology, "core") as core, \
	     Capture(topology.access) as near, Capture(topology.core) as far:
		call(access, core)
		access.up()
		if keying == "sdes":
			access.inline = base64.b64encode(access.masters[access.suites[0]]).decode()
		more(access, core)
		marks = []
		for _ in range(2):
			kill(gateway)
			refresh(access, core, marks)
			more(access, core)
			refresh(core, access, marks)
			more(access, core)
		access.hang_up()
		core.taken_down()
		assert not gateway.events("line rekeyed")
		judge(topology, access, (near, far))


@pytest.mark.parametrize("calls", [100])
def test_a_hundred_calls(topology, start, record_property, calls):
	"""Not one packet is missing, a new call is answered soon after the death, and each of the hundred can be ended from either side."""
	began = time.monotonic()
	gateway = start(access="plain", calls=500, media_timeout=600) # the first calls wait for the last before they talk
	started = time.monotonic() - began
	with many_calls(topology, gateway, calls, calls + 1) as (access, core, streams, up, uri):
		time.sleep(0.5)
		since, began = gateway.mark(), time.monotonic()
		gateway.kill_child("control")
		number = 7
		while True: # whoever asks again is answered, as a UDP phone asks; to whichever that was
			number += 1
			access.send_request("OPTIONS", uri, "probe", "<sip:probe@x>;tag=1", f"<{uri}>", number, branch=f"z9hG4bK-probe-{number}")
			try:
				access.wait(lambda m: m.status and m.cseq[1] == "OPTIONS", 0.05)
				break
			except AssertionError:
				assert time.monotonic() - began < LIMIT
		back = time.monotonic() - began
		taken = gateway.wait_event("calls taken up", LIMIT, since)
		assert taken["restored"] == calls and taken["dropped"] == 0
		up.append(set_up(access, core, streams, calls, uri))
		secured(gateway, 2 * calls + 2)
		streams.remote[0][calls], streams.remote[1][calls] = up[calls][2]
		near, far, _ = up[3]
		far.request("INVITE", phone.sdp(core.address, phone.audio_section(streams.sides[1][3].getsockname()[1], "RTP/AVP", "x-new:1"), version=2))
		asked = access.wait_request("INVITE")
		access.answer(asked, 200, "OK", phone.sdp(access.address, phone.audio_section(streams.sides[0][3].getsockname()[1]), version=2))
		assert core.wait_response(far.cseq).status == 200
		far.ack(far.cseq)
		time.sleep(0.3)
		missing = streams.missing()
		begun = missing.pop(calls, (0, 0)) # of the new one: the relay opens its gates a little later
		assert max(begun) < 5, begun
		record_property("sip_back_ms", round(1000 * back))
		print(f"{calls} calls, control killed: SIP answers after {1000 * back:.0f} ms, calls taken up in {taken['after_ms']:.1f} ms, "
		      f"missing {missing} of {sum(streams.sent[0])} and {sum(streams.sent[1])} packets")
		assert not missing and back < max(10 if sanitized() else 2, 4 * started) # a busy machine takes its time to start anything
		for i, (near, far, _) in enumerate(up):
			(near if i % 2 else far).request("BYE")
			other, ender = (core, access) if i % 2 else (access, core)
			other.take_bye()
			assert ender.wait_response((near if i % 2 else far).cseq, "BYE").status == 200
