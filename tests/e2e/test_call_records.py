# SPDX-License-Identifier: GPL-3.0-or-later
# What the call records say is what has happened, whatever became of the call, of a process or of the file.
import contextlib
import os
import subprocess
import threading

import pytest

from lib import records
from lib.leg import Leg, both_hear, call

FORGED = 'eve\\"\x1b[2J \\u000a{\\"version\\":1}'


@pytest.fixture
def recording(start, shared_folder):
	def begin(more="", **settings):
		gateway = start(calls=20, records=f"file: {shared_folder}/calls.jsonl{more}", **settings)
		gateway.records = shared_folder / "calls.jsonl"
		return gateway
	return begin


def leg_of(record, side):
	found, = (leg for leg in record["legs"] if leg["side"] == side and not leg["left"])
	return found


def line_of(record, side):
	found, = (line for line in record["media"] if line["leg"] == record["legs"].index(leg_of(record, side)))
	return found


def test_calls_of_every_end(topology, recording):
	"""A secured call, one that is cancelled, one that fails, one that is refused: in the order in which they ended."""
	gateway = recording(access="secure", core="plain")
	with Leg(topology, "access", keying="dtls", mux=True, rtcp=True) as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core)
		core.hang_up()
		access.taken_down()
		answered, = records.wait(gateway.records, 1)
		first = access.dialog.call_id

		first_out = core.invite.get("call-id")
		access.dial(access.offer())
		core.ring()
		access.phone.wait(lambda m: m.status == 180 and m.get("call-id") == access.dialog.call_id, what="180")
		access.phone.cancel(access.dialog)
		cancel = core.phone.wait_request("CANCEL")
		core.phone.answer(cancel, 200, "OK")
		core.phone.answer(core.invite, 487, "Request Terminated")
		access.phone.ack_failure(access.dialog, access.phone.wait_response(access.dialog.cseq))
		cancelled = records.wait(gateway.records, 2)[1]

		access.dial(access.offer())
		invite = core.phone.wait_request("INVITE")
		core.phone.answer(invite, 486, "Busy Here")
		access.phone.ack_failure(access.dialog, access.phone.wait_response(access.dialog.cseq))
		failed = records.wait(gateway.records, 3)[2]

		for body, status in ((access.offer().replace("UDP/TLS/RTP/SAVP", "RTP/AVP"), 488), ("no description", 400)):
			access.dialog = access.phone.invite(access.gateway_uri, body)
			response = access.phone.wait_response(access.dialog.cseq)
			assert response.status == status, response.first
			access.phone.ack_failure(access.dialog, response)

	assert answered["result"] == "answered" and answered["ended"]["by"] == "callee" and answered["ended"]["status"] == 200
	assert answered["ended"]["realm"] == "core" and not answered["restored"] and answered["transfers"] == 0
	near, far = leg_of(answered, "caller"), leg_of(answered, "callee")
	assert (near["realm"], near["peer"], near["profile"], near["call_id"]) == ("access", "phones", "secure", first)
	assert (far["realm"], far["peer"], far["profile"], far["call_id"]) == ("core", "pbx", "plain", first_out)
	assert near["address"] == f"{access.address}:5060" and far["address"] == f"{core.address}:5060"
	times = answered["times"]
	assert times["start"] <= times["ring"] <= times["answer"] <= times["end"] and times["duration_ms"] >= 500
	secured, plain = line_of(answered, "caller"), line_of(answered, "callee")
	up = gateway.events("line secured", leg="access")[0]
	assert (secured["keying"]["mechanism"], secured["keying"]["suite"]) == ("dtls-srtp", up["suite"])
	dtls = secured["keying"]["dtls"]
	assert dtls["fingerprint_checked"] and dtls["fingerprint"] == access.fingerprint and dtls["version"] in ("1.2", "1.3")
	assert plain["keying"] == {"mechanism": "none", "suite": None, "rekeys": 0, "dtls": None}
	assert secured["received"]["packets"] >= 50 and plain["received"]["packets"] >= 50 and secured["received"]["lost"] == 0
	assert secured["received"]["mos"] > 4 and secured["sent"]["packets"] >= 50
	assert plain["remote"] == f"{core.address}:{core.media.port}"

	assert cancelled["result"] == "cancelled" and cancelled["ended"]["by"] == "caller" and cancelled["ended"]["status"] == 487
	assert cancelled["times"]["ring"] and cancelled["times"]["answer"] is None and cancelled["media"] is not None
	assert failed["result"] == "failed" and failed["ended"]["by"] == "callee" and failed["ended"]["status"] == 486
	assert gateway.stop() == 0
	refused = records.read(gateway.records)[3:]
	assert [(r["result"], r["ended"]["status"], r["ended"]["by"]) for r in refused] == [("refused", s, "gateway") for s in (488, 400)]


def test_nobody_forges_a_record(topology, recording):
	gateway = recording(access="plain", core="plain")
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		local = f'"{FORGED}" <sip:mallory@{access.address}>;tag=1'
		access.phone.send_request("INVITE", access.gateway_uri, "forged-1", local, f"<{access.gateway_uri}>", 1, access.offer())
		core.phone.answer(core.phone.wait_request("INVITE"), 603, "Decline")
		access.phone.wait_response(1)
		record, = records.wait(gateway.records, 1)
	assert "mallory" in leg_of(record, "caller")["uri"] and "version" in record["caller_name"]
	assert all(0x20 <= byte < 0x7f or byte == 0x0a for byte in gateway.records.read_bytes())


