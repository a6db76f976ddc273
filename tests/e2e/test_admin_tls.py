# SPDX-License-Identifier: GPL-3.0-or-later
# The management door by TLS and mutual TLS, with peers that we did not write: curl, openssl s_client and Python's ssl. Who is let in,
# as whom, and that nobody's half a handshake is in another's way.
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

from lib.admin import TOKENS, Managed, samples, section
from lib.gateway import Gateway, binaries, configuration
from lib.leg import Leg, both_hear, call
from lib.netns import Topology
from lib.pki import Authority
from test_admin_contract import check

FULL = os.environ.get("SALLYPORT_FULL") == "1"
CLIENTS = 1000 if FULL else 60
PLACES = 32
EXPIRY = "sallyport_admin_certificate_expiry_timestamp_seconds"
BEARER = f"Authorization: Bearer {TOKENS['viewer']}"


class Secure(Managed):
	"""A gateway whose door speaks TLS, on an address that is not loopback; with `clients`, to those whom that authority vouches for."""

	def __init__(self, topology, pki, clients=None):
		self.listen, self.pki = f"{topology.gateway('access')}:8780", pki
		self.certificate, self.key = pki.issue("door", file=f"door-{'mutual' if clients else 'one'}", alternative=f"DNS:door.test,IP:{topology.gateway('access')}")
		text = section(self.listen, PLACES).rstrip("\n")
		text += f"\n  tls: {{certificate: {self.certificate}, key: {self.key}{f', clients: {clients.file}' if clients else ''}}}\n"
		if clients:
			text += "  certificates:\n    - {name: noc, role: operator, subject: noc.test}\n    - {name: wall, role: viewer, subject: wall.test}\n"
		Gateway.__init__(self, topology, text=configuration() + text)

	def socket(self, timeout=10, certificate=None, raw=False, **bounds):
		wire = self.topology.gw.tcp_connect(self.topology.gateway("access"), 8780, timeout=timeout)
		if raw:
			return wire
		context = ssl.create_default_context(cafile=str(self.pki.file))
		for name, value in bounds.items():
			setattr(context, name, value)
		if certificate:
			context.load_cert_chain(*map(str, certificate))
		return context.wrap_socket(wire, server_hostname="door.test")

	def url(self, path):
		return f"https://{self.topology.gateway('access')}:8780{path}"

	def curl(self, *words, path="/v1/status"):
		return subprocess.run(self.topology.gw.command("curl", "-sS", "--max-time", "20", "--cacert", str(self.pki.file), *map(str, words),
							       self.url(path)), capture_output=True, text=True, timeout=60)

	def openssl(self, *words, octets=""):
		return subprocess.run(self.topology.gw.command("openssl", "s_client", "-connect", self.listen, "-CAfile", str(self.pki.file),
							       "-verify_return_error", *map(str, words)),
				      input=octets, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def pki():
	with tempfile.TemporaryDirectory(prefix="spe2e-") as folder:
		yield Authority(folder)


@pytest.fixture(scope="module")
def one_sided(pki):
	with Topology() as topology, Secure(topology, pki) as managed:
		yield managed


@pytest.fixture(scope="module")
def mutual(pki):
	with Topology() as topology, Secure(topology, pki, clients=pki) as managed:
		yield managed


def closed(wire):
	"""What comes until the gateway closes."""
	got = b""
	try:
		while piece := wire.recv(65536):
			got += piece
	except ConnectionResetError:
		pass
	return got


def test_peers_and_versions(one_sided):
	managed = one_sided
	done = managed.curl("-H", BEARER, "-w", "%{ssl_verify_result} %{http_version}")
	assert done.returncode == 0 and done.stdout.endswith("0 1.1") and '"state":"running"' in done.stdout, done
	assert managed.curl().returncode == 0 and '"status":401' in managed.curl().stdout
	assert managed.get("/v1/status")["ready"] is True
	for version, wanted in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3"), ("", "TLSv1.3")):
		done = managed.openssl(*filter(None, [version]), "-ign_eof", octets="GET /healthz HTTP/1.1\nHost: a\nConnection: close\n\n".replace("\n", "\r\n"))
		assert wanted in done.stdout and "HTTP/1.1 200 OK" in done.stdout and "Verify return code: 0" in done.stdout, done
	for refused in (["-tls1"], ["-tls1_1"], ["-tls1_2", "-cipher", "AES128-SHA256:AES128-GCM-SHA256"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"]):
		done = managed.openssl("-cipher", "ALL:@SECLEVEL=0", *refused) if len(refused) == 1 else managed.openssl(*refused)
		assert done.returncode != 0 and "Cipher is (NONE)" in done.stdout, done
	assert managed.get("/v1/status")["ready"] is True


def test_renegotiation_is_refused(one_sided):
	"""After openssl has asked for one, nothing is answered on that connection any more, and others are."""
	managed = one_sided
	process = subprocess.Popen(managed.topology.gw.command("openssl", "s_client", "-connect", managed.listen, "-tls1_2", "-CAfile", str(managed.pki.file)),
				   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
	try:
		process.stdin.write(b"R\n")
		process.stdin.flush()
		out = b""
		while b"RENEGOTIATING" not in out:
			piece = os.read(process.stdout.fileno(), 4096)
			assert piece, out
			out += piece
		rest, _ = process.communicate(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", timeout=30)
	finally:
		process.kill()
		process.wait()
	print(rest)
	assert b"HTTP/1.1" not in rest, rest
	assert managed.get("/v1/status")["ready"] is True


def test_odd_first_octets(one_sided):
	"""What is no TLS ends; of clear HTTP, with an answer that says where to ask."""
	managed = one_sided
	before = samples(managed.metrics())
	with managed.socket(raw=True) as wire:
		wire.sendall(f"GET /v1/status HTTP/1.1\r\nHost: a\r\n{BEARER}\r\n\r\n".encode())
		got = closed(wire)
		assert got.startswith(b"HTTP/1.1 400 ") and b"https" in got and b"ready" not in got, got
	odd = [bytes(64), b"\xff" * 300, b"\x16\x03\x01\xff\xff" + bytes(70000), b"\x16\x03\x01\x00\x00" * 50, b"\x15\x03\x03\x00\x02\x02\x28", b"\x80\x2e\x01\x00\x02",
	       b"\x17\x03\x03\x00\x10" + bytes(16), b"\x14\x03\x03\x00\x01\x01", b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + bytes(9),
	       b"{}", b"\n\n", b"ssh-2.0", bytes(range(256))]
	for octets in odd:
		with managed.socket(raw=True) as wire:
			try:
				wire.sendall(octets)
				wire.shutdown(socket.SHUT_WR)
				got = closed(wire)
			except OSError: # it was closed meanwhile
				got = b""
			assert b"HTTP" not in got, (octets[:20], got)
	failed = 'sallyport_admin_connections_closed_total{cause="handshake"}'
	assert samples(managed.metrics())[failed] - before[failed] >= len(odd) - 3 # some ended before they began
	assert managed.wait_event("TLS handshake failed", 5)["source"].startswith(managed.topology.gateway("access"))
	assert managed.get("/v1/status")["ready"] is True


def test_large_answers_and_slow_readers(one_sided):
	"""An answer of several records, read by small steps, ten on one connection that are all asked for at once; and a body that waits for 100 Continue."""
	managed = one_sided
	whole = managed.get("/v1/openapi.json")
	with managed.socket(timeout=30) as wire:
		wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
		ask = f"GET /v1/openapi.json HTTP/1.1\r\nHost: a\r\n{BEARER}\r\n"
		wire.sendall((ask + "\r\n").encode() * 9 + (ask + "Connection: close\r\n\r\n").encode())
		got = bytearray()
		while piece := wire.recv(3000):
			got += piece
	answers = bytes(got).split(b"HTTP/1.1 200 OK\r\n")[1:]
	assert len(answers) == 10
	for answer in answers:
		assert json.loads(answer.partition(b"\r\n\r\n")[2]) == whole
	done = managed.curl("-H", BEARER, "-X", "PUT", "-H", "Content-Type: application/json", "-H", "Expect: 100-continue", "-d", '{"level": "info"}', path="/v1/log/level")
	assert '"status":403' in done.stdout, done
	done = managed.curl("-H", f"Authorization: Bearer {TOKENS['operator']}", "-X", "PUT", "-H", "Content-Type: application/json", "-H", "Expect: 100-continue",
			    "-d", '{"level": "info"}', path="/v1/log/level")
	assert done.stdout == '{"level":"info"}', done


def test_who_shows_what(mutual, pki):
	managed = mutual
	noc, wall, other = (pki.issue(name, alternative=f"DNS:{name}.test") for name in ("noc", "wall", "other"))
	by_common_name = pki.issue("plain", common="noc.test")
	with tempfile.TemporaryDirectory(prefix="spe2e-") as folder:
		stranger = Authority(folder, "stranger").issue("noc", alternative="DNS:noc.test")
		expired = pki.issue("late", alternative="DNS:noc.test", days=-1)

		def ask(certificate, *words, method="GET", path="/v1/status"):
			shown = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
			return managed.curl(*shown, *words, "-X", method, "-o", "/dev/null", "-w", "%{http_code}", path=path)
		token = ["-H", BEARER]
		for certificate, words, method, path, wanted in (
				(noc, [], "GET", "/v1/status", "200"), (noc, [], "POST", "/v1/resume", "202"), (by_common_name, [], "POST", "/v1/resume", "202"),
				(wall, [], "GET", "/v1/status", "200"), (wall, [], "POST", "/v1/resume", "403"),
				(other, [], "GET", "/v1/status", "401"), (other, token, "GET", "/v1/status", "200"), # by its token alone
				(noc, token, "POST", "/v1/resume", "403"), # a token that is given counts, and it is a viewer's
				(noc, ["-H", "Authorization: Bearer nobody-nobody-nobody"], "GET", "/v1/status", "401"),
				(other, [], "GET", "/healthz", "200")):
			done = ask(certificate, *words, method=method, path=path)
			assert done.returncode == 0 and done.stdout == wanted, (certificate, words, path, done)
		for certificate in (None, stranger, expired):
			for words in ([], token, ["--tls-max", "1.2"]):
				done = ask(certificate, *words)
				assert done.returncode != 0 and done.stdout == "000", (certificate, words, done)
	assert managed.wait_event("admin change", 5, token="noc", path="/v1/resume", status=202)
	assert managed.wait_event("TLS handshake failed", 5)
	ctl = [str(binaries() / "sallyportctl"), "-a", managed.url(""), "--cacert", str(pki.file)]

	def run(*words):
		environment = {name: value for name, value in os.environ.items() if name != "SALLYPORT_TOKEN"}
		return subprocess.run(managed.topology.gw.command(*ctl, *map(str, words)), env=environment, capture_output=True, text=True, timeout=60)
	done = run("--cert", noc[0], "--key", noc[1], "status")
	assert done.returncode == 0 and "running, ready" in done.stdout, done
	done = run("--cert", noc[0], "--key", noc[1], "events", "--since", "0-0", "--count", "1")
	assert done.returncode == 0 and "gap" in done.stdout, done
	assert run("status").returncode == 3 # without a certificate
	done = run("--cert", noc[0], "--key", noc[1], "--cacert", noc[0], "status") # who is not the one who vouches
	assert done.returncode == 3 and done.stdout == "", done
	assert run("--cert", noc[0], "status").returncode == 2
	assert run("-a", "https://127.0.0.1:8780", "--cert", noc[0], "--key", noc[1], "status").returncode == 3


def test_client_checks_the_name(one_sided):
	"""sallyportctl: the certificate must be for the host that was asked for."""
	ctl = [str(binaries() / "sallyportctl"), "--cacert", str(one_sided.pki.file)]
	environment = dict(os.environ, SALLYPORT_TOKEN=TOKENS["viewer"])
	for host, wanted in ((one_sided.topology.gateway("access"), 0), ("localhost.test", 3)):
		hosts = subprocess.run(one_sided.topology.gw.command(*ctl, "-a", f"https://{host}:8780", "version"), env=environment, capture_output=True,
				       text=True, timeout=60)
		assert hosts.returncode == wanted, hosts
	other = one_sided.pki.issue("door", alternative="DNS:door.test", file="nameless") # not for the address
	before = one_sided.key.read_bytes(), one_sided.certificate.read_bytes()
	try:
		replace(one_sided, *other)
		done = subprocess.run(one_sided.topology.gw.command(*ctl, "-a", one_sided.url(""), "version"), env=environment, capture_output=True, text=True, timeout=60)
		assert done.returncode == 3 and done.stdout == "", done
	finally:
		one_sided.key.write_bytes(before[0])
		one_sided.certificate.write_bytes(before[1])
		reread(one_sided)


def reread(managed):
	since = managed.mark()
	os.kill(managed.process.pid, signal.SIGHUP)
	return managed.wait_event("certificate", 20, since)


def replace(managed, certificate, key):
	managed.certificate.write_bytes(certificate.read_bytes())
	managed.key.write_bytes(key.read_bytes())
	return reread(managed)


def serial(managed):
	with managed.socket() as wire:
		return wire.getpeercert()["serialNumber"]


def test_certificate_is_read_again(one_sided):
	"""SIGHUP: new connections get the new one, the old connection goes on; one that is not good changes nothing."""
	managed = one_sided
	before, good = serial(managed), (managed.certificate.read_bytes(), managed.key.read_bytes())
	with managed.socket() as old:
		renewed = managed.pki.issue("door", alternative=f"DNS:door.test,IP:{managed.topology.gateway('access')}", file="renewed", kind="rsa")
		assert replace(managed, *renewed)["level"] == "info"
		now = serial(managed)
		assert now != before
		old.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
		assert b"200 OK" in old.recv(4096)
	assert samples(managed.metrics())[EXPIRY] > time.time()
	managed.key.write_bytes(good[1]) # not the key of that certificate
	assert reread(managed)["level"] == "error" and serial(managed) == now
	managed.certificate.write_bytes(good[0])
	assert reread(managed)["level"] == "info" and serial(managed) == before


def test_certificate_by_the_door(one_sided, tmp_path):
	"""It is listed beside that of DTLS, and its files are read again by request: who asks keeps his connection, and files that are not good change nothing."""
	managed, path = one_sided, "/v1/certificates/door/renew"
	document, good = managed.get("/v1/openapi.json"), (managed.certificate.read_bytes(), managed.key.read_bytes())

	def certificates():
		reply = managed.ask("/v1/certificates")
		check(document, document["paths"]["/v1/certificates"]["get"], reply)
		return reply.json()["certificates"], reply.headers["ETag"]

	def renew(expect, tag, token="operator"):
		reply = managed.ask(path, method="POST", token=token, headers={"If-Match": tag} if tag else {})
		assert reply.status == expect, reply
		check(document, document["paths"][path]["post"], reply)
		return reply

	(dtls, before), tag = certificates()
	assert (dtls["name"], dtls["names"]) == ("dtls", []) and re.fullmatch("/CN=[0-9a-f]{16}", dtls["subject"])
	assert (before["name"], before["source"], before["current"], before["subject"]) == ("door", "files", True, "/CN=door")
	assert before["names"] == ["DNS:door.test", f"IP:{managed.topology.gateway('access')}"]
	assert before["fingerprint"] == fingerprint(managed) and before["not_after"] == samples(managed.metrics())[EXPIRY]
	renew(428, None)
	renew(412, '"0"')
	renew(403, tag, "viewer")
	try:
		renewed = managed.pki.issue("door", alternative=f"DNS:door.test,IP:{managed.topology.gateway('access')},DNS:second.test", file="by-door", kind="rsa", days=3)
		managed.certificate.write_bytes(renewed[0].read_bytes())
		renew(422, tag) # not the key of that certificate
		assert certificates() == ([dtls, before], tag) and fingerprint(managed) == before["fingerprint"]
		managed.key.rename(tmp_path / "away")
		renew(503, tag)
		managed.key.write_bytes(renewed[1].read_bytes())
		with managed.socket() as old:
			reply = renew(200, tag)
			old.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
			assert b"200 OK" in old.recv(4096)
		(same, now), changed = certificates()
		assert same == dtls and reply.json()["certificates"] == [dtls, now] and reply.headers["ETag"] == changed != tag
		assert now["fingerprint"] == fingerprint(managed) != before["fingerprint"] and now["algorithm"] == "RSA 2048" and "DNS:second.test" in now["names"]
		assert now["not_after"] == samples(managed.metrics())[EXPIRY] < before["not_after"]
		renew(412, tag)
		assert managed.wait_event("admin change", 5, path=path, status=200, token="a-operator")
		ctl = [str(binaries() / "sallyportctl"), "--cacert", str(managed.pki.file), "-a", managed.url("")]
		for words, wanted in ((["cert", "list"], 0), (["cert", "renew", "door"], 0), (["cert", "renew", "x"], 2), (["cert", "replace", "door", "x"], 2)):
			done = subprocess.run(managed.topology.gw.command(*ctl, *words), env=dict(os.environ, SALLYPORT_TOKEN=TOKENS["operator"]), capture_output=True, text=True, timeout=60)
			assert done.returncode == wanted, done
			assert wanted or f"/CN=door  for DNS:door.test, IP:{managed.topology.gateway('access')}, DNS:second.test" in done.stdout, done
	finally:
		managed.key.write_bytes(good[1])
		managed.certificate.write_bytes(good[0])
		reread(managed)


def fingerprint(managed):
	"""What the gateway shows, as it would write it."""
	with managed.socket() as wire:
		return "sha-256 " + hashlib.sha256(wire.getpeercert(binary_form=True)).digest().hex(":").upper()


def test_slow_handshakes(one_sided):
	"""Half a handshake, and one octet of it at a time, from many: a real request is answered, and a call hears nothing of it."""
	managed, topology = one_sided, one_sided.topology
	hello = ssl.MemoryBIO(), ssl.MemoryBIO()
	context = ssl.create_default_context()
	context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
	with pytest.raises(ssl.SSLWantReadError):
		context.wrap_bio(*hello).do_handshake()
	octets = hello[1].read() # a ClientHello of OpenSSL's
	before = samples(managed.metrics())
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		call(access, core)
		wires, waits, failed = [], [], []

		def attack():
			try:
				for n in range(CLIENTS):
					wires.append(managed.socket(raw=True))
					wires[-1].setblocking(False)
					wires[-1].send(octets if n % 3 == 0 else octets[:n % len(octets)]) # whole, and no answer; or a part
					if n % 20 == 19 or n == CLIENTS - 1:
						began = time.monotonic()
						assert managed.ask("/v1/status", timeout=30).status == 200
						waits.append(time.monotonic() - began)
			except BaseException as error:
				failed.append(error)
		thread = threading.Thread(target=attack)
		thread.start()
		both_hear(access, core)
		thread.join()
		both_hear(access, core)
		for wire in wires:
			wire.close()
		assert not failed, failed
		access.hang_up()
		core.taken_down()
	waits.sort()
	print(f"{CLIENTS} in handshake: a request takes {waits[len(waits) // 2] * 1000:.1f} ms, {waits[-1] * 1000:.1f} ms at most, its own handshake included")
	after = samples(managed.metrics())
	closed_early = [f'sallyport_admin_connections_closed_total{{cause="{cause}"}}' for cause in ("evicted", "late")]
	assert sum(after[cause] - before[cause] for cause in closed_early) >= CLIENTS - PLACES # there were never more than that
	if FULL:
		assert waits[int(len(waits) * 0.99)] < 0.1
