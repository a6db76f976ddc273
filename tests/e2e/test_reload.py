# SPDX-License-Identifier: GPL-3.0-or-later
# A gateway whose configuration, binary or willingness changes while calls are up: none of them notices.
import os
import shutil
import signal
import time

import pytest

from lib import gateway as gateways, phone
from lib.leg import Leg, both_hear, call
from lib.many import many_calls

CALLS = 200 if os.environ.get("SALLYPORT_FULL") else 50


def rewrite(gateway, *changes):
	text = gateway.file.read_text()
	for before, after in changes:
		assert before in text, before
		text = text.replace(before, after)
	gateway.file.write_text(text)


def ask(gateway, number, event, timeout=20, **fields):
	"""Sends the supervisor a signal and waits for what comes of it."""
	since = gateway.mark()
	os.kill(supervisor(gateway), number)
	return gateway.wait_event(event, timeout, since, **fields)


def supervisor(gateway):
	return gateway.process.pid


def reload(gateway, *changes):
	rewrite(gateway, *changes)
	return ask(gateway, signal.SIGHUP, "reload done")


def options(access, number):
	"""As a peer that looks whether we are there."""
	uri = access.gateway_uri
	access.phone.send_request("OPTIONS", uri, "health", "<sip:health@x>;tag=1", f"<{uri}>", number)
	return access.phone.wait_response(number, "OPTIONS")


def refused(access, status):
	"""A call that gets this answer."""
	access.dial(access.offer())
	response = access.phone.wait_response(access.dialog.cseq)
	assert response.status == status, response.first
	access.phone.ack_failure(access.dialog, response)
	return response


def short_call(access, core):
	"""Whether the old route is in force."""
	access.dial(access.offer())
	core.invite = None
	core.pick_up()
	access.dialled_answer()
	core.hang_up()
	access.taken_down()


CHANGES = (("log: {level: info", "log: {level: debug"), ("media_timeout: 60", "media_timeout: 59"),
	   ('- {from: access, user: "*", to: pbx}', '- {from: access, user: "9*", to: pbx}'))


@pytest.mark.alone # a socket of a starved machine drops packets of its own
@pytest.mark.parametrize("how", ["reload", "replace", "drain"])
def test_many_calls_with_media(topology, start, how, record_property):
	"""Not one packet is missing, every call can be ended from either side, and who calls then is under the new rules; at a drain he
	is refused, and with the last call the gateway ends."""
	gateway = start(access="plain", calls=CALLS + 20)
	with many_calls(topology, gateway, CALLS) as (access, core, streams, up, uri):
		time.sleep(0.3)
		before, began = gateway.child("control"), time.monotonic()
		if how == "drain":
			assert ask(gateway, signal.SIGUSR1, "door closed")["calls"] == CALLS
		else:
			rewrite(gateway, *CHANGES)
		if how == "reload":
			ask(gateway, signal.SIGHUP, "reload done")
			assert gateway.child("control") == before
		elif how == "replace":
			taken = ask(gateway, signal.SIGUSR2, "calls taken up")
			gateway.wait_event("child back", child="control")
			assert (taken["restored"], taken["dropped"]) == (CALLS, 0) and gateway.child("control") != before
			assert not gateway.events("child died")
		took = time.monotonic() - began
		time.sleep(0.3)
		missing = streams.missing()
		record_property("took_ms", round(1000 * took))
		print(f"{how} in {CALLS} calls: {1000 * took:.0f} ms, missing {missing} of {sum(streams.sent[0])} and {sum(streams.sent[1])} packets")
		assert not missing
		late = access.invite(uri, up[0][0].uri and phone.sdp(access.address, phone.audio_section(40000)), cseq=7)
		assert access.wait_response(7).status == (503 if how == "drain" else 404) # the route is another
		for i, (near, far, _) in enumerate(up):
			(near if i % 2 else far).request("BYE")
			other, ender = (core, access) if i % 2 else (access, core)
			other.take_bye()
			assert ender.wait_response((near if i % 2 else far).cseq, "BYE").status == 200
		assert late.call_id
		if how == "drain":
			gateway.wait_event("drained")
			assert gateway.process.wait(10) == 0
			gateway.check_clean()


def test_ringing_call_survives(topology, start):
	"""It rings, the configuration changes, it is answered, and keys come."""
	gateway = start(access="secure", calls=20)
	with Leg(topology, "access", keying="dtls", mux=True) as access, Leg(topology, "core") as core:
		access.dial()
		core.ring()
		reload(gateway, *CHANGES)
		core.pick_up()
		access.dialled_answer()
		for leg in (access, core):
			leg.secured()
			leg.talk()
		both_hear(access, core)
		core.hang_up()
		access.taken_down()
		refused(access, 404)
		reload(gateway, (' user: "9*"', ' user: "1*"'))
		short_call(access, core)


def test_all_or_nothing(topology, start):
	"""A mistake, a port, an address: each is named, and what might have changed beside it has not."""
	gateway = start(access="plain", calls=20)
	good, route = gateway.file.read_text(), ('- {from: access, user: "*", to: pbx}', '- {from: access, user: "9*", to: pbx}')
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		for changes, said in (
			([("log: {level: info", "log: {level: loud")], {"line": 1}),
			([('      - "udp:10.20.0.1:5060"', '      - "udp:10.20.0.1:5070"')], {"restart": "control", "keys": "realms[core].listeners"}),
			([("  poll: adaptive", "  poll: busy")], {"restart": "relay", "keys": "dataplane.poll"}),
			([("16384-32767", "20000-21001"), ('      - "udp:10.20.0.1:5060"', '      - "udp:10.20.0.1:5070"')], {"restart": "relay"}),
			([("limits: {calls: 20}", "limits: {calls: 21}")], {"restart": "relay", "keys": "limits.calls"}),
		):
			rewrite(gateway, route, *changes)
			answer = ask(gateway, signal.SIGHUP, "reload", level="error")
			assert answer["refused"] and all(answer[key] == value for key, value in said.items()), answer
			gateway.file.write_text(good)
			short_call(access, core)
		assert ask(gateway, signal.SIGHUP, "reload")["changes"] is None
		assert not gateway.events("configuration changed")