@pytest.mark.parametrize("kind", ["control", "relay"])
def test_call_that_outlived_a_process(topology, recording, kind):
	"""Times, ids and figures are those of the whole call, as far as records hold them."""
	gateway = recording(access="secure", core="plain")
	with Leg(topology, "access", keying="dtls", mux=True) as access, Leg(topology, "core") as core:
		call_id = call(access, core)
		both_hear(access, core)
		since = gateway.mark()
		gateway.kill_child(kind)
		gateway.wait_event("child back", 20, since, child=kind)
		both_hear(access, core)
		access.hang_up()
		core.taken_down()
		record, = records.wait(gateway.records, 1)
	assert record["restored"] == (kind == "control") and record["result"] == "answered"
	assert leg_of(record, "caller")["call_id"] == call_id
	assert record["times"]["ring"] and record["times"]["duration_ms"] >= 1000
	line = line_of(record, "caller")
	assert line["received"]["packets"] >= 100 and line["keying"]["dtls"]["fingerprint_checked"]
	assert line["keying"]["dtls"]["version"] in ("1.2", "1.3") and line["keying"]["suite"]


def test_call_that_rang_when_control_died(topology, recording):
	"""The next life ends it, and records it as far as it knows it."""
	gateway = recording(access="secure", core="plain")
	with Leg(topology, "access", keying="dtls", mux=True) as access, Leg(topology, "core") as core:
		access.dial()
		invite = core.phone.wait_request("INVITE")
		core.phone.answer(invite, 180, "Ringing")
		access.phone.wait(lambda m: m.status == 180, what="180")
		gateway.kill_child("control")
		final = access.phone.wait_response(1, timeout=20)
		access.phone.ack_failure(access.dialog, final)
		record, = records.wait(gateway.records, 1, 30)
	assert (record["result"], record["restored"], record["ended"]["by"]) == ("failed", False, "gateway")
	assert (record["ended"]["status"], record["ended"]["cause"]) == (final.status, "control restarted") == (500, "control restarted")
	near, far = leg_of(record, "caller"), leg_of(record, "callee")
	assert (near["call_id"], far["call_id"]) == (access.dialog.call_id, invite.get("call-id"))
	assert (near["realm"], near["peer"], far["realm"], far["peer"]) == ("access", "phones", "core", "pbx")
	assert near["uri"] in access.dialog.local and f"<{far['uri']}>" in invite.get("to") and f"<{record['called']}>" == access.dialog.remote
	assert near["address"] and not record["times"]["answer"] and record["times"]["setup_ms"] > 0


def short_calls(access, core, n):
	for _ in range(n):
		access.dial(access.offer())
		core.phone.answer(core.phone.wait_request("INVITE"), 404, "Not Found")
		access.phone.ack_failure(access.dialog, access.phone.wait_response(access.dialog.cseq))


def test_rotation_by_others_and_by_size(topology, recording, shared_folder):
	gateway = recording(more=", max_size_mb: 0", access="plain", core="plain")
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		short_calls(access, core, 3)
		records.wait(gateway.records, 3)
		rules = shared_folder / "rules"
		rules.write_text(f"{gateway.records} {{\n rotate 3\n missingok\n nocreate\n}}\n")
		rules.chmod(0o644)
		shared_folder.chmod(0o755) # logrotate trusts no folder that all may write to
		owner = gateway.records.stat()
		os.chown(shared_folder, owner.st_uid, owner.st_gid)
		subprocess.run(["/usr/sbin/logrotate", "-f", "-s", shared_folder / "state", rules], check=True)
		short_calls(access, core, 2)
		assert len(records.wait(gateway.records, 2)) == 2
		assert len(records.read(shared_folder / "calls.jsonl.1")) == 3


def test_full_disk_costs_no_call(topology, recording, shared_folder):
	"""On a small file system of its own; what did not fit is written when there is room again."""
	subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=64,mode=777", "sallyport-e2e", shared_folder], check=True)
	try:
		gateway = recording(access="plain", core="plain")
		filler = shared_folder / "filler"
		with Leg(topology, "access") as access, Leg(topology, "core") as core:
			short_calls(access, core, 1)
			records.wait(gateway.records, 1)
			with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
				while True:
					file.write(bytes(512))
			short_calls(access, core, 6) # at the first page's end at the latest it is full
			gateway.wait_event("call records cannot be written")
			assert len(records.read(gateway.records)) < 7
			filler.unlink()
			assert len(records.wait(gateway.records, 7)) == 7
			gateway.wait_event("call records are written again", lost=0)
		gateway.stop()
	finally:
		subprocess.run(["umount", "-l", shared_folder], check=True)


def test_nothing_is_lost_at_the_end(topology, recording):
	"""SIGTERM with calls up: each has its record, and its media's half, when the process is gone."""
	gateway = recording(access="plain", core="plain")
	with Leg(topology, "access") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core)
		answering = [threading.Thread(target=leg.taken_down) for leg in (access, core)]
		for thread in answering:
			thread.start()
		gateway.stop()
		for thread in answering:
			thread.join()
	record, = records.read(gateway.records)
	assert record["ended"]["by"] == "gateway" and record["result"] == "answered"
	assert line_of(record, "caller")["received"]["packets"] >= 50
