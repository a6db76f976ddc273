# SPDX-License-Identifier: GPL-3.0-or-later
# A phone whose messages may be lost: it repeats them by the timers of RFC 3261 17.1 and 13.3.1.4, over UDP.
import threading
import time

from . import phone
from .leg import Leg

T1, T2 = 0.5, 4.0


class PatientPhone(phone.Phone):
	def __init__(self, *arguments, **more):
		self._pending = {} # (call-id, cseq number, method, "request" or "answer") -> [raw, target, next time, interval]
		self._acks = {}    # (call-id, cseq number) -> (raw, target)
		self._calls = set() # ours: an answer that is late for the phone that was at this address before is nobody's
		self.repeated = 0
		super().__init__(*arguments, **more)
		threading.Thread(target=self._repeat, daemon=True).start()

	def _send(self, raw, target):
		message = phone.Message(raw)
		number, method = message.cseq
		call = message.get("call-id")
		if message.method == "ACK":
			self._acks[call, number] = (raw, target)
		elif message.method:
			self._calls.add(call)
			self._pending[call, number, method, "request"] = [raw, target, time.monotonic() + T1, T1]
		elif message.status == 200 and method == "INVITE":
			self._pending[call, number, method, "answer"] = [raw, target, time.monotonic() + T1, T1]
		super()._send(raw, target)

	def _repeat(self):
		while self._open:
			time.sleep(0.02)
			now = time.monotonic()
			for entry in list(self._pending.values()):
				raw, target, due, interval = entry
				if now < due:
					continue
				entry[2:] = [now + min(2 * interval, T2), min(2 * interval, T2)]
				self.repeated += 1
				try:
					super()._send(raw, target)
				except OSError:
					return # closed

	def _incoming(self, raw, source):
		message = phone.Message(raw) if raw.strip() else None
		if message and message.status:
			if message.get("call-id") not in self._calls:
				return
			number, method = message.cseq
			self._pending.pop((message.get("call-id"), number, method, "request"), None)
			ack = self._acks.get((message.get("call-id"), number)) if method == "INVITE" and message.status >= 200 else None
			if ack:
				super()._send(*ack) # the 200 again: our ACK was lost
				return
		elif message and message.method == "ACK":
			self._pending.pop((message.get("call-id"), message.cseq[0], "INVITE", "answer"), None)
		super()._incoming(raw, source)


class PatientLeg(Leg):
	PHONE = PatientPhone