def test_peer_that_is_no_more(topology, start):
	"""Its call goes on, in this control and in the next one; it cannot make another."""
	gateway = start(access="plain", calls=20)
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		call(access, core)
		reload(gateway, ("name: phones", "name: others"), ("to: phones", "to: others"), ('"10.10.0.0/24", "fd00:10::/64"', '"10.99.0.0/24"'))
		refuse = access.phone.invite(access.gateway_uri, access.offer(), cseq=50)
		assert access.phone.wait_response(50).status == 403 and refuse.call_id
		both_hear(access, core)
		since = gateway.mark()
		gateway.kill_child("control")
		assert gateway.wait_event("calls taken up", 10, since)["restored"] == 1
		gateway.wait_event("child back", 10, since, child="control")
		both_hear(access, core)
		access.hang_up()
		core.taken_down()


def test_another_binary_takes_over(topology, start, shared_folder, monkeypatch):
	"""Control is what its path names now; a DTLS setting goes with it; a call that rings is waited for."""
	for name in ("sallyport", "sallyport-relay"):
		shutil.copy2(gateways.binaries() / name, shared_folder / name)
	monkeypatch.setenv("SALLYPORT_BIN", str(shared_folder))
	gateway = start(access="secure", calls=20)
	with Leg(topology, "access", keying="dtls", mux=True) as access, Leg(topology, "core") as core, \
	     Leg(topology, "access", keying="dtls", mux=True, host=11) as second, Leg(topology, "core", host=11) as unused:
		call(access, core)
		second.dial()
		ringing = core.phone.wait_request("INVITE")
		core.phone.answer(ringing, 180, "Ringing")
		gateway.wait_event("call leg out", call="2")
		(shared_folder / "new").write_bytes((gateways.binaries() / "sallyport").read_bytes())
		(shared_folder / "new").chmod(0o755)
		(shared_folder / "new").rename(shared_folder / "sallyport") # as a package does
		inode = (shared_folder / "sallyport").stat().st_ino
		rewrite(gateway, ("dataplane:\n", "dtls: {mtu: 1100}\ndataplane:\n"))
		since = gateway.mark()
		os.kill(supervisor(gateway), signal.SIGUSR2)
		gateway.wait_event("replace control", 10, since, changes="dtls.mtu")
		gateway.wait_event("waiting to leave", 10, since, setting_up=1)
		assert options(access, 900).status == 503 # it takes no more
		core.phone.answer(ringing, 486, "Busy Here")
		second.phone.wait_response(second.dialog.cseq)
		gateway.wait_event("child back", 20, since, child="control")
		assert os.stat(f"/proc/{gateway.child('control')}/exe").st_ino == inode
		both_hear(access, core)
		core.hang_up()
		access.taken_down()
		assert not gateway.events("child died")


def test_keys_on_their_way_are_waited_for(topology, start):
	"""A call is answered and its handshake has not come: another control could not go on with that."""
	gateway = start(access="secure", calls=20)
	with Leg(topology, "access", keying="dtls", role="active", mux=True) as access, Leg(topology, "core") as core:
		access._begin_dtls = lambda active: None # not yet
		access.dial()
		core.pick_up()
		access.dialled_answer()
		since = gateway.mark()
		os.kill(supervisor(gateway), signal.SIGUSR2)
		gateway.wait_event("waiting to leave", 10, since, setting_up=1)
		Leg._begin_dtls(access, True)
		access.secured()
		gateway.wait_event("child back", 20, since, child="control")
		access.talk()
		core.talk()
		both_hear(access, core)
		core.hang_up()
		access.taken_down()


def test_drain(topology, start):
	"""No new calls, a 503 for who asks, the old ones as before; back again; and at the last call's end the process ends."""
	gateway = start(access="plain", calls=20)
	with Leg(topology, "access") as access, Leg(topology, "core") as core, Leg(topology, "access", host=11) as second:
		call(access, core)
		assert options(access, 901).status == 200
		ask(gateway, signal.SIGUSR1, "door closed", calls=1)
		answer = refused(second, 503)
		assert int(answer.get("retry-after")) > 0
		assert options(access, 902).status == 503
		since = gateway.mark()
		gateway.kill_child("control") # the next one knows
		gateway.wait_event("door closed", 20, since, calls=1)
		assert options(access, 903).status == 503
		ask(gateway, signal.SIGUSR1, "door open")
		assert options(access, 904).status == 200
		ask(gateway, signal.SIGUSR1, "door closed")
		both_hear(access, core)
		access.hang_up()
		core.taken_down()
		gateway.wait_event("drained")
		assert gateway.process.wait(10) == 0
		gateway.check_clean()


def test_drain_ends_at_its_deadline(topology, start):
	"""The call that is left gets its BYE."""
	gateway = start(access="plain", calls=20)
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		call(access, core)
		reload(gateway, ("process: {", "process: {drain_timeout: 1, "))
		ask(gateway, signal.SIGUSR1, "draining begun", deadline_s=1)
		gateway.wait_event("drain deadline")
		access.taken_down()
		core.taken_down()
		assert gateway.process.wait(10) == 0
