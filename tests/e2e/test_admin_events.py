# SPDX-License-Identifier: GPL-3.0-or-later
# GET /v1/events: what a call is told of, what comes back to who was away, and what sallyportctl makes of it.
import json
import os
import signal
import subprocess

import pytest

from lib.admin import TOKENS, Managed, samples
from lib.events import Events
from lib.gateway import binaries
from lib.leg import Leg, both_hear, call
from lib.netns import Topology
from test_reload import rewrite

CALL = ["call_started", "call_answered", "line_secured", "line_secured", "call_ended"]


@pytest.fixture(scope="module")
def shared():
	"""One gateway for all that leaves it as it was."""
	with Topology() as topology, Managed(topology, connections=16) as managed:
		yield topology, managed


def no_streams(managed):
	managed.wait("/v1/status", lambda _: samples(managed.metrics())["sallyport_admin_event_streams"] == 0)


def ctl(topology, *arguments):
	return subprocess.run(topology.gw.command(str(binaries() / "sallyportctl"), *arguments), capture_output=True, text=True, timeout=60,
			      env=dict(os.environ, SALLYPORT_TOKEN=TOKENS["viewer"]))


def short_call(topology):
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call_id = call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		access.hang_up()
		core.taken_down()
		return call_id, core.dialog.call_id


def test_a_call_is_told(shared):
	topology, managed = shared
	before = samples(managed.metrics())
	with Events(managed) as events, Events(managed, "?type=call_ended,attack") as some, Events(managed, "?call=77") as others:
		call_id, other_id = short_call(topology)
		seen = [events.next() for _ in CALL]
		assert sorted(e.name for e in seen) == sorted(CALL), seen
		assert seen[0].name == "call_started" and seen[-1].name == "call_ended" # media's may come before the answer is told
		numbers = {e.data["call"] for e in seen}
		assert len(numbers) == 1
		life, _, first = seen[0].id.partition("-")
		assert [e.id for e in seen] == [f"{life}-{int(first) + n}" for n in range(len(CALL))]
		by_name = {(e.name, e.data.get("realm")): e.data for e in seen}
		started = by_name["call_started", None]
		assert started["caller"]["realm"] == "access" and started["callee"]["realm"] == "core"
		assert started["caller"]["call_id"] == call_id and started["callee"]["call_id"] == other_id
		dtls, plain = by_name["line_secured", "access"], by_name["line_secured", "core"]
		assert dtls["keying"] == "dtls-srtp" and dtls["suite"] and dtls["dtls_version"] and dtls["call_id_a"] == call_id
		assert plain["keying"] == "plain" and plain["suite"] is None and plain["dtls_version"] is None
		ended = by_name["call_ended", None]
		assert ended["by"] == "access" and ended["up_seconds"] > 0 and ended["setup_seconds"] >= 0
		assert [some.next().id] == [seen[-1].id] # and nothing before it
		figures = samples(managed.metrics())
		told = 'sallyport_admin_events_total{type="line_secured"}'
		assert figures["sallyport_admin_event_streams"] == 3 and figures[told] - before[told] == 2
		assert others.seen == [] and others._queue.empty()


def test_who_was_away_gets_it_later(shared):
	topology, managed = shared
	no_streams(managed)
	with Events(managed) as events:
		short_call(topology)
		seen = [events.next() for _ in CALL]
	with Events(managed, last_id=seen[1].id) as again:
		assert [(e.id, e.data) for e in (again.next() for _ in CALL[2:])] == [(e.id, e.data) for e in seen[2:]]
	with Events(managed, f"?type=call_ended&call={seen[0].data['call']}", last_id=seen[0].id) as again:
		assert again.next().id == seen[-1].id
	life = seen[0].id.partition("-")[0]
	for unknown in ("x", "", "7-1", f"{life}-99", f"{life}-01", "-1", "\xff", f"{life}-1;", "f" * 200):
		with Events(managed, last_id=unknown) as again:
			if unknown == "": # none: from now on
				continue
			gap = again.next()
			assert gap.name == "gap" and gap.data["cause"] == "other_life" and gap.id == f"{life}-0", (unknown, gap)
			assert again.next().id == f"{life}-1" # and all that there is
		no_streams(managed)


def test_process_and_configuration(topology):
	with Managed(topology) as managed:
		watch_changes(topology, managed)


