# SPDX-License-Identifier: GPL-3.0-or-later
# The management door: who comes in, what it says, and that nobody can hold it or the gateway up by it.
import os
import re
import socket
import threading
import time

import pytest
from prometheus_client.openmetrics import parser as open_metrics
from prometheus_client import parser as prometheus

from lib.admin import TOKENS, Managed, samples
from lib.gateway import ROOT
from lib.leg import Leg, both_hear, call


def raw(managed, octets, close=False, timeout=10):
	"""What comes back to octets that no client would send, until the gateway closes."""
	with managed.socket(timeout) as wire:
		wire.sendall(octets)
		if close:
			wire.shutdown(socket.SHUT_WR)
		got = b""
		while piece := wire.recv(65536):
			got += piece
		return got


def test_status_and_health(managed):
	assert managed.ask("/healthz", token=None).json() == {"status": "alive"}
	assert managed.ask("/readyz", token=None).status == 200
	status = managed.get("/v1/status")
	assert status["state"] == "running" and status["ready"] is True and status["calls"] == {"now": 0, "limit": 4000}
	assert [realm["name"] for realm in status["realms"]] == ["access", "core"]
	assert status["restarts"] == {"control": 0, "relay": 0}
	assert managed.get("/v1/version")["version"] == status["version"]
	since = managed.mark()
	managed.kill_child("control")
	managed.wait_event("child back", 20, since, child="control")
	assert managed.get("/v1/status")["restarts"] == {"control": 1, "relay": 0}
	managed.kill_child("relay")
	managed.wait_event("child back", 20, since, child="relay")
	managed.wait("/v1/status", lambda s: s["restarts"] == {"control": 1, "relay": 1})


def test_who_comes_in(managed):
	for token, status in ((None, 401), ("viewer-0123456789abcdeF", 401), ("", 401), ("x" * 200, 401), ("viewer", 200)):
		reply = managed.ask("/v1/status", token=token)
		assert reply.status == status, (token, reply)
		if status == 401:
			assert reply.headers["WWW-Authenticate"].startswith("Bearer")
			assert reply.headers["Content-Type"] == "application/problem+json"
			assert reply.json()["status"] == 401 and b"0123456789" not in reply.body
	assert managed.ask("/v1/nowhere", token=None).status == 401 # what there is, is told to those who may see
	assert managed.ask("/v1/nowhere").status == 404
	reply = managed.ask("/v1/status", method="DELETE", token="operator")
	assert reply.status == 405 and reply.headers["Allow"] == "GET", reply
	assert managed.wait_event("refused", 5, status=401)
	assert not [line for _, _, line in list(managed.process.lines) if "0123456789" in line] # no token in the log


