# SPDX-License-Identifier: GPL-3.0-or-later
# The log as an operator uses it: a call is found by the Call-ID of either leg, as JSON and as text.
import json
import re
import time

from lib import dtls
from lib.gateway import Gateway, configuration
from lib.leg import Leg, both_hear, call


def one_call(topology):
	"""Returns the Call-IDs of both legs."""
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=30, seconds=0.3)
		call_ids = access.dialog.call_id, core.dialog.call_id
		access.hang_up()
		core.taken_down()
	return call_ids


def test_every_line_of_a_call_bears_both_call_ids(topology, start):
	gateway = start()
	ours, theirs = one_call(topology), one_call(topology)
	gateway.wait_event("media total", call_id=theirs[0])
	for a, b in (ours, theirs):
		lines = [e for e in gateway.events() if a in e.values() or b in e.values()]
		names = [e["event"] for e in lines]
		assert {"call started", "call leg out", "call answered", "line secured", "call ended", "media summary",
			"media total"} <= set(names), names
		assert names[0] == "call started"
		for entry in lines:
			assert (entry["call_id_a"], entry["call_id_b"]) == (a, b), entry
	# and no line that speaks of a call or a session goes without
	for entry in gateway.events():
		if entry["tag"] in ("sip", "media") and {"call", "session", "dialog"} & set(entry):
			assert (entry["call_id_a"], entry["call_id_b"]) in (ours, theirs), entry


def test_state_lines_at_debug_are_found_too(topology, start):
	gateway = start(level="debug")
	a, b = one_call(topology)
	gateway.wait_event("media total", call_id=b)
	states = [e for e in gateway.events() if e["tag"] in ("call", "dialog", "offer_answer")]
	assert {"call", "dialog", "offer_answer"} == {e["tag"] for e in states}
	for entry in states: # the far leg's is not drawn yet in the very first
		assert entry["call_id_a"] == a and entry["call_id_b"] in (b, None), entry
	assert sum(e["call_id_b"] == b for e in states) > len(states) / 2


def test_a_refused_call_is_found_too(topology, start):
	gateway = start() # access must encrypt
	with Leg(topology, "access") as access:
		access.dial()
		response = access.phone.wait_response(1)
		assert response.status == 488
		access.phone.ack_failure(access.dialog, response)
		ended = gateway.wait_event("call ended", call_id=access.dialog.call_id)
		assert (ended["status"], ended["by"]) == (488, "gateway") and ended["cause"]


