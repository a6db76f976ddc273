# SPDX-License-Identifier: GPL-3.0-or-later
# The certificate that DTLS shows, replaced while calls are up: they keep theirs, whatever happens to them then; new calls get the new.
import json
import subprocess
import time

from lib.admin import Managed
from lib.gateway import ROOT
from lib.leg import Leg, both_hear, call
from test_ctl import ctl

PEM = {"Content-Type": "application/x-pem-file"}
PATH = "/v1/certificates/dtls"


def make(folder, name, *key):
	"""Certificate and key in one text, as an operator brings them."""
	subprocess.run(["openssl", "req", "-x509", *key, "-nodes", "-subj", f"/CN={name}", "-days", "30", "-keyout", f"{folder}/{name}.key",
			"-out", f"{folder}/{name}.crt"], check=True, capture_output=True)
	return (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()


def p384(folder, name="p384"):
	return make(folder, name, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")


def read(managed):
	reply = managed.ask("/v1/certificates")
	assert reply.status == 200, reply
	return reply.json()["certificates"], reply.headers["ETag"]


def put(managed, pem, tag, token="operator"):
	return managed.ask(PATH, method="PUT", token=token, body=pem, headers={**PEM, **({"If-Match": tag} if tag else {})})


def renew(managed, tag):
	return managed.ask(f"{PATH}/renew", method="POST", token="operator", headers={"If-Match": tag})


def shown(leg):
	"""The fingerprint that the gateway's last description has for this leg."""
	return leg.described.attributes("fingerprint")[0].lower()


def offered_again(leg):
	"""What the gateway answers to a re-INVITE."""
	leg.dialog.request("INVITE", leg.offer())
	leg.dialled_answer()
	return shown(leg)


def test_calls_keep_theirs(topology, managed, tmp_path):
	"""Re-offers, a dead control, a renewed certificate on top: no call is touched."""
	(only,), tag = read(managed)
	assert only["current"] and only["algorithm"] == "ECDSA 256" and only["source"] == "state_dir"
	assert only["not_before"] < time.time() < only["not_after"]
	with Leg(topology, "access", keying="dtls", mux=True) as access, Leg(topology, "core") as core:
		call(access, core)
		assert shown(access) == only["fingerprint"].lower()
		reply = put(managed, p384(tmp_path), tag)
		assert reply.status == 200, reply
		new, old = reply.json()["certificates"]
		assert (new["current"], new["algorithm"]) == (True, "ECDSA 384") and old == {**only, "current": False, "used_for": old["used_for"]}
		assert read(managed)[1] == reply.headers["ETag"] != tag
		both_hear(access, core, packets=20, seconds=0.2)
		assert offered_again(access) == only["fingerprint"].lower() # RFC 8842: another one would be another association
		both_hear(access, core, packets=20, seconds=0.2)
		managed.kill_child("control")
		managed.wait_event("child back", 20, child="control")
		assert [c["fingerprint"] for c in read(managed)[0]] == [new["fingerprint"], old["fingerprint"]]
		both_hear(access, core, packets=20, seconds=0.2)
		assert offered_again(access) == only["fingerprint"].lower()
		both_hear(access, core, packets=20, seconds=0.2)
		assert renew(managed, read(managed)[1]).status == 200
		both_hear(access, core, packets=20, seconds=0.2)
		assert len({c["fingerprint"] for c in read(managed)[0]}) == 3
		core.hang_up()
		access.taken_down()
		assert not managed.events("child died", process="relay")


def test_new_calls_get_the_new(topology, managed, tmp_path):
	_, tag = read(managed)
	for pem, algorithm in ((p384(tmp_path), "ECDSA 384"), (make(tmp_path, "rsa", "-newkey", "rsa:2048"), "RSA 2048")):
		reply = put(managed, pem, tag)
		tag = reply.headers["ETag"]
		assert reply.json()["certificates"][0]["algorithm"] == algorithm
		with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
			call(access, core)
			assert shown(access) == reply.json()["certificates"][0]["fingerprint"].lower()
			both_hear(access, core, packets=20, seconds=0.2)
			core.hang_up()
			access.taken_down()
	managed.stop()
	managed.start()
	assert read(managed)[1] == tag # it is kept


def test_what_is_refused_changes_nothing(managed, tmp_path):
	good, (before, tag) = p384(tmp_path), read(managed)
	other = p384(tmp_path, "other")
	mixed = good[:good.index("-----BEGIN PRIVATE")] + other[other.index("-----BEGIN PRIVATE"):]
	expired = (ROOT / "tests/support/dtls_certs/expired.pem").read_text()
	for body, status in ((mixed, 422), (good[:good.index("-----BEGIN PRIVATE")], 422), ("no PEM", 422), (expired, 422), ("x" * 70000, 422), ("", 422)):
		reply = put(managed, body, tag)
		assert reply.status == status, (body[:40], reply)
	assert put(managed, good, None).status == 428 and put(managed, good, '"0"').status == 412 and renew(managed, '"0"').status == 412
	assert managed.ask(PATH, method="PUT", token="operator", body=good, headers={"If-Match": tag}).status == 415
	assert put(managed, good, tag, token="viewer").status == 403
	assert read(managed) == (before, tag)
	reply = put(managed, good, tag)
	assert reply.status == 200 and put(managed, good, reply.headers["ETag"]).status == 409
	key = [line for line in good[good.index("-----BEGIN PRIVATE"):].splitlines() if line and not line.startswith("-")]
	said = json.dumps(managed.events()) + reply.body.decode()
	assert not any(line in said for line in key)
	stored = managed.directory / "dtls.pem"
	assert stored.read_text() == good and stored.stat().st_mode & 0o777 == 0o600 and (managed.directory / "dtls-before.pem").stat().st_mode & 0o777 == 0o600


def test_files_of_the_configuration(topology, shared_folder):
	"""They are whose they are: read again, not written."""
	folder = shared_folder

	def write(name):
		p384(folder, name)
		for kind in ("crt", "key"):
			(folder / f"{name}.{kind}").replace(folder / f"dtls.{kind}")
			(folder / f"dtls.{kind}").chmod(0o644)

	write("first")
	with Managed(topology, changes=[("realms:\n", f"dtls: {{certificate: {folder}/dtls.crt, key: {folder}/dtls.key}}\nrealms:\n")]) as managed:
		(only,), tag = read(managed)
		assert only["source"] == "files" and renew(managed, tag).status == 409 # the same
		assert put(managed, p384(folder, "pushed"), tag).status == 409
		write("second")
		reply = renew(managed, tag)
		assert reply.status == 200 and [c["current"] for c in reply.json()["certificates"]] == [True, False]
		assert only["fingerprint"] == reply.json()["certificates"][1]["fingerprint"]


def test_command_line(topology, managed, tmp_path):
	(tmp_path / "pem").write_text(p384(tmp_path))
	assert "ECDSA 256" in ctl(topology, "cert", "list")
	assert "may not do that" in ctl(topology, "cert", "replace", str(tmp_path / "pem"), expect=1)
	assert "ECDSA 384" in ctl(topology, "cert", "replace", str(tmp_path / "pem"), token="operator")
	assert len(json.loads(ctl(topology, "cert", "renew", "--json", token="operator"))["certificates"]) == 3
	for wrong in (["cert"], ["cert", "replace"], ["cert", "list", "x"], ["cert", "replace", "/nonexistent"]):
		ctl(topology, *wrong, token="operator", expect=2)
