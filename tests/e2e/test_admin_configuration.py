# SPDX-License-Identifier: GPL-3.0-or-later
# The configuration by the management door: read, judged, compared, applied and taken back, and nothing of it by accident.
import hashlib
import json
import os
import re
import signal
import time

import pytest

from lib.admin import TOKENS, Managed
from lib.leg import Leg, both_hear, call
from lib.many import many_calls
from test_ctl import ctl
from test_reload import CALLS, refused, short_call

YAML = {"Content-Type": "application/yaml"}
ROUTE = ('- {from: access, user: "*", to: pbx}', '- {from: access, user: "9*", to: pbx}')
LISTENER = ('      - "udp:10.20.0.1:5060"', '      - "udp:10.20.0.1:5070"')
KEPT = '"(kept)"'


def changed(text, *changes):
	for before, after in changes:
		assert before in text, before
		text = text.replace(before, after)
	return text


def read(managed):
	reply = managed.ask("/v1/configuration")
	assert reply.status == 200, reply
	return reply.json(), reply.headers["ETag"]


def put(managed, text, tag, path="/v1/configuration", token="operator"):
	return managed.ask(path, method="PUT", token=token, body=text, headers={**YAML, "If-Match": tag}, timeout=30)


def post(managed, path, text=None, tag=None):
	headers = dict(YAML if text is not None else {}, **({"If-Match": tag} if tag else {}))
	return managed.ask(f"/v1/configuration/{path}", method="POST", token="operator", body=text, headers=headers, timeout=30)


def check_read(managed):
	seen, tag = read(managed)
	assert seen["file"] == "in_force" and not seen["has_before"] and seen["last_change"] is None
	digest = hashlib.sha256(TOKENS["operator"].encode()).hexdigest()
	assert digest in managed.file.read_text() and digest not in json.dumps(seen)
	assert seen["document"] == re.sub(r'sha256: "[0-9a-f]{64}"', f"sha256: {KEPT}", managed.file.read_text())
	assert {t["sha256"] for t in seen["configuration"]["admin"]["tokens"]} == {"(kept)"}
	assert seen["configuration"]["limits"]["calls"] == 4000 and seen["configuration"]["sip"]["timer_c"] == 181
	assert read(managed)[1] == tag
	text = managed.file.read_text()
	managed.file.write_text(text + "# by hand\n")
	assert read(managed)[0]["file"] == "in_force" and read(managed)[1] != tag
	managed.file.write_text(changed(text, ROUTE))
	assert read(managed)[0]["file"] == "differs"
	managed.file.write_text("no: [")
	seen, _ = read(managed)
	assert seen["file"] == "invalid" and seen["document"] is None


def check_every_mistake_is_told(managed):
	before, text = read(managed), managed.file.read_text()
	assert post(managed, "validate", text).json() == {"valid": True, "errors": []}
	wrong = changed(text, ("level: info", "level: loud"), ("media_timeout: 60", "media_timeout: x"), ("to: pbx", "too: pbx"))
	verdict = post(managed, "validate", wrong).json()
	lines = wrong.splitlines()
	assert not verdict["valid"]
	found = {(e["key"], lines[e["line"] - 1].strip()[:8]) for e in verdict["errors"]}
	assert ("log.level", "log: {le") in found and ("profiles[secure].media_timeout", "media_ti") in found and ("routes[0].too", "- {from:") in found
	assert all(e["message"] for e in verdict["errors"])
	assert [e["key"] for e in post(managed, "validate", changed(text, ("to: pbx", "to: nobody"), ("profile: plain", "profile: none"))).json()["errors"]] == \
	       ["realms[core].profile", "routes[0].to"]
	assert len(post(managed, "validate", "a: [").json()["errors"]) == 1
	assert post(managed, "diff", wrong).status == 422 and put(managed, wrong, before[1]).json()["errors"] == verdict["errors"]
	assert post(managed, "validate", "").status == 400
	assert managed.ask("/v1/configuration/validate", method="POST", body=text).status == 415
	assert read(managed) == before and managed.file.read_text() == text


def check_what_it_would_change(managed):
	text = managed.file.read_text()
	assert post(managed, "diff", text).json() == {"scope": "same", "changes": []}
	told = post(managed, "diff", changed(text, ROUTE, LISTENER, ("poll: adaptive", "poll: busy"), ("connections: 256", "connections: 255"))).json()
	assert told["scope"] == "restart"
	assert {c["key"]: (c["scope"], c["by_file_alone"]) for c in told["changes"]} == {
		"routes": ("live", False), "realms[core].listeners": ("control", False), "dataplane.poll": ("restart", False),
		"admin.connections": ("control", True)}


def test_read_and_judged(managed):
	check_every_mistake_is_told(managed)
	check_what_it_would_change(managed)
	check_read(managed)


