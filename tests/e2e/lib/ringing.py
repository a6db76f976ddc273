# SPDX-License-Identifier: GPL-3.0-or-later
# Two sides of many calls that ring and are given up, each with the retransmissions of RFC 3261 section 17: what is lost with a
# process that is killed is said again by whoever waits for a word. A transaction that does not come to its end is stuck.
import random
import re
import select
import threading
import time

from .phone import Message, audio_section, sdp
from .netns import uri_host

T1 = 0.5


class Party:
	"""One UDP socket and one thread. Subclasses say what comes of a message (_take) and what is due (_due)."""

	def __init__(self, ns, address, gateway, seed):
		self.address, self.gateway, self.random = address, (gateway, 5060), random.Random(seed)
		self.socket = ns.udp(address, 5060)
		self.socket.setblocking(False)
		self.calls, self.lock, self._open = {}, threading.Lock(), True
		self._thread = threading.Thread(target=self._run, daemon=True)

	def start(self):
		self._thread.start()

	def _run(self):
		while self._open:
			select.select([self.socket], [], [], 0.02)
			with self.lock:
				while True:
					try:
						raw = self.socket.recv(65536)
					except (BlockingIOError, ConnectionError):
						break
					self._take(Message(raw))
				self._due(time.monotonic())

	def send(self, text):
		try:
			self.socket.sendto(text.encode(), self.gateway)
		except OSError:
			pass # nobody is there: what is said is said again

	def open_calls(self):
		with self.lock:
			return {key: call for key, call in self.calls.items() if not call["over"]}

	def close(self):
		self._open = False
		self._thread.join()
		self.socket.close()


class Near(Party):
	"""Calls at a rate, each given up some time after its first 18x."""

	def __init__(self, ns, address, gateway, rate, seed=1):
		super().__init__(ns, address, gateway, seed)
		self.rate, self.calling, self.patient, self._next = rate, False, False, 0
		self.finals, self.number = {}, 0

	def _request(self, call, method, to=""):
		uri = f"sip:100@{uri_host(self.gateway[0])}:5060"
		body = sdp(self.address, audio_section(20000)) if method == "INVITE" else ""
		kind = "Content-Type: application/sdp\r\n" if body else ""
		return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {uri_host(self.address)}:5060;branch={call['branch']};rport\r\n"
			f"Max-Forwards: 70\r\nFrom: <sip:near@{uri_host(self.address)}>;tag={call['tag']}\r\nTo: {to or f'<{uri}>'}\r\n"
			f"Call-ID: {call['id']}\r\nCSeq: 1 {method}\r\nContact: <sip:near@{uri_host(self.address)}:5060>\r\n"
			f"{kind}Content-Length: {len(body)}\r\n\r\n{body}")

	def begin(self):
		"""Another call; with the lock held."""
		self.number += 1
		token = f"{self.number}-{self.random.getrandbits(48):x}"
		call = {"id": f"ring-{token}", "tag": token, "branch": f"z9hG4bK-{token}", "state": "calling", "over": False, "wait": T1,
			"patience": self.random.uniform(0.02, 0.5)}
		self.calls[call["id"]] = call
		self._again(call, "INVITE", time.monotonic())

	def _again(self, call, method, now):
		self.send(self._request(call, method))
		call["at"], call["wait"] = now + call["wait"], min(2 * call["wait"], 8 * T1)

	def _take(self, m):
		call = self.calls.get(m.get("call-id"))
		if call is None or not m.status:
			return
		if m.cseq[1] == "CANCEL":
			call["cancelled"] = True
		elif m.status >= 200:
			self.send(self._request(call, "ACK", m.get("to")))
			if not call["over"]:
				self.finals[m.status] = self.finals.get(m.status, 0) + 1
			call["over"], call["final"] = True, m.status
		elif call["state"] == "calling":
			call["state"] = "proceeding"
			call["at"] = time.monotonic() + call["patience"]
		call["rang"] = call.get("rang") or m.status > 100

	def _due(self, now):
		if self.calling and now >= self._next:
			self._next = max(self._next + 1 / self.rate, now - 0.2)
			self.begin()
		for call in self.calls.values():
			if call["over"] or now < call["at"]:
				continue
			if call["state"] == "calling":
				self._again(call, "INVITE", now)
			elif not self.patient and not call.get("cancelled"):
				if call["state"] != "cancelling":
					call["state"], call["wait"] = "cancelling", T1
				self._again(call, "CANCEL", now)


class Far(Party):
	"""Rings; refuses some calls after a while. What it has refused, or ended for a CANCEL, is repeated until the ACK."""

	def __init__(self, ns, address, gateway, seed=2):
		super().__init__(ns, address, gateway, seed)
		self.refuses = True

	def _reply(self, call, m, status):
		to = m.get("to") if m.to_tag or status == 100 else f"{m.get('to')};tag={call['tag']}"
		self.send("\r\n".join([f"SIP/2.0 {status} Reply", *(f"Via: {via}" for via in m.all("via")), f"From: {m.get('from')}", f"To: {to}",
				       f"Call-ID: {m.get('call-id')}", f"CSeq: {m.get('cseq')}",
				       f"Contact: <sip:far@{uri_host(self.address)}:5060>", "Content-Length: 0", "", ""]))

	def _take(self, m):
		if m.status:
			return
		branch = re.search(r";branch=([^;,\s]+)", m.get("via"))[1]
		call = self.calls.get(branch)
		if m.method == "INVITE" and call is None:
			call = self.calls[branch] = {"invite": m, "tag": f"{len(self.calls)}", "status": 180, "over": False, "wait": T1,
						     "at": time.monotonic() + self.random.uniform(0.1, 1)}
			self._reply(call, m, 180)
		elif m.method == "INVITE":
			self._reply(call, m, call["status"])
		elif m.method == "CANCEL":
			self._reply(call or {"tag": "none"}, m, 200 if call else 481)
			if call and call["status"] == 180:
				self._end(call, 487)
		elif m.method == "ACK" and call:
			call["over"] = True
		elif m.method == "BYE":
			self._reply({"tag": "none"}, m, 481)

	def _end(self, call, status):
		call["status"], call["wait"] = status, T1
		self._repeat(call, time.monotonic())

	def _repeat(self, call, now):
		self._reply(call, call["invite"], call["status"])
		call["at"], call["wait"] = now + call["wait"], min(2 * call["wait"], 8 * T1)

	def _due(self, now):
		for number, call in enumerate(self.calls.values()):
			if call["over"] or now < call["at"]:
				continue
			if call["status"] != 180:
				self._repeat(call, now)
			elif self.refuses and number % 4 == 0:
				self._end(call, 486)