# A value stands bare where nothing in it could be taken for the end of it, or is quoted as in JSON.
FIELD = re.compile(r' (\w+)=(?:([^\s"\\=]+)|("(?:[^"\\\x00-\x1f]|\\["\\]|\\u[0-9a-f]{4})*"))')
TEXT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (?:info|warning|error) (?:supervisor|relay|control) [\w-]+: (\w[^=\"\\]*?)((?: \w+=.*)?)")


def fields_of(line):
	"""A line of text as whoever reads it has to: event and fields, and nothing left over."""
	assert line.isascii() and line.isprintable(), line
	match = TEXT.fullmatch(line)
	assert match, line
	event, rest, fields = match[1], match[2], {}
	while rest:
		field = FIELD.match(rest)
		assert field and field[1] not in fields, (line, rest)
		fields[field[1]] = field[2] if field[3] is None else json.loads(field[3])
		rest = rest[field.end():]
	return event, fields


def test_as_text(topology):
	gateway = Gateway(topology, start=False)
	text = configuration(state_dir=gateway.directory).replace("format: json", "format: text")
	gateway.file.write_text(text)
	gateway._parse = lambda line: {"event": "gateway ready"} if "supervisor supervisor: gateway ready" in line else None
	with gateway:
		gateway.start()
		a, b = one_call(topology)
		gateway.process.wait_until(lambda line: "media total" in line, 20, "the call's last line")
		lines = [line for _, _, line in list(gateway.process.lines)]
	read = [fields_of(line) for line in lines]
	for event in ("call started", "call answered", "line secured", "call ended", "media summary", "media total"):
		found = [fields for name, fields in read if name == event]
		assert found and all((fields["call_id_a"], fields["call_id_b"]) == (a, b) for fields in found), event


def test_a_foreign_certificate_is_counted(topology, start):
	"""Silence on the wire, a number in the log; and the call gets all of its keying timeout."""
	gateway = start(keying_timeout=2)
	other = dtls.Certificate().fingerprint
	with Leg(topology, "access", keying="dtls", role="active", signalled_fingerprint=other) as access, \
	     Leg(topology, "core") as core:
		core.dial()
		access.pick_up()
		core.dialled_answer()
		answered = time.monotonic()
		access.taken_down(8)
		core.taken_down(8)
		assert 1.5 < time.monotonic() - answered < 8
		summary = gateway.wait_event("media summary", call_id=core.dialog.call_id, leg="access")
		assert summary["certificate_mismatches"] >= 1 and summary["suite"] == "none"


FORGED = ' "level":"error","event":"gateway stopped"'
CHOSEN = { # where somebody else's octets stand: display name, user, host's parameters, Subject, User-Agent
	"quotes": '\\"}\\r\\n{' + FORGED, "escapes": "\\u001b[2J\\x1b]0;owned\\a", "terminal": "\x1b[2J\x1b]0;owned\x07", "tab and delete": "a\tb\x7f\x08c",
	"c1": "\x9b31m", "bare CR": "a\rforged" + FORGED, "bare LF": "a\nforged" + FORGED, "folded": "a\r\n forged" + FORGED, "separators": "\u2028\u2029",
}


def hostile_calls(topology):
	"""Each is a call, or is refused: whatever comes of it, the log must not say what somebody else chose as if it were its own. A
	Call-ID may have quotes, braces and backslashes (RFC 3261 section 25.1), and is in every line. Returns the Call-IDs."""
	chosen = []
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core"):
		for n, text in enumerate(CHOSEN.values()):
			user = "".join(f"%{octet:02X}" for octet in text.encode())
			for number, uri in ((1, access.gateway_uri), (2, f"sip:{user}@{topology.gateway('access')}:5060")):
				chosen.append(f'{n}-{number}"}}\\{{<>:"')
				access.phone.send_request("INVITE", uri, chosen[-1], f'"{text}" <sip:{user}@{access.address}>;tag={n}', f'"{text}" <{uri}>', 1,
							  access.offer(), [f"Subject: {text}", f"Reason: SIP;cause=200;text=\"{text}\""])
		access.phone.send_request("OPTIONS", access.gateway_uri, "after", "<sip:a@b>;tag=1", f"<{access.gateway_uri}>", 9)
		assert access.phone.wait_response(9, "OPTIONS").status == 200
	return chosen


def test_what_others_choose_forges_no_line(topology, start):
	"""As JSON: each line is one object, with each key once, and no event is there that did not happen."""
	gateway = start(calls=100)
	hostile_calls(topology)
	gateway.stop()
	lines = [line for _, _, line in gateway.process.lines]
	for line in lines:
		pairs = json.loads(line, object_pairs_hook=lambda found: found)
		assert len(dict(pairs)) == len(pairs), line
		assert line.isascii() and line.isprintable(), line
	assert len(gateway.events("call started")) >= len(CHOSEN) # it did see some of that
	assert len(gateway.events("gateway stopped")) == 1 and not gateway.events("gateway stopped", level="error")


def test_what_others_choose_forges_no_line_of_text(topology):
	gateway = Gateway(topology, start=False)
	gateway.file.write_text(configuration(state_dir=gateway.directory, calls=100).replace("format: json", "format: text"))
	gateway._parse = lambda line: {"event": "gateway ready"} if "supervisor supervisor: gateway ready" in line else None
	with gateway:
		gateway.start()
		chosen = hostile_calls(topology)
		gateway.stop()
		lines = [line for _, _, line in gateway.process.lines]
	read = [(line, *fields_of(line)) for line in lines]
	assert sum(event == "call started" for _, event, _ in read) >= len(CHOSEN)
	assert sum(event == "gateway stopped" for _, event, _ in read) == 1
	named = [fields["call_id_a"] for _, event, fields in read if event in ("call started", "call refused")]
	assert len(set(named)) >= len(CHOSEN) and set(named) <= set(chosen), named # what was sent, to the letter
	for line, _, fields in read:
		assert fields.get("call_id_a", chosen[0]) in chosen, line