MALFORMED = [
	(b"GET / HTTP/1.1\nHost: a\n\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
	(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
	(b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400), (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
	(b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501), (b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400),
	(b"GET /../etc HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"GET /v1%2fstatus HTTP/1.1\r\nHost: a\r\n\r\n", 400),
	(b"GET /v1/%2e%2e/x HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
	(b"GET /a//b HTTP/1.1\r\nHost: a\r\n\r\n", 400), (b"GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
	(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
	(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
	(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400), (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e3\r\n\r\n", 400),
	(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
	(b"GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417), (b"GET /" + b"a" * 300 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
	(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 16384, 431), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64, 400),
]


def test_malformed_requests(managed):
	for octets, status in MALFORMED:
		got = raw(managed, octets)
		assert re.match(rb"HTTP/1\.1 %d " % status, got) and b"Connection: close" in got, (octets[:80], got[:200])
	assert managed.ask("/healthz", token=None).status == 200


def test_no_body_without_a_right(managed):
	"""The refusal comes before a body is read, and Expect: 100-continue is not answered with an invitation."""
	got = raw(managed, b"PUT /v1/status HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
	assert got.startswith(b"HTTP/1.1 401 ") and got.count(b"HTTP/1.1") == 1, got


def test_two_requests_in_one_write(managed):
	line = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
	got = raw(managed, line + b"\r\n" + line + b"Content-Length: 3\r\nContent-Type: application/json\r\n\r\nabc" + line + b"Connection: close\r\n\r\n")
	assert got.count(b"HTTP/1.1 200 OK") == 3, got


def test_unix_socket(topology):
	with Managed(topology, listen="unix:@STATE@/admin.sock") as managed:
		path = managed.directory / "admin.sock"
		assert path.stat().st_mode & 0o777 == 0o660
		assert managed.get("/v1/status")["ready"] is True
		managed.kill_child("control") # the next life finds the path taken by nobody
		managed.wait_event("child back", 20, child="control")
		assert managed.get("/v1/status")["ready"] is True


# Metrics

def names(text):
	return set(samples(text))


def test_metrics_of_calls(topology, managed):
	before = samples(managed.metrics())
	with Leg(topology, "access", keying="dtls") as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core)
		lines = managed.wait("/v1/status", lambda s: s["realms"][0]["lines"]["dtls-srtp"] == 1)
		assert lines["realms"][1]["lines"]["plain"] == 1 and lines["calls"]["now"] == 1
		access.hang_up()
		core.taken_down()
	managed.wait_event("media total", 10)
	text = managed.metrics()
	now = samples(text)
	assert {name for name in before if name not in now} == set()

	def grown(name):
		return now[name] - before.get(name, 0)
	ended = 'sallyport_calls_ended_total{realm="%s",direction="%s",result="completed",keying="%s"}'
	assert grown(ended % ("access", "in", "dtls-srtp")) == 1 and grown(ended % ("core", "out", "plain")) == 1
	assert grown('sallyport_call_setup_seconds_count{realm="access"}') == 1
	assert grown('sallyport_sip_requests_total{direction="received",method="INVITE"}') == 1
	assert grown('sallyport_sip_requests_total{direction="sent",method="INVITE"}') == 1
	assert grown('sallyport_sip_requests_total{direction="received",method="ACK"}') == 1
	assert grown('sallyport_sip_requests_total{direction="received",method="BYE"}') == 1
	assert grown('sallyport_sip_responses_total{direction="sent",method="INVITE",code="200"}') == 1
	assert grown('sallyport_sip_responses_total{direction="received",method="INVITE",code="200"}') == 1
	assert sum(grown(f'sallyport_dtls_handshake_seconds_count{{realm="access",role="{role}"}}') for role in ("active", "passive")) >= 1
	for realm in ("access", "core"):
		for way in ("received", "sent"):
			assert grown(f'sallyport_media_packets_total{{realm="{realm}",direction="{way}"}}') > 10
			assert grown(f'sallyport_media_bytes_total{{realm="{realm}",direction="{way}"}}') > 1000
		assert grown(f'sallyport_media_ended_mos_count{{realm="{realm}"}}') == 1
	assert now['sallyport_worker_packets_total{worker="0",direction="received"}'] > 20
	assert now["sallyport_calls"] == 0 and now["sallyport_ready"] == 1 and now["process_resident_memory_bytes"] > 1e6
	drops = {name for name in now if name.startswith("sallyport_worker_drops_total")}
	assert len(drops) == 27 # every reason of dataplane/drops.h, from the start


def test_both_formats_are_valid(managed):
	"""Readers of somebody else's: one of each format, the second of which is strict."""
	families = {f.name: f for f in prometheus.text_string_to_metric_families(managed.metrics())}
	reply = managed.ask("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
	assert reply.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
	strict = {f.name: f for f in open_metrics.text_string_to_metric_families(reply.body.decode())}
	assert families.keys() == strict.keys() and len(strict) > 50
	for name, family in strict.items():
		assert family.documentation.endswith("."), name
		assert family.type in ("gauge", "counter", "histogram"), name


def test_callers_make_no_series(topology, managed):
	"""Names, numbers, methods and codes that strangers and peers choose appear in no label."""
	from lib.phone import Phone
	with Phone(topology.access, topology.phone("access"), "access") as phone:
		def option(n):
			call_id = f"who{n}"
			number = 1
			phone.send_request("OPTIONS", f"sip:u{n}@10.10.0.1", call_id, f"<sip:caller{n}@ex{n}.test>;tag=t{n}", f"<sip:u{n}@10.10.0.1>", number,
					   headers=(f'X-{n}: "\r\n forged"',))
		option(0)
		managed.wait("/v1/status", lambda s: True)
		end = time.monotonic() + 20
		while not [n for n in names(managed.metrics()) if 'method="OPTIONS",code=' in n]:
			assert time.monotonic() < end
			time.sleep(0.1)
		before = names(managed.metrics())
		callers = 10000 if FULL else 300
		end = time.monotonic() + 20 + callers / 100
		for n in range(1, callers):
			option(n)
			if n % 50 == 0:
				time.sleep(0.01) # a socket's buffer
		counted = 'sallyport_sip_requests_total{direction="received",method="OPTIONS"}'
		while samples(managed.metrics())[counted] < callers * 2 // 3: # UDP may lose some
			assert time.monotonic() < end, samples(managed.metrics())[counted]
			time.sleep(0.1)
		assert names(managed.metrics()) == before


def test_every_metric_is_documented(managed):
	text = (ROOT / "docs/admin.md").read_text()
	exposed = {line.split()[2] for line in managed.metrics().splitlines() if line.startswith("# TYPE")}
	listed = set(re.findall(r"^\| `((?:sallyport|process)_\w+)`", text, re.M))
	assert exposed == listed, exposed ^ listed


# Slow clients (threats.md R1). SALLYPORT_FULL=1: a thousand for a minute each way, and what a real request has to wait is judged.

FULL = os.environ.get("SALLYPORT_FULL") == "1"
CLIENTS, SECONDS = (1000, 60) if FULL else (40, 1)
BEARER = f"Authorization: Bearer {TOKENS['viewer']}\r\n".encode()
SLOW = {
	"idle": (b"", None),
	"head": (b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ", b"y"),
	"body": (b"GET /v1/status HTTP/1.1\r\nHost: a\r\n" + BEARER + b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", b"z"),
	"read": (b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + BEARER + b"\r\n", b""), # asks, and reads nothing of it
}


def hold(managed, mode, clients, until, waits):
	"""That many slow clients, renewed when they are closed, and a real request every few milliseconds."""
	first, more = SLOW[mode]
	wires = [None] * clients

	def renew(n):
		try:
			wires[n] = managed.socket()
			if mode == "read":
				wires[n].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
			wires[n].sendall(first * (3 if mode == "read" else 1))
			wires[n].setblocking(False)
		except OSError:
			wires[n] = None
	try:
		n = 0
		while time.monotonic() < until or len(waits) < 3:
			for _ in range(min(20, clients)): # of them, in turn
				n = (n + 1) % clients
				if wires[n] is None:
					renew(n)
				elif more:
					try:
						wires[n].send(more)
					except BlockingIOError:
						pass
					except OSError:
						wires[n].close()
						wires[n] = None
			began = time.monotonic()
			assert managed.ask("/v1/status", timeout=30).status == 200
			waits.append(time.monotonic() - began)
	finally:
		for wire in wires:
			if wire is not None:
				wire.close()


@pytest.mark.parametrize("mode", SLOW)
def test_slow_clients(topology, mode):
	with Managed(topology, connections=256 if FULL else 24) as managed:
		with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
			call(access, core)
			waits, failed = [], []

			def attack():
				try:
					hold(managed, mode, CLIENTS, time.monotonic() + SECONDS, waits)
				except BaseException as error:
					failed.append(error)
			thread = threading.Thread(target=attack)
			thread.start()
			both_hear(access, core)
			access.hang_up()
			core.taken_down()
			thread.join()
			assert not failed, failed
		waits.sort()
		figures = {name: waits[int(len(waits) * share)] * 1000 for name, share in (("p50", 0.5), ("p99", 0.99))}
		print(f"{mode}: {len(waits)} requests beside {CLIENTS} clients, {figures} ms")
		if FULL:
			assert figures["p99"] < 100