def test_applied_and_taken_back(topology, managed):
	"""Calls that are up go on; the file is the document; a restart finds it; the one before comes back."""
	text, (seen, tag) = managed.file.read_text(), read(managed)
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core, Leg(topology, "access", keying="dtls", host=11) as other:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		assert put(managed, changed(seen["document"], ("keying_timeout: 10", "keying_timeout: 11")), tag).status == 200
		assert [r["live"]["requests"] for r in managed.get("/v1/routes")["routes"]] == [1, 0] # they are the same
		assert post(managed, "rollback", tag=read(managed)[1]).status == 200 and read(managed)[1] == tag
		new = changed(seen["document"], ROUTE) + "# a comment stays\n"
		reply = put(managed, new, tag)
		assert reply.status == 200 and reply.json() == {"outcome": "applied", "changes": [{"key": "routes", "scope": "live", "by_file_alone": False}]}
		assert managed.file.read_text() == changed(text, ROUTE) + "# a comment stays\n" # with the digests in place again
		assert (managed.directory / "sallyport.yaml.before").read_text() == text
		seen, after = read(managed)
		assert reply.headers["ETag"] == after != tag and seen["has_before"] and seen["last_change"] == "applied" and seen["file"] == "in_force"
		refused(other, 404)
		assert [r["live"]["requests"] for r in managed.get("/v1/routes")["routes"]] == [0, 0]
		both_hear(access, core, packets=20, seconds=0.2)
		assert put(managed, new, tag).status == 412
		since = managed.mark()
		reply = post(managed, "rollback", tag=after)
		assert reply.status == 200, reply
		assert managed.file.read_text() == text and read(managed)[0]["has_before"]
		managed.wait_event("configuration changed", 10, since, keys="routes")
		both_hear(access, core, packets=20, seconds=0.2)
		core.hang_up()
		access.taken_down()
		short_call(access, core)
		lines = [e for e in managed.events("admin change") if e["path"].startswith("/v1/configuration")][2:]
		assert [(e["token"], e["method"], e["path"], e["status"]) for e in lines] == [
			("a-operator", "PUT", "/v1/configuration", 200), ("a-operator", "PUT", "/v1/configuration", 412),
			("a-operator", "POST", "/v1/configuration/rollback", 200)]


def test_what_is_refused_changes_nothing(managed):
	text, (seen, tag) = managed.file.read_text(), read(managed)
	assert managed.ask("/v1/configuration", method="PUT", token="operator", body=text, headers=YAML).status == 428
	assert post(managed, "rollback").status == 428
	for match, status in (('"debug"', 412), ('"info"', 200)): # where it need not be said, it counts all the same
		assert managed.ask("/v1/log/level", method="PUT", token="operator", body='{"level": "info"}', headers={"If-Match": match}).status == status
	for wrong in ('"0123456789abcdef"', "W/" + tag, "*", "x"):
		assert put(managed, text, wrong).status == 412
	assert post(managed, "rollback", tag=tag).status == 409
	for change, reason in ((LISTENER, "realms[core].listeners"), (("poll: adaptive", "poll: busy"), "dataplane.poll"), (("connections: 256", "connections: 255"), "admin"),
			       (("dataplane:\n", "call_records: {file: /etc/x/y}\ndataplane:\n"), "call_records.file"),
			       (("dataplane:\n", "dtls: {certificate: /etc/shadow, key: /etc/shadow}\ndataplane:\n"), "dtls.")):
		reply = put(managed, changed(text, ROUTE, change), tag, "/v1/configuration?replace=" + ("false" if change is LISTENER else "true"))
		assert reply.status == 409 and reason in reply.json()["reason"], reply
	assert put(managed, text, tag, "/v1/configuration?replace=maybe").status == 400
	managed.file.write_text(text + "# by hand\n")
	assert put(managed, changed(text, ROUTE), tag).status == 412 # nobody has seen that
	managed.file.write_text(text)
	seen, after = read(managed)
	assert after == tag and seen["file"] == "in_force" and managed.file.read_text() == text and not seen["has_before"]
	assert not managed.events("configuration changed")


def test_by_a_new_control(topology, managed):
	"""A listener: the call stays, SIP is where it is to be."""
	text, (_, tag) = managed.file.read_text(), read(managed)
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2) # it has its keys
		since, before = managed.mark(), managed.child("control")
		reply = put(managed, changed(text, LISTENER), tag, "/v1/configuration?replace=true")
		assert reply.status == 202 and reply.json()["outcome"] == "replacing", reply
		managed.wait_event("child back", 20, since, child="control")
		assert managed.child("control") != before
		seen, _ = read(managed)
		assert seen["last_change"] == "applied" and managed.file.read_text() == changed(text, LISTENER)
		assert any(t["address"] == "10.20.0.1:5070" and t["live"]["state"] == "listening" for t in managed.get("/v1/transports")["transports"])
		both_hear(access, core, packets=20, seconds=0.2)
		access.hang_up()
		core.taken_down()


