# SPDX-License-Identifier: GPL-3.0-or-later
# Calls that are not up yet when control is killed: they end on both sides, and what they had is there for others; those that are up
# do not notice.
import itertools
import os
import time

from lib import phone, ringing
from lib.many import many_calls

N = 100 if os.environ.get("SALLYPORT_FULL") else 30 # that ring, and as many that are up
LIMIT = 20 # seconds
ROOM = 60 # calls
KILLS = 20 if os.environ.get("SALLYPORT_FULL") else 3


def body(side, streams, i):
	address = streams.sides[side][i].getsockname()
	return phone.sdp(address[0], phone.audio_section(address[1]))


def of(call_id, what):
	return lambda m: m.get("call-id") == call_id and what(m)


def ring(access, core, streams, i, uri, status):
	"""Call number i, as far as this provisional response of the far side; 0: it says nothing."""
	near = access.invite(uri, body(0, streams, i), cseq=1000 * (i + 1))
	invite = core.wait_request("INVITE")
	if status:
		core.answer(invite, status, "Progress", body(1, streams, i) if status == 183 else None)
	access.wait(of(near.call_id, lambda m: m.status == (status or 100)), what="progress")
	return near, invite


def told(access, core, near, invite):
	"""The near side has its final response, the far one its CANCEL; both transactions come to their ends."""
	final = access.wait(of(near.call_id, lambda m: m.status and m.status >= 200), LIMIT, "final response")
	assert final.status == 500 and 5 <= int(final.get("retry-after")) <= 10 and "control restarted" in final.get("reason")
	access.ack_failure(near, final)
	cancel = core.wait(of(invite.get("call-id"), lambda m: m.method == "CANCEL"), LIMIT, "CANCEL")
	assert cancel.get("via") == invite.get("via") and cancel.cseq[0] == invite.cseq[0]
	core.answer(cancel, 200, "OK")
	core.answer(invite, 487, "Request Terminated")
	core.wait(of(invite.get("call-id"), lambda m: m.method == "ACK"), LIMIT, "ACK")


def one_more(access, core, text, uri, numbers):
	"""There is room for another call: it reaches the far side, which has no time."""
	end = time.monotonic() + LIMIT
	while True:
		near = access.invite(uri, text, cseq=next(numbers))
		while not core.untaken("INVITE") and not access.answered(near.cseq):
			assert time.monotonic() < end
			time.sleep(0.01)
		if not access.answered(near.cseq):
			return near, core.wait_request("INVITE")
		final = access.wait_response(near.cseq)
		assert final.status == 503 and time.monotonic() < end, final.first
		access.ack_failure(near, final)


def test_ringing_calls_end(topology, start, record_property):
	"""At the limit of calls: as many can be made as have ended, at once, and not one packet of the others is missing."""
	gateway = start(access="plain", calls=2 * N, media_timeout=600)
	with many_calls(topology, gateway, N, 2 * N) as (access, core, streams, up, uri):
		calls = [ring(access, core, streams, N + i, uri, (0, 180, 183)[i % 3]) for i in range(N)]
		since, began = gateway.mark(), time.monotonic()
		gateway.kill_child("control")
		for near, invite in calls:
			told(access, core, near, invite)
		ended = time.monotonic() - began
		taken = gateway.wait_event("calls taken up", 10, since)
		assert (taken["ended"], taken["restored"], taken["dropped"]) == (N, N, 0)
		assert {e["call_id_b"] for e in gateway.events("call ended", cause="control restarted")} == \
			{invite.get("call-id") for _, invite in calls}
		numbers = itertools.count(1000 * (2 * N + 1))
		more = [one_more(access, core, body(0, streams, N + i), uri, numbers) for i in range(N)]
		room = time.monotonic() - began
		for near, invite in more:
			core.answer(invite, 486, "Busy Here")
			access.ack_failure(near, access.wait_response(near.cseq))
		missing = streams.missing()
		record_property("ended_ms", round(1000 * ended))
		print(f"{N} calls ring, {N} are up, control killed: all that rang ended after {1000 * ended:.0f} ms, room for as many after "
		      f"{1000 * room:.0f} ms, missing {missing} of {sum(streams.sent[0])} and {sum(streams.sent[1])} packets")
		assert not missing
		for near, _, _ in up:
			near.request("BYE")
			core.take_bye()
			assert access.wait_response(near.cseq, "BYE").status == 200


def settled(*parties):
	"""Nothing is open on either side, before long."""
	end = time.monotonic() + LIMIT
	while any(party.open_calls() for party in parties):
		assert time.monotonic() < end, [[(c.get("state"), c.get("status"), c.get("cancelled")) for c in p.open_calls().values()] for p in parties]
		time.sleep(0.05)


def test_killed_at_any_moment(topology, start):
	"""Calls come, ring, are refused and given up all the time, while control is killed again and again: each comes to its end on
	both sides, and in the end there is room for as many as at the start."""
	gateway = start(access="plain", calls=ROOM, media_timeout=30)
	near = ringing.Near(topology.access, topology.phone("access"), topology.gateway("access"), rate=60)
	far = ringing.Far(topology.core, topology.phone("core"), topology.gateway("core"))
	near.start()
	far.start()
	try:
		near.calling = True
		for i in range(KILLS):
			time.sleep(0.6 + near.random.random())
			since = gateway.mark()
			gateway.kill_child("control")
			gateway.wait_event("child back", 20, since, child="control")
		time.sleep(0.5)
		near.calling = False
		settled(near, far)
		begun, reached, finals = len(near.calls), len(far.calls), dict(sorted(near.finals.items()))
		assert set(finals) <= {486, 487, 500, 503} and 500 in finals, finals
		near.patient, far.refuses = True, False
		end = time.monotonic() + LIMIT
		while len(far.open_calls()) < ROOM: # one that is refused for want of room is tried again
			assert time.monotonic() < end, (near.finals, len(far.open_calls()))
			with near.lock:
				for _ in range(ROOM - sum(not c["over"] for c in near.calls.values())):
					near.begin()
			time.sleep(0.1)
		near.patient = False
		settled(near, far)
		print(f"control killed {KILLS} times: {begun} calls begun, {reached} INVITEs at the far side, ended by {finals}, "
		      f"{len(gateway.events('call ended', cause='control restarted'))} of them by the next life")
	finally:
		near.close()
		far.close()
