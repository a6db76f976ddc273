# SPDX-License-Identifier: GPL-3.0-or-later
# A call's messages as a file that two readers which nobody here wrote understand: tshark and sngrep. No secret is in it.
import base64
import json
import os
import re
import signal
import subprocess

import pytest

from lib import audio, tshark
from lib.admin import TOKENS, Managed
from lib.gateway import binaries
from lib.leg import Leg, both_hear, call
from lib.netns import Topology

PASSWORD = "5f4dcc3b5aa765d61d8327deb882cf99"
PROOF = f'Authorization: Digest username="alice", realm="x", nonce="n-is-seen", uri="sip:x", response="{PASSWORD}", algorithm=MD5'
FIELDS = ("frame.interface_name", "frame.cap_len", "frame.len", "frame.protocols", "ip.src", "sip.Method", "sip.Status-Code", "sip.Call-ID", "sdp.media",
	  "_ws.malformed", "_ws.short", "_ws.expert.severity", "_ws.expert.message", "tcp.analysis.flags")
ERROR = "8388608"


@pytest.fixture(scope="module")
def gateway():
	"""One gateway for all that leaves it as it was."""
	with Topology() as topology, Managed(topology, access="mixed") as made:
		yield made


@pytest.fixture
def topology(gateway):
	return gateway.topology


@pytest.fixture
def managed(gateway):
	"""Without anybody's trace, before and after."""
	yield gateway
	for token in ("wiretap", "operator"): # either what is its own
		for trace in gateway.get("/v1/traces", token=token)["traces"]:
			gateway.ask(f"/v1/traces/{trace['id']}", method="DELETE", token=token)
	assert gateway.get("/v1/traces", token="wiretap")["traces"] == []


def begin(managed, expect=201, token="operator", **want):
	reply = managed.ask("/v1/traces", method="POST", token=token, body=json.dumps(want))
	assert reply.status == expect, reply
	return reply.json() if expect == 201 else reply


def download(managed, trace, path, token="operator"):
	reply = managed.ask(f"/v1/traces/{trace['id']}/pcapng", token=token)
	assert reply.status == 200 and reply.headers["Content-Type"] == "application/x-pcapng", reply
	path.write_bytes(reply.body)
	return reply.body


def ended(managed, trace, token="operator", timeout=30):
	"""Once its calls are over."""
	return managed.wait(f"/v1/traces/{trace['id']}", lambda t: not t["running"], timeout, token=token)


def read(path):
	return tshark.frames(path, *FIELDS)


def malformed(frames, sums=True):
	"""Frames of which the reader says that something is wrong, and what. sums: checksums count, too."""
	for frame in frames:
		errors = [text for severity, text in zip(frame["_ws.expert.severity"], frame["_ws.expert.message"], strict=True) if severity == ERROR]
		bad = [text for text in errors if sums or not text.startswith("Bad checksum")]
		if bad or frame["_ws.malformed"] or frame["_ws.short"] or frame["tcp.analysis.flags"]:
			yield frame, bad


def messages(frames):
	"""[(from, method or status, Call-ID)], in the order of time."""
	return [(frame["ip.src"][0], (frame["sip.Method"] or frame["sip.Status-Code"])[0], frame["sip.Call-ID"][0]) for frame in frames if frame["sip.Call-ID"]]


def whole(frames, access, core, topology):
	"""Both legs' INVITE, 200, ACK, BYE and its 200, each way as it went."""
	seen = messages(frames)
	for leg, phone, gateway, begins in ((access, "access", "access", True), (core, "core", "core", False)):
		theirs, ours = topology.phone(phone), topology.gateway(gateway)
		first, second = (theirs, ours) if begins else (ours, theirs)
		mine = [(source, what) for source, what, call_id in seen if call_id == leg.dialog.call_id]
		for step in ((first, "INVITE"), (second, "200"), (first, "ACK"), (first, "BYE"), (second, "200")):
			assert step in mine, (step, mine)


def sngrep(path, tmp_path):
	"""What the second reader keeps of the file when it writes it anew: the calls that it has understood."""
	out = tmp_path / "sngrep.pcap"
	done = subprocess.run(["sngrep", "-N", "-q", "-c", "-I", str(path), "-O", str(out)], capture_output=True, text=True, timeout=30,
			      stdin=subprocess.DEVNULL)
	assert done.returncode == 0, done
	return out


def packets(frames, source, protocol="rtp"):
	return [frame for frame in frames if frame["ip.src"] == [source] and protocol in frame["frame.protocols"][0].split(":")]


def secrets_of(leg):
	"""Of SDES, what no file may have: keys and salts, as octets and as text."""
	for master in leg.masters.values():
		yield master
		yield base64.b64encode(master).rstrip(b"=")


def understood(path, frames, access, core, tmp_path):
	"""Both dialogs, by the second reader, and SDP on both sides by the first."""
	sdp = [frame["frame.interface_name"][0] for frame in frames if frame["sdp.media"]]
	assert sorted(sdp) == ["access", "access", "core", "core"], sdp
	assert {call_id for _, _, call_id in messages(read(sngrep(path, tmp_path)))} == {access.dialog.call_id, core.dialog.call_id}