def watch_changes(topology, managed):
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core) # or a drain would be the end
		with Events(managed) as events:
			assert managed.ask("/v1/drain", method="POST", token="operator").status == 202
			events.wait("drain_begun")
			assert managed.ask("/v1/resume", method="POST", token="operator").status == 202
			events.wait("drain_ended")
			rewrite(managed, ("level: info", "level: debug"))
			os.kill(managed.process.pid, signal.SIGHUP)
			assert "log" in events.wait("config_changed").data["keys"]
			managed.kill_child("relay")
			back = events.wait("process_restarted")
			assert back.data["process"] == "relay" and back.data["restarts"] == 1 and back.data["away_seconds"] > 0
			since = managed.mark()
			managed.kill_child("control")
			events.ended()
		managed.wait_event("child back", 20, since, child="control")
		with Events(managed, last_id=back.id) as events:
			gap, restarted, restored = events.next(), events.next(), events.next()
			assert (gap.name, gap.data["cause"]) == ("gap", "other_life")
			assert (restarted.name, restarted.data["process"], restarted.data["restarts"]) == ("process_restarted", "control", 1)
			assert (restored.name, restored.data["restored"], restored.data["lost"]) == ("calls_restored", 1, 0)
			number = managed.get("/v1/calls")["calls"][0]["id"]
			access.hang_up()
			core.taken_down()
			assert events.wait("call_ended").data["call"] == number


def test_silence_and_attacks(shared):
	topology, managed = shared
	with Events(managed) as events:
		with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
			access.dial()
			core.pick_up()
			access.dialled_answer()
			number = events.wait("call_answered").data["call"]
			access.talk()
			silent = events.wait("media_silent", 30)
			assert silent.data["realm"] == "core" and silent.data["call"] == number
			for _ in range(100): # SRTP of nobody's, from the right address
				access.media.socket.sendto(bytes([0x80, 0]) + os.urandom(170), access.media.remote)
			bad = events.wait("attack", 30)
			assert bad.data["kind"] == "bad_tags" and bad.data["count"] >= 20 and bad.data["call"] == number and bad.data["realm"] == "access"
			core.talk()
			flows = events.wait("media_flows", 30)
			assert flows.data["realm"] == "core" and flows.data["call"] == number
			access.hang_up()
			core.taken_down()
		source, target = topology.gateway("access"), topology.gateway("core") # the access side's address, at the core's door
		with topology.gw.udp(source) as stranger:
			stranger.sendto(f"OPTIONS sip:x@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {source};branch=z9hG4bK1\r\nFrom: <sip:x@x>;tag=1\r\n"
					f"To: <sip:x@x>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n".encode(), (target, 5060))
			told = events.wait("attack", 30)
			assert told.data["kind"] == "stranger_sip" and told.data["call"] is None and told.data["source"].startswith(source)


def test_bounds(shared):
	_, managed = shared
	no_streams(managed)
	with Events(managed), Events(managed), Events(managed), Events(managed): # a quarter of the places
		reply = managed.ask("/v1/events")
		assert reply.status == 503 and reply.json()["detail"] == "too many streams are open"
		assert samples(managed.metrics())["sallyport_admin_event_streams_refused_total"] == 1
	for query in ("?type=", "?type=x", "?type=attack,", "?type=attack,x", "?call=0", "?call=x", "?call=", "?call=1&call=2", "?call=99999999999"):
		reply = managed.ask("/v1/events" + query)
		assert reply.status == 400, (query, reply)
	reply = managed.ask("/v1/events", method="HEAD")
	assert reply.status == 200 and reply.headers["Content-Type"] == "text/event-stream"


def test_command_line(shared):
	topology, managed = shared
	with Events(managed) as events:
		short_call(topology)
		first = events.next().id
	no_streams(managed)
	done = ctl(topology, "events", "--since", "0-0", "--count", "1", "--json")
	assert done.returncode == 0 and json.loads(done.stdout)["event"] == "gap", done
	before = first.partition("-")[0] + "-" + str(int(first.partition("-")[2]) - 1)
	done = ctl(topology, "events", "--since", before, "--count", "5", "--json")
	assert done.returncode == 0, done
	rows = [json.loads(line) for line in done.stdout.splitlines()]
	assert rows[0]["id"] == first and sorted(row["event"] for row in rows) == sorted(CALL)
	done = ctl(topology, "events", "--since", before, "--count", "2", "--type", "call_started,call_ended")
	assert done.returncode == 0 and len(done.stdout.splitlines()) == 2, done
	began, last = done.stdout.splitlines()
	assert "call_started" in began and f"call={rows[0]['data']['call']}" in began and "access <sip:" in began and "-> core <sip:" in began
	assert "call_ended" in last and "by=access" in last
	done = ctl(topology, "events", "--type", "nothing")
	assert done.returncode == 1 and "names of events" in done.stderr, done
	assert ctl(topology, "events", "--count", "0").returncode == 2
	assert ctl(topology, "-a", "127.0.0.1:1", "events").returncode == 3
	done = ctl(topology, "top", "--once")
	assert done.returncode == 0 and "running, ready" in done.stdout and "CALL" in done.stdout and "\x1b" not in done.stdout
