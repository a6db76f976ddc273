# SPDX-License-Identifier: GPL-3.0-or-later
# Calls by the management door: found, looked at, ended.
from lib.leg import Leg, both_hear, call


def only(managed):
	calls = managed.get("/v1/calls")["calls"]
	assert len(calls) == 1, calls
	return f"/v1/calls/{calls[0]['id']}"


def test_one_call_with_all_there_is(topology, start_managed):
	managed = start_managed(core="sdes")
	with Leg(topology, "access", keying="dtls", attributes=("ice-pwd:abcdefghijklmnopqrstuvwx",)) as access, \
	     Leg(topology, "core", keying="sdes") as core:
		call(access, core)
		both_hear(access, core)
		path = only(managed)
		seen = managed.wait(path, lambda c: all(way["flows"] for way in c["media"]) and len(c["media"]) == 2)
		assert seen["state"] == "up" and seen["answered_seconds"] > 0 and seen["worker"] == 0
		caller, callee = seen["legs"]
		assert (caller["side"], caller["realm"], caller["peer"]) == ("caller", "access", "phones")
		assert (callee["side"], callee["realm"], callee["peer"]) == ("callee", "core", "pbx")
		assert caller["call_id"] == access.dialog.call_id and callee["call_id"] == core.dialog.call_id
		line, = caller["lines"]
		assert line["keying"]["mechanism"] == "dtls-srtp" and line["keying"]["dtls_version"] in ("1.2", "1.3")
		assert line["keying"]["seen_fingerprint"].lower() == access.fingerprint.lower()
		assert line["keying"]["expected_fingerprints"] == line["keying"]["seen_fingerprint"]
		assert line["traffic"]["rx_packets"] > 10 and line["direction"] == "sendrecv" and line["quality"]["mos"] > 3
		assert callee["lines"][0]["keying"]["suite"]
		text = str(seen)
		for secret in ("abcdefghijklmnopqrstuvwx", *(master.hex() for master in core.masters.values())):
			assert secret not in text
		import base64
		for master in core.masters.values():
			assert base64.b64encode(master).decode() not in text
		assert "a=crypto:" in callee["sdp"]["received"] and "inline:(removed)" in callee["sdp"]["received"]
		assert "a=ice-pwd:(removed)" in caller["sdp"]["received"] and "m=audio" in caller["sdp"]["sent"]
		assert f"a=fingerprint:{access.fingerprint}" in caller["sdp"]["received"]
		access.hang_up()
		core.taken_down()
	managed.wait("/v1/calls", lambda c: c["calls"] == [])
	assert managed.ask(path).status == 404


def test_pages_and_filters(topology, start_managed):
	managed = start_managed()
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		for _ in range(5): # which nobody answers
			access.dial()
		page = managed.wait("/v1/calls", lambda c: len(c["calls"]) == 5)
		numbers = [row["id"] for row in page["calls"]]
		assert numbers == sorted(numbers, reverse=True) and page["next_before"] is None
		first = managed.get("/v1/calls?limit=2")
		assert [row["id"] for row in first["calls"]] == numbers[:2] and first["next_before"] == numbers[1]
		assert [row["id"] for row in managed.get(f"/v1/calls?limit=3&before={first['next_before']}")["calls"]] == numbers[2:]
		assert len(managed.get("/v1/calls?realm=core")["calls"]) == 5
		state = page["calls"][0]["state"]
		assert len(managed.get(f"/v1/calls?state={state}")["calls"]) >= 1 and managed.get("/v1/calls?state=up")["calls"] == []
		for bad in ("limit=0", "limit=501", "limit=x", "realm=nowhere", "before=-1", "limit=1&limit=2", "realm=%00", "state=%0a"):
			assert managed.ask(f"/v1/calls?{bad}").status == 400, bad
		for number in numbers: # a callee that says nothing at all cannot be told (RFC 3261 section 9.1); the caller is
			assert managed.ask(f"/v1/calls/{number}", method="DELETE", token="operator").status == 202
			assert managed.get(f"/v1/calls/{number}")["state"] == "ending"
			assert managed.ask(f"/v1/calls/{number}", method="DELETE", token="operator").status == 409
		assert access.phone.wait_response(access.dialog.cseq).status == 480


def test_hang_up(topology, start_managed):
	managed = start_managed()
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		path = only(managed)
		assert managed.ask(path, method="DELETE", token=None).status == 401
		assert managed.ask(path, method="DELETE", token="viewer").status == 403
		assert managed.ask(path, method="DELETE", token="operator", headers={"Origin": "http://evil.test"}).status == 403
		assert managed.ask(path, method="DELETE", token="operator", headers={"Sec-Fetch-Site": "cross-site"}).status == 403
		assert managed.ask("/v1/calls/4294967295", method="DELETE", token="operator").status == 404
		assert managed.ask("/v1/calls/x", method="DELETE", token="operator").status == 404
		assert managed.get(path)["state"] == "up"
		assert managed.ask(path, method="DELETE", token="operator").status == 202
		access.taken_down()
		core.taken_down()
	ended = managed.wait_event("call ended", 10)
	assert ended["by"] == "gateway" and ended["cause"] == "ended by an operator"
	audit = managed.events("admin change")
	assert [(line["token"], line["status"]) for line in audit] == [
		(None, 401), ("a-viewer", 403), ("a-operator", 403), ("a-operator", 403), ("a-operator", 404), ("a-operator", 404), ("a-operator", 202)]
	assert audit[-1]["method"] == "DELETE" and audit[-1]["path"] == path and audit[-1]["tag"] == "audit"