def test_messages_by_tcp(tmp_path):
	path = tmp_path / "call.pcapng"
	with Topology() as topology, Managed(topology, access="mixed", transport="tcp") as managed:
		trace = begin(managed, next={"realm": "access", "callee": "100"})
		with Leg(topology, "access", keying="sdes", transport="tcp") as access, Leg(topology, "core", transport="tcp") as core:
			access.dial(headers=[PROOF])
			core.pick_up()
			access.dialled_answer()
			access.hang_up()
			core.taken_down()
		assert ended(managed, trace)["ended"] == "its calls are over"
		raw = download(managed, trace, path)
	frames = read(path)
	whole(frames, access, core, topology)
	assert not list(malformed(frames))
	assert PASSWORD.encode() not in raw and b"n-is-seen" in raw
	keys = re.findall(rb"a=crypto:\d+ \S+ inline:([^|\s]+)", raw)
	assert len(keys) >= 2 and all(set(key) <= set(b"x=") for key in keys), keys
	assert not [secret for secret in secrets_of(access) if secret in raw]
	understood(path, frames, access, core, tmp_path)


def ctl(topology, *arguments, token="operator", cwd=None):
	environment = dict(os.environ, SALLYPORT_TOKEN=TOKENS[token])
	return subprocess.Popen(topology.gw.command(str(binaries() / "sallyportctl"), *arguments), env=environment, cwd=cwd, text=True,
				stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(process, expect=0):
	out, err = process.communicate(timeout=60)
	assert process.returncode == expect, (out, err)
	return out + err


def test_the_command_line(topology, managed, tmp_path):
	waiting = ctl(topology, "trace", "--next", "--caller", "access", "--peer", "phones", "-o", "next.pcapng", cwd=tmp_path)
	managed.wait("/v1/traces", lambda t: t["traces"] and t["traces"][0]["running"], token="operator")
	other = begin(managed, next={"caller": "nobody-of-that-name"})
	assert {"access", "nobody-of-that-name"} <= set(finished(ctl(topology, "trace", "list")).split())
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		call(access, core)
		number = str(managed.get("/v1/calls")["calls"][0]["id"])
		assert "traced already" in finished(ctl(topology, "trace", number), 1)
		access.hang_up()
		core.taken_down()
	first = access, core
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core: # one that is up
		call(access, core)
		number = str(managed.get("/v1/calls")["calls"][0]["id"])
		running = ctl(topology, "trace", number, cwd=tmp_path)
		managed.wait("/v1/traces", lambda t: [x for x in t["traces"] if x["call"] == int(number)], token="operator")
		access.hang_up()
		core.taken_down()
	assert "0 lost, in next.pcapng" in finished(waiting)
	whole(read(tmp_path / "next.pcapng"), *first, topology)
	assert (tmp_path / "next.pcapng").stat().st_mode & 0o777 == 0o600
	finished(running)
	assert [t["id"] for t in managed.get("/v1/traces", token="operator")["traces"]] == [other["id"]]
	path, = tmp_path.glob("trace-*.pcapng")
	assert {what for _, what, _ in messages(read(path))} == {"BYE", "200"}
	running = ctl(topology, "trace", "--next", "--callee", "nobody", "-o", "none.pcapng", cwd=tmp_path) # until ^C
	managed.wait("/v1/traces", lambda t: len(t["traces"]) == 2, token="operator")
	running.send_signal(signal.SIGINT)
	assert "0 messages" in finished(running)
	assert not messages(read(tmp_path / "none.pcapng"))
	assert "which call" in finished(ctl(topology, "trace"), 2) and "which call" in finished(ctl(topology, "trace", "x"), 2)


def test_what_is_refused(managed):
	before = len(managed.events("trace begun"))
	for wrong in ({}, {"call": 1, "next": {}}, {"call": 0}, {"call": "1"}, {"next": {"calls": 101}}, {"next": {"realm": "nowhere"}},
		      {"next": {"peer": "nobody"}}, {"next": {"caller": ""}}, {"next": {"caller": "x" * 128}}, {"next": {"x": 1}},
		      {"next": {}, "media": "all"}, {"next": {}, "seconds": 3601}, {"next": {}, "octets": 1}, {"next": {}, "x": 1}):
		begin(managed, 422, **wrong)
	begin(managed, 404, call=77)
	for media in ("headers", "full"):
		begin(managed, 403, next={}, media=media)
	assert managed.ask("/v1/traces/0123abcd", token="operator").status == 404
	big = [begin(managed, next={}, octets=64 << 20) for _ in range(2)]
	assert "memory" in begin(managed, 409, next={}).json()["detail"]
	for trace in big:
		assert managed.ask(f"/v1/traces/{trace['id']}", method="DELETE", token="operator").status == 200
	many = [begin(managed, next={}, octets=65536) for _ in range(16)]
	assert len({trace["id"] for trace in many}) == 16
	begin(managed, 409, next={}, octets=65536)
	managed.wait_event("trace begun", trace=many[-1]["id"])
	lines = managed.events("trace begun")[before:]
	assert len(lines) == 18 and all(line["token"] == "a-operator" and line["source"] for line in lines)


def test_bounds(topology, managed, tmp_path):
	"""Full; its time up; its calls counted; and gone with control, which says so."""
	full, short = begin(managed, next={}, octets=65536), begin(managed, next={"callee": "nobody"}, seconds=1)
	with Leg(topology, "access", keying="sdes") as access, Leg(topology, "core") as core:
		access.dial(headers=[f"Subject: {'x' * 32000}"])
		core.ring()
		assert ended(managed, full)["ended"] == "it is full"
		first = managed.get(f"/v1/traces/{full['id']}", token="operator")
		assert 0 < first["octets"] <= 65536 and first["lost"] == 1
		assert ended(managed, short)["ended"] == "its time is up"
		core.pick_up()
		access.dialled_answer()
		assert managed.get(f"/v1/traces/{full['id']}", token="operator")["octets"] == first["octets"]
		access.hang_up()
		core.taken_down()
	download(managed, full, tmp_path / "full.pcapng")
	assert not list(malformed(read(tmp_path / "full.pcapng")))
	since = managed.mark()
	managed.kill_child("control")
	managed.wait_event("child back", 20, since, child="control")
	reply = managed.ask(f"/v1/traces/{full['id']}/pcapng", token="operator")
	assert reply.status == 404 and "control has begun anew" in reply.json()["detail"]


def traced_call(topology, managed, keying, media):
	"""(trace, legs, traffic by realm) of a call that has spoken and is over."""
	trace = begin(managed, token="wiretap", next={"callee": "100"}, media=media, octets=16 << 20)
	with Leg(topology, "access", keying=keying) as access, Leg(topology, "core") as core:
		call(access, core)
		both_hear(access, core, packets=50, seconds=0.5)
		access.media.silence()
		core.media.silence()
		number = managed.get("/v1/calls")["calls"][0]["id"]
		seen = managed.wait(f"/v1/calls/{number}", lambda c: all((l["traffic"]["not_heard_ms"] or 0) > 300 for leg in c["legs"] for l in leg["lines"]))
		access.hang_up()
		core.taken_down()
	return trace, access, core, {line["realm"]: line["traffic"] for leg in seen["legs"] for line in leg["lines"]}


def test_media(topology, managed, tmp_path):
	"""By its own role, audited; keys and content as asked for. One call after the other; a trace ends two seconds after its call, both at once."""
	made = [(keying, media, *traced_call(topology, managed, keying, media)) for keying, media in (("sdes", "full"), ("dtls", "headers"))]
	for keying, media, trace, access, core, traffic in made:
		path = tmp_path / f"{media}.pcapng"
		assert ended(managed, trace, "wiretap")["lost"] == 0
		raw = download(managed, trace, path, "wiretap")
		for event in ("trace begun", "trace read", "trace ended"):
			line = managed.wait_event(event, trace=trace["id"])
			assert line["tag"] == "audit" and line["media"] == media and line["token"] == "a-wiretap", line
		assert managed.ask(f"/v1/traces/{trace['id']}/pcapng", token="operator").status == 403
		assert managed.ask(f"/v1/traces/{trace['id']}", method="DELETE", token="operator").status == 403
		frames = read(path)
		media_is_whole(topology, frames, raw, access, core, traffic, keying, media)
		understood(path, frames, access, core, tmp_path)


def media_is_whole(topology, frames, raw, access, core, traffic, keying, media):
	"""As received and as sent on both sides, every packet, whole or without content."""
	for side, leg in (("access", access), ("core", core)):
		came, went = packets(frames, topology.phone(side)), packets(frames, topology.gateway(side))
		assert 50 <= traffic[side]["rx_packets"] <= len(came) <= leg.media.sent # what came too early is there, and was dropped
		assert len(went) == traffic[side]["tx_packets"] >= 50
		for frame in came + went:
			captured, length = int(frame["frame.cap_len"][0]), int(frame["frame.len"][0])
			assert frame["frame.interface_name"] == [side] and length - (14 + 20 + 8 + 12 + 160) in ((10, 16) if side == "access" else (0,)), frame # the tag
			assert captured == (length if media == "full" else 14 + 20 + 8 + 12), frame
	if keying == "dtls":
		assert packets(frames, topology.phone("access"), "dtls") and packets(frames, topology.gateway("access"), "dtls")
	spoken = audio.ulaw_tone(core.tone, 160 * 10) # in clear on the core's side
	assert (spoken in raw) == (media == "full")
	whole(frames, access, core, topology)
	# A neighbour on the same host leaves checksums unfinished, and so they are kept; RTP that is cut has no payload to be read.
	ours = [frame for frame in frames if frame["ip.src"] in ([topology.gateway("access")], [topology.gateway("core")])]
	bad = [*malformed(frames, sums=False), *malformed(ours)]
	assert not [line for line in bad if media == "full" or "rtp" not in line[0]["frame.protocols"][0].split(":")]
	assert (media == "full") == (not bad)
	assert not [secret for secret in secrets_of(access) if secret in raw]
