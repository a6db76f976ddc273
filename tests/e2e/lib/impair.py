# SPDX-License-Identifier: GPL-3.0-or-later
# A road that loses, delays and reorders, between the gateway and `access`: a bridge of our own, since not every kernel has
# netem. Its dice are seeded; ARP and neighbour discovery pass unharmed.
#
#   access net0 --- left [ road: this program ] right --- access0 gw
import heapq
import json
import random
import signal
import socket
import sys
import time

from . import netns
from .process import Process

PACKET_IGNORE_OUTGOING, SOL_PACKET, SO_RCVBUFFORCE = 23, 263, 33


class Road(netns.Topology):
	"""The usual topology; impair() makes the road bad, until then frames pass as they are."""

	def __init__(self):
		self.road = None
		self.forwarder = None
		super().__init__()

	def _join(self, side):
		if side != "access":
			return super()._join(side)
		self.road = netns.Namespace(self.core.name.replace("core", "road"))
		netns.veth(self.access, "net0", self.road, "left")
		netns.veth(self.road, "right", self.gw, "access0")
		for ns, device in ((self.access, "net0"), (self.gw, "access0")):
			ns.run("ethtool", "-K", device, "tx", "off") # checksums complete: the next who sends the frame is no veth
		self.gw.address("access0", f"{self.GW[side]}/24")
		self.gw.address("access0", f"{self.GW6[side]}/64")
		for host in self.PHONES:
			self.access.address("net0", f"{self.phone(side, host)}/24")
			self.access.address("net0", f"{self.phone(side, host, 6)}/64")
		self.access.device = "net0"

	def impair(self, seed, loss=0.05, jitter=0.05, reorder=0.03):
		arguments = [str(value) for value in (seed, loss, jitter, reorder)]
		self.forwarder = Process("road", self.road.command(sys.executable, "-m", "lib.impair", *arguments),
					 cwd=__file__.rpartition("/lib/")[0], die_signal=signal.SIGTERM)
		self.forwarder.wait_for("open")

	def toll(self):
		"""Ends it; what it did, by number."""
		self.forwarder.stop()
		return json.loads(self.forwarder.lines[-1][2])

	def namespaces(self):
		return [*super().namespaces(), self.road]


class Forwarder:
	def __init__(self, seed, loss, jitter, reorder):
		self.random = random.Random(seed)
		self.loss, self.jitter, self.reorder = loss, jitter, reorder
		self.sockets = [self._open("left"), self._open("right")]
		self.queue = []       # (due, number, socket, frame)
		self.last = [0.0, 0.0] # newest due time of each direction: jitter alone overtakes nobody
		self.counts = {"seen": 0, "lost": 0, "held": 0, "sent": 0}

	@staticmethod
	def _open(device):
		s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
		s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
		s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
		s.bind((device, 3))
		s.setblocking(False)
		return s

	@staticmethod
	def _is_udp(frame):
		kind = frame[12:14]
		return (kind == b"\x08\x00" and frame[23:24] == b"\x11") or (kind == b"\x86\xdd" and frame[20:21] == b"\x11")

	def _take(self, direction, frame):
		out = self.sockets[1 - direction]
		if not self._is_udp(frame):
			out.send(frame)
			return
		self.counts["seen"] += 1
		if self.random.random() < self.loss:
			self.counts["lost"] += 1
			return
		due = time.monotonic() + self.random.uniform(0, self.jitter)
		if self.random.random() < self.reorder: # held back, while the others pass
			self.counts["held"] += 1
			due = max(due, self.last[direction]) + self.random.uniform(0.02, 0.06)
		else:
			due = self.last[direction] = max(due, self.last[direction])
		heapq.heappush(self.queue, (due, self.counts["seen"], out, frame))

	def run(self):
		import select
		poll = select.poll()
		for s in self.sockets:
			poll.register(s, select.POLLIN)
		while True:
			wait = 1000 if not self.queue else max(0, (self.queue[0][0] - time.monotonic()) * 1000)
			poll.poll(wait)
			for direction, s in enumerate(self.sockets):
				for _ in range(64):
					try:
						self._take(direction, s.recv(65536))
					except BlockingIOError:
						break
			while self.queue and self.queue[0][0] <= time.monotonic():
				_, _, out, frame = heapq.heappop(self.queue)
				try:
					out.send(frame)
					self.counts["sent"] += 1
				except OSError:
					pass # too long for the card, or its other end is gone


def main():
	seed, *odds = sys.argv[1:]
	forwarder = Forwarder(int(seed), *map(float, odds))

	def end(_number, _frame):
		print(json.dumps(forwarder.counts), flush=True)
		sys.exit(0)

	signal.signal(signal.SIGTERM, end)
	print("open", flush=True)
	forwarder.run()


if __name__ == "__main__":
	main()
