# SPDX-License-Identifier: GPL-3.0-or-later
# The OpenAPI document is the contract: every route of it, by every role and with every kind of token, answers as it says; and there
# is no route beside those.
import json
import re

import jsonschema

from lib.gateway import ROOT
from lib.leg import Leg, both_hear, call

WHO = {"none": None, "bad": "nobody-0123456789abcdef", "viewer": "viewer", "wiretap": "wiretap", "operator": "operator"}
RANK = {"none": 0, "bad": 0, "viewer": 1, "wiretap": 1, "operator": 2}
ENDS = ("/v1/control/replace", "/v1/shutdown") # of this life of control: test_orders()
IN_CLEAR = ("/v1/certificates/door/renew",) # 409 here, test_admin_tls.py has the others
BODIES = {"/v1/log/level": '{"level": "info"}', "/v1/traces": '{"next": {}}'}


def wanted(managed, path, method, operation):
	"""Body and headers of a request that does no harm."""
	kind = next(iter(operation.get("requestBody", {}).get("content", {})), "application/json")
	documents = {"application/yaml": managed.file.read_text(), "application/x-pem-file": (ROOT / "tests/support/dtls_certs/p384.pem").read_text()}
	body = documents.get(kind, BODIES.get(path) if method in ("PUT", "POST") else None)
	headers = {"Content-Type": kind} if body is not None else {}
	if any(p["name"] == "If-Match" and p["required"] for p in operation.get("parameters", [])):
		headers["If-Match"] = managed.ask("/".join(path.split("/")[:3])).headers["ETag"]
	return {"body": body, "headers": headers}


def operations(document):
	for path, methods in document["paths"].items():
		for method, operation in methods.items():
			yield path, method.upper(), operation


def check(document, operation, reply):
	"""The reply is one that the operation names, of a type that it names, and fits the schema."""
	said = operation["responses"].get(str(reply.status))
	assert said, f"{operation['summary']} does not name {reply}"
	kind = reply.headers["Content-Type"].partition(";")[0]
	assert kind in said["content"], reply
	schema = said["content"][kind]["schema"]
	if kind.endswith("json"):
		resolver = jsonschema.RefResolver.from_schema(document)
		jsonschema.Draft202012Validator(schema, resolver=resolver).validate(reply.json())


def test_the_document(managed):
	document = managed.get("/v1/openapi.json")
	assert document == json.loads((ROOT / "gateway/admin/openapi.json").read_text())
	for schema in document["components"]["schemas"].values():
		jsonschema.Draft202012Validator.check_schema(schema)
	table = re.findall(r'\{ HTTP_(\w+), "([^"]+)", ADMIN_(\w+),(.*)\}', (ROOT / "gateway/admin/admin.c").read_text())
	roles = {"NOBODY": "none", "VIEWER": "viewer", "OPERATOR": "operator"}
	assert {(path, method, roles[role], ".wiretap = true" in more) for method, path, role, more in table} == \
	       {(path, method, operation["x-role"], operation.get("x-wiretap", False)) for path, method, operation in operations(document)}
	listed = set(re.findall(r"^\| `([A-Z]+) (/[^`]*)`", (ROOT / "docs/admin.md").read_text(), re.M))
	assert listed == {(method, path) for path, method, _ in operations(document)}


def place(managed, path, method, call, may, kept):
	"""What stands for {id}: the call's number, or a trace, which is a new one where it is to be deleted."""
	if "/traces/" not in path:
		return path.replace("{id}", call)
	if not kept or (method == "DELETE" and may):
		kept.append(managed.ask("/v1/traces", method="POST", token="operator", body=BODIES["/v1/traces"]).json()["id"])
	return path.replace("{id}", kept[-1])


def test_every_route_and_role(topology, managed):
	document = managed.get("/v1/openapi.json")
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=20, seconds=0.2)
		number, traces = str(managed.get("/v1/calls")["calls"][0]["id"]), []
		for path, method, operation in sorted(operations(document), key=lambda o: (o[1] == "DELETE", len(o[0]))): # the call ends last; a rollback is behind its PUT
			for who, token in WHO.items():
				if who == "operator" and path in ENDS:
					continue
				may = RANK[who] >= RANK[operation["x-role"]] or (who == "wiretap" and operation.get("x-wiretap", False))
				reply = managed.ask(place(managed, path, method, number, may, traces), method=method, token=token,
						    **wanted(managed, path, method, operation))
				expected = (409,) if may and path in IN_CLEAR else (200, 201, 202) if may else (403,) if RANK[who] else (401,)
				assert reply.status in expected, (path, method, who, reply)
				check(document, operation, reply)
		core.taken_down()


def test_other_answers_keep_to_it(managed):
	document = managed.get("/v1/openapi.json")
	paths = document["paths"]
	for path in ("/v1/calls?limit=0", "/v1/calls?realm=x"):
		reply = managed.ask(path)
		assert reply.status == 400
		check(document, paths["/v1/calls"]["get"], reply)
	for method in ("get", "delete"):
		for number in ("77", "0", "99999999999999999999", "x"):
			reply = managed.ask(f"/v1/calls/{number}", method=method.upper(), token="operator")
			assert reply.status == 404
			check(document, paths["/v1/calls/{id}"][method], reply)
	put = paths["/v1/log/level"]["put"]
	for body, status in (("", 400), ("{", 400), ("[]", 400), ('{"level": "info", "level": "debug"}', 400), ("[" * 1000, 400),
			     ('{"level": "loud"}', 422), ('{"level": 1}', 422), ('{"level": "info", "x": 1}', 422), ('{}', 422),
			     ('{"level": "inf\\u0000o"}', 400), (b'\xff\xfe', 400), ('{"a": ' * 9 + "1" + "}" * 9, 400)):
		reply = managed.ask("/v1/log/level", method="PUT", token="operator", body=body)
		assert reply.status == status, (body, reply)
		check(document, put, reply)
	reply = managed.ask("/v1/log/level", method="PUT", token="operator", body="level=debug", headers={"Content-Type": "text/plain"})
	assert reply.status == 415
	check(document, put, reply)


def test_log_level(topology, managed):
	assert managed.get("/v1/log/level") == {"level": "info"}
	managed.ask("/v1/log/level", method="PUT", token="operator", body='{"level": "debug"}')
	assert managed.get("/v1/log/level") == {"level": "debug"}
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		assert [event for event in managed.events() if event["level"] == "debug" and event["process"] == "control"]
	managed.ask("/v1/log/level", method="PUT", token="operator", body='{"level": "error"}')
	assert managed.get("/v1/log/level") == {"level": "error"}


def test_orders(topology, managed):
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		assert managed.ask("/v1/drain", method="POST", token="operator").status == 202
		managed.wait_event("draining begun")
		managed.wait("/v1/status", lambda s: s["state"] == "draining" and not s["ready"])
		assert managed.ask("/readyz", token=None).status == 503
		assert managed.ask("/v1/resume", method="POST", token="operator").status == 202
		managed.wait("/v1/status", lambda s: s["state"] == "running" and s["ready"])
		since, before = managed.mark(), managed.child("control")
		assert managed.ask("/v1/control/replace", method="POST", token="operator").status == 202
		managed.wait_event("child back", 20, since, child="control")
		assert managed.child("control") != before
		assert len(managed.get("/v1/calls")["calls"]) == 1 # it has the call
		both_hear(access, core, packets=20, seconds=0.2)
		since = managed.mark()
		assert managed.ask("/v1/shutdown", method="POST", token="operator").status == 202
		access.taken_down()
		core.taken_down()
	assert managed.process.wait(10) == 0
