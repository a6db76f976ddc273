# SPDX-License-Identifier: GPL-3.0-or-later
# What the attack tests are tried on, so that they can be seen to succeed: a media relay with the holes that they look for. It sends to
# whoever spoke last (latching at any time), passes everything on unread, and answers STUN to anybody.
import collections
import select
import threading


class NaiveRelay:
	"""Two ports in the gateway's namespace, one a side; `access` and `core` are their (address, port)."""

	def __init__(self, topology):
		self.sockets = {side: topology.gw.udp(topology.gateway(side)) for side in ("access", "core")}
		self.access, self.core = (self.sockets[side].getsockname() for side in ("access", "core"))
		self.peers = {"access": None, "core": None}
		self.relayed = collections.Counter() # by the host that each packet was sent to
		self._stop = False
		self._thread = threading.Thread(target=self._run, daemon=True)
		self._thread.start()

	def _run(self):
		other = {"access": "core", "core": "access"}
		while not self._stop:
			for ready in select.select(list(self.sockets.values()), [], [], 0.05)[0]:
				side = "access" if ready is self.sockets["access"] else "core"
				try:
					packet, source = ready.recvfrom(4096)
				except OSError:
					continue
				if packet[:1] == b"\0":
					ready.sendto(b"\1\1" + packet[2:] + bytes(12), source) # 1.6 times what came
					continue
				self.peers[side] = source
				if self.peers[other[side]]:
					self.relayed[self.peers[other[side]][0]] += 1
					self.sockets[other[side]].sendto(packet, self.peers[other[side]])

	def close(self):
		self._stop = True
		self._thread.join(2)
		for one in self.sockets.values():
			one.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