def test_command_line(topology, managed, tmp_path):
	text, file = managed.file.read_text(), tmp_path / "new.yaml"
	shown = ctl(topology, "config", "show")
	assert KEPT in shown and 'ETag: "' in shown and "routes:" in shown
	shown = shown[:shown.index('ETag: "')]
	file.write_text(shown)
	assert ctl(topology, "config", "check", str(file)) == "valid\n" and ctl(topology, "config", "diff", str(file)) == "nothing changes\n"
	file.write_text(changed(shown, ("level: info", "level: loud")))
	assert "log.level: level: expected one of" in ctl(topology, "config", "check", str(file), expect=1)
	assert "log.level" in ctl(topology, "config", "apply", str(file), token="operator", expect=1)
	file.write_text(changed(shown, ROUTE))
	assert "may not do that" in ctl(topology, "config", "apply", str(file), expect=1)
	assert "routes" in ctl(topology, "config", "diff", str(file)) and "applied" in ctl(topology, "config", "apply", str(file), token="operator")
	assert managed.file.read_text() == changed(text, ROUTE) and '"9*"' in ctl(topology, "config", "show")
	assert json.loads(ctl(topology, "config", "rollback", "--json", token="operator"))["outcome"] == "applied" and managed.file.read_text() == text
	file.write_text(changed(shown, LISTENER))
	assert "takes a new control" in ctl(topology, "config", "apply", str(file), token="operator", expect=1)
	assert "applied" in ctl(topology, "config", "apply", "--replace", str(file), token="operator")
	managed.file.write_text(changed(text, LISTENER, ROUTE)) # by hand
	file.write_text(shown)
	assert "does not say what is in force" in ctl(topology, "config", "apply", "--replace", str(file), token="operator", expect=1)
	for wrong in (["config"], ["config", "apply"], ["config", "show", "x"], ["config", "check", str(tmp_path / "none")]):
		ctl(topology, *wrong, token="operator", expect=2)


@pytest.mark.parametrize("how", ["door", "signal"])
def test_a_control_that_does_not_serve_is_taken_back(topology, managed, how):
	"""Its listener's port is somebody else's: the one before is in force again, and no call has noticed."""
	text, (seen, tag) = managed.file.read_text(), read(managed)
	new = changed(text, LISTENER)
	with topology.gw.udp("10.20.0.1", 5070), Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2) # it has its keys
		since = managed.mark()
		if how == "door":
			assert put(managed, new, tag, "/v1/configuration?replace=true").status == 202
		else:
			managed.file.write_text(new)
			os.kill(managed.process.pid, signal.SIGUSR2)
		managed.wait_event("configuration taken back", 20, since)
		managed.wait_event("child back", 20, since, child="control")
		both_hear(access, core, packets=20, seconds=0.2)
		after, _ = read(managed)
		assert after["configuration"] == seen["configuration"]
		assert (after["file"], managed.file.read_text()) == (("in_force", text) if how == "door" else ("differs", new))
		assert (after["last_change"] or "").startswith("refused: control did not start with it") == (how == "door")
		access.hang_up()
		core.taken_down()
		short_call(access, core)


@pytest.mark.alone # a socket of a starved machine drops packets of its own
def test_many_calls_with_media(topology, tmp_path, record_property):
	"""Applied, taken back, applied by a new control, with another certificate in between: not one packet is missing."""
	with Managed(topology, access="plain", calls=CALLS + 20) as managed:
		with many_calls(topology, managed, CALLS) as (access, core, streams, up, _):
			time.sleep(0.3)
			text, began = managed.file.read_text(), time.monotonic()
			assert put(managed, changed(text, ROUTE), read(managed)[1]).status == 200
			applied = time.monotonic() - began
			tag = managed.ask("/v1/certificates").headers["ETag"]
			assert managed.ask("/v1/certificates/dtls/renew", method="POST", token="operator", headers={"If-Match": tag}).status == 200
			assert post(managed, "rollback", tag=read(managed)[1]).status == 200 and managed.file.read_text() == text
			since = managed.mark()
			assert put(managed, changed(text, ("dataplane:\n", "dtls: {mtu: 1100}\ndataplane:\n")), read(managed)[1], "/v1/configuration?replace=true").status == 202
			taken = managed.wait_event("calls taken up", 20, since)
			managed.wait_event("child back", 20, since, child="control")
			assert (taken["restored"], taken["dropped"]) == (CALLS, 0) and not managed.events("child died")
			time.sleep(0.3)
			missing = streams.missing()
			record_property("applied_ms", round(1000 * applied))
			print(f"{CALLS} calls: applied in {1000 * applied:.0f} ms, missing {missing} of {sum(streams.sent[0])} and {sum(streams.sent[1])} packets")
			assert not missing and read(managed)[0]["last_change"] == "applied"
			for near, _, _ in up:
				near.request("BYE")
				core.take_bye()
				assert access.wait_response(near.cseq, "BYE").status == 200
