# SPDX-License-Identifier: GPL-3.0-or-later
# A second reader of captures, which nobody here wrote: Wireshark's dissectors, looking for what is malformed.
import collections
import socket
import struct
import subprocess

# Media ports are known to nobody in advance; SDP names most of them, the heuristics find the rest.
READ = ["tshark", "-n", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "--enable-heuristic", "rtp_udp",
	"--enable-heuristic", "rtcp_udp", "-o", "rtp.heuristic_rtp:TRUE",
	"-o", "udp.try_heuristic_first:TRUE"] # a media port may be some game's
BAD = "_ws.malformed || _ws.short || _ws.expert.severity == 8388608 || ip.checksum.status == 0 || udp.checksum.status == 0"


def fields(path, expression, *names, options=READ):
	command = [*options, "-r", str(path), "-Y", expression, "-T", "fields", "-E", "separator=|"]
	for name in names:
		command += ["-e", name]
	done = subprocess.run(command, capture_output=True, text=True, timeout=60)
	assert done.returncode == 0, done.stderr
	return [line.split("|") for line in done.stdout.splitlines()]


def frames(path, *names):
	"""Every frame of a file by one reading, where several looks would read it as often: [{field: its values, each once said}]."""
	command = [*READ, "-o", "tcp.check_checksum:TRUE", "-r", str(path), "-T", "fields", "-E", "separator=\x1f", "-E", "aggregator=\x1e"]
	for name in names:
		command += ["-e", name]
	done = subprocess.run(command, capture_output=True, text=True, timeout=60)
	assert done.returncode == 0, done.stderr
	rows = [[value.split("\x1e") if value else [] for value in line.split("\x1f")] for line in done.stdout.split("\n")[:-1]] # splitlines() would at \x1e, too
	assert all(len(row) == len(names) for row in rows), done.stdout
	return [dict(zip(names, row)) for row in rows]


def malformed(path, source):
	"""What is wrong with the packets of that address, a line each; the frame's protocols and what the reader says."""
	family = "ipv6" if ":" in source else "ip"
	return [" ".join(row) for row in fields(path, f"({BAD}) && {family}.src == {source}", "frame.number", "frame.protocols",
						"_ws.expert.message", "ip.checksum.status", "udp.checksum.status")]


def protocols(path, source):
	"""How many packets of that address were understood as what."""
	family = "ipv6" if ":" in source else "ip"
	rows = fields(path, f"{family}.src == {source} && udp", "frame.protocols")
	return collections.Counter(name for row in rows for name in set(row[0].split(":")))


def unknown(path, source):
	"""UDP packets of that address of which the reader makes nothing, their first bytes."""
	family = "ipv6" if ":" in source else "ip"
	rows = fields(path, f"{family}.src == {source} && udp", "frame.protocols", "udp.payload")
	return [row for row in rows if not {"sip", "rtp", "rtcp", "dtls", "stun"} & set(row[0].split(":"))]


def damaged(path, target, source, edit):
	"""A copy of a capture in which edit(payload) has changed the first packet of that IPv4 address for which it gives something;
	its lengths and checksums are right again, so that only what is inside is wrong. Returns whether there was one."""
	raw, out, changed = path.read_bytes(), bytearray(), False
	out += raw[:24]
	at = 24
	while at + 16 <= len(raw):
		size = struct.unpack_from("<I", raw, at + 8)[0]
		head, frame = raw[at:at + 16], raw[at + 16:at + 16 + size]
		at += 16 + size
		if not changed and frame[12:14] == b"\x08\x00" and frame[23] == 17 and frame[26:30] == socket.inet_aton(source):
			payload = edit(frame[42:])
			if payload is not None:
				frame, changed = _frame(frame[:42], payload), True
		out += head[:8] + struct.pack("<II", len(frame), len(frame)) + frame
	target.write_bytes(out)
	return changed


def _frame(headers, payload):
	"""The same Ethernet, IPv4 and UDP headers around another payload."""
	head = bytearray(headers)
	struct.pack_into("!H", head, 16, 28 + len(payload))
	struct.pack_into("!HH", head, 38, 8 + len(payload), 0)
	head[24:26] = bytes(2)
	struct.pack_into("!H", head, 24, _sum(head[14:34]))
	pseudo = head[26:34] + struct.pack("!BBH", 0, 17, 8 + len(payload))
	struct.pack_into("!H", head, 40, _sum(pseudo + head[34:42] + payload) or 0xFFFF)
	return bytes(head) + payload


def _sum(data):
	data = bytes(data) + bytes(len(data) % 2)
	total = sum(struct.unpack(f"!{len(data) // 2}H", data))
	while total >> 16:
		total = (total & 0xFFFF) + (total >> 16)
	return ~total & 0xFFFF
