# SPDX-License-Identifier: GPL-3.0-or-later
# Many plain calls at once, of two phones, with media both ways that is counted packet by packet.
import contextlib
import select
import struct
import threading
import time
from collections import Counter

from . import phone


class Streams:
	"""One thread that sends on many sockets, to and fro, and counts what has come: from the first that came of each stream on, no
	packet has a reason to be missing. Before it, the relay of a busy machine may still be on its way to what a call has agreed on."""

	RATE = 25
	LIMIT = 60 # seconds, which only a fault reaches

	def __init__(self, namespaces, addresses, n):
		self.sides = [[ns.udp(address) for _ in range(n)] for ns, address in zip(namespaces, addresses)]
		self.remote = [[None] * n, [None] * n]
		self.sent, self.heard = [[0] * n, [0] * n], [[set() for _ in range(n)], [set() for _ in range(n)]]
		self.index = {s.fileno(): (side, i) for side, sockets in enumerate(self.sides) for i, s in enumerate(sockets)}
		for sockets in self.sides:
			for s in sockets:
				s.setblocking(False)
		self._talking, self._open = True, True
		self._thread = threading.Thread(target=self._run, daemon=True)

	def start(self):
		"""Until each is heard, both ways."""
		self._thread.start()
		deadline = time.monotonic() + self.LIMIT
		while any(self.remote[side][i] and not heard for side in (0, 1) for i, heard in enumerate(self.heard[not side])):
			assert time.monotonic() < deadline, "a call is silent"
			time.sleep(0.02)

	def _run(self):
		poll = select.epoll()
		for fd in self.index:
			poll.register(fd, select.EPOLLIN)
		due = time.monotonic()
		while self._open:
			if self._talking and time.monotonic() >= due:
				due += 1 / self.RATE
				self._send()
			for fd, _ in poll.poll(0.005):
				self._take(*self.index[fd])

	def _send(self):
		for side, sockets in enumerate(self.sides):
			for i, s in enumerate(sockets):
				if self.remote[side][i]:
					number = self.sent[side][i]
					s.sendto(struct.pack("!BBHII", 0x80, 0, number, 160 * number, 1000 * side + i + 1) + bytes(160), self.remote[side][i])
					self.sent[side][i] += 1

	def _take(self, side, i):
		while True:
			try:
				packet = self.sides[side][i].recv(2048)
			except (BlockingIOError, OSError):
				return
			self.heard[side][i].add(struct.unpack_from("!H", packet, 2)[0])

	def missing(self):
		"""After the last one sent has had time to come: what has not."""
		self._talking = False
		deadline = time.monotonic() + self.LIMIT / 3
		while self._short() and time.monotonic() < deadline:
			time.sleep(0.05)
		return self._short()

	def _short(self):
		"""Of each call that has lost any: its number, and how many each way."""
		def short(sent, heard):
			return sent - min(heard, default=0) - len(heard)
		lost = [tuple(short(self.sent[side][i], self.heard[not side][i]) for side in (0, 1)) for i in range(len(self.sent[0]))]
		return {i: both for i, both in enumerate(lost) if any(both)}

	def close(self):
		self._open = False
		self._thread.join()
		for sockets in self.sides:
			for s in sockets:
				s.close()


def secured(gateway, legs):
	deadline = time.monotonic() + Streams.LIMIT
	while len(found := gateway.events("call leg secured")) < legs:
		assert time.monotonic() < deadline, (len(found), Counter(event["call"] for event in found))
		time.sleep(0.05)


def set_up(access, core, streams, i, gateway_uri):
	"""Call number i: both its dialogs, and where its media goes. Its CSeqs are its own: responses are told apart by them."""
	def body(side, address):
		return phone.sdp(address, phone.audio_section(streams.sides[side][i].getsockname()[1]))
	near = access.invite(gateway_uri, body(0, access.address), cseq=1000 * (i + 1))
	invite = core.wait_request("INVITE")
	remotes = [None, phone.Sdp(invite.body).remote()]
	far = core.accept(invite, body(1, core.address))
	far.cseq = 1000 * (i + 1)
	core.wait_request("ACK")
	response = access.wait_response(near.cseq)
	assert response.status == 200, response.first
	remotes[0] = phone.Sdp(response.body).remote()
	access.confirm(near, response)
	return near, far, remotes


@contextlib.contextmanager
def many_calls(topology, gateway, calls, room=None):
	"""That many are up and heard, with sockets for `room`: (access, core, streams, [(near, far, remotes)], the gateway's URI)."""
	access = phone.Phone(topology.access, topology.phone("access"), "access")
	core = phone.Phone(topology.core, topology.phone("core"), "core")
	streams = Streams((topology.access, topology.core), (access.address, core.address), room or calls)
	uri = f"sip:100@{topology.gateway('access')}:5060"
	try:
		up = [set_up(access, core, streams, i, uri) for i in range(calls)]
		secured(gateway, 2 * calls)
		for i, (_, _, remotes) in enumerate(up):
			streams.remote[0][i], streams.remote[1][i] = remotes
		streams.start()
		yield access, core, streams, up, uri
	finally:
		streams.close()
		access._open = core._open = False
