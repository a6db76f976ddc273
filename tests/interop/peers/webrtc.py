# SPDX-License-Identifier: GPL-3.0-or-later
# A browser as one end of a call: its descriptions carried by a SIP phone of ours, its packets by an ICE front.
import time

from lib import audio, phone

from .ice import Front


class Webrtc:
	side, tone = "access", audio.TONE_A

	def __init__(self, topology, chromium, codec="PCMU"):
		self.topology, self.chromium, self.codec = topology, chromium, codec
		self.address = topology.phone(self.side)
		self.phone = phone.Phone(topology.access, self.address, "chromium")
		self.connections, self.fronts = 0, []
		self.dialog = None
		self.renew()

	def renew(self):
		"""From now on a new RTCPeerConnection, behind ports of its own."""
		self.connections += 1
		self.name = f"call{self.connections}"
		self.front = Front(self.topology.access, self.address)
		self.fronts.append(self.front)

	def offer(self):
		return self.front.without_ice(self.chromium.ask("offer", self.name, self.tone, self.codec))

	def take_answer(self, text):
		self.chromium.ask("answered", self.name, self.front.with_ice(text))

	def dial(self):
		self.dialog = self.phone.invite(f"sip:100@{self.topology.gateway(self.side)}:5060", self.offer())

	def dialled_answer(self):
		response = self.phone.wait_response(self.dialog.cseq)
		assert response.status == 200, response.first
		self.phone.confirm(self.dialog, response)
		self.take_answer(response.body)

	def pick_up(self):
		invite = self.phone.wait_request("INVITE")
		answer = self.chromium.ask("answer", self.name, self.tone, self.codec, self.front.with_ice(invite.body))
		self.dialog = self.phone.accept(invite, self.front.without_ice(answer))
		self.phone.wait_request("ACK")

	def reoffer(self, other, body):
		"""A re-INVITE, answered by `other` if it concerns that side; the browser has the answer afterwards."""
		self.dialog.request("INVITE", body)
		deadline = time.monotonic() + 10
		while not other.phone.untaken("INVITE") and not self.phone.answered(self.dialog.cseq):
			assert time.monotonic() < deadline, "nobody has answered"
			time.sleep(0.01)
		if other.phone.untaken("INVITE"):
			invite = other.phone.wait_request("INVITE")
			other.phone.answer(invite, 200, "OK", other.begin_answer(invite.body))
			other.phone.wait_request("ACK")
		response = self.phone.wait_response(self.dialog.cseq)
		assert response.status == 200, response.first
		self.dialog.ack(self.dialog.cseq)
		self.take_answer(response.body)

	def restart_ice(self):
		self.front.restart()
		return self.front.without_ice(self.chromium.ask("offerAgain", self.name, {"iceRestart": True}))

	# What the browser says of it

	def look(self, name=None):
		return self.chromium.ask("look", name or self.name)

	def wait(self, wanted, what, timeout=15):
		deadline = time.monotonic() + timeout
		while True:
			seen = self.look()
			if wanted(seen):
				return seen
			assert time.monotonic() < deadline, f"chromium: no {what} in {timeout} s: {seen}"
			time.sleep(0.05)

	def connected(self):
		"""The statistics of its transport, once it is up."""
		return self.wait(lambda seen: seen["connection"] == "connected", "connection")["transport"]

	def hears(self, tone, packets=50):
		"""So many packets more, and then the tone comes out of them."""
		since = self.look().get("inbound-rtp", {}).get("packetsReceived", 0)

		def heard(seen):
			enough = seen.get("inbound-rtp", {}).get("packetsReceived", 0) >= since + packets
			return enough and seen["peak"] and abs(seen["peak"]["frequency"] - tone) < 12 and seen["peak"]["level"] > -50
		return self.wait(heard, f"{tone} Hz after {packets} packets")

	def hang_up(self):
		self.dialog.request("BYE")
		response = self.phone.wait_response(self.dialog.cseq, "BYE")
		assert response.status == 200, response.first

	def close(self):
		for number in range(1, self.connections + 1):
			self.chromium.ask("hangUp", f"call{number}")
		self.phone.close()
		for front in self.fronts:
			front.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
