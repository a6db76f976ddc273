# SPDX-License-Identifier: GPL-3.0-or-later
# A phone whose keys change in a call, and the judge who reads the wire with all of them.
import threading
import time

from . import dtls, libsrtp, srtp
from .capture import Rtp
from .leg import Leg
from .media import Media
from .phone import Sdp


ALLOW = "Allow: INVITE, ACK, CANCEL, BYE, UPDATE"


class Ring:
	"""Opens what comes under any of its keys, the newest first. A careful peer keeps the old ones, a plain one does not."""

	def __init__(self, first):
		self.contexts = [first]
		self.opened = [0]

	def add(self, context, keep=True):
		if not keep:
			self.contexts.clear()
			self.opened.clear()
		self.contexts.append(context)
		self.opened.append(0)

	def _first(self, verb, packet):
		for index in reversed(range(len(self.contexts))):
			plain = getattr(self.contexts[index], verb)(packet)
			if plain is not None:
				self.opened[index] += 1
				return plain
		return None

	def unprotect(self, packet):
		return self._first("unprotect", packet)

	def unprotect_rtcp(self, packet):
		return self._first("unprotect_rtcp", packet)

	@property
	def repeated(self):
		return sum(context.repeated for context in self.contexts)


class Changing(Leg):
	"""A Leg that is able to change its keys. keep: whether it goes on opening what is under the old ones."""

	def __init__(self, *arguments, keep=True, first_sequence=None, **settings):
		super().__init__(*arguments, **settings)
		self.keep, self.keys, self.tls_id, self.lifetime = keep, [], None, None
		self.old_media = []
		self.method, self.rounds = "INVITE", 0 # of offers within the call
		self.rekeyed = threading.Event()
		self.taken = [] # when each new key was
		self.gateway = None # whose log says when it had that
		if first_sequence is not None:
			self.media.sequence = first_sequence

	def up(self):
		"""Call this once the call is: from now on keys are remembered."""
		self.media.receiving = self.ring = Ring(self.media.receiving)
		self._remember(self.ring.contexts[0])
		return self

	def _remember(self, context):
		self.keys.append((context.suite.name, context.master))

	def _describe(self, attributes, direction="sendrecv"):
		if self.lifetime:
			attributes = [f"{a}|{self.lifetime}" if a.startswith("crypto:") else a for a in attributes]
		if self.keying == "dtls" and self.tls_id:
			attributes = [*attributes, f"tls-id:{self.tls_id}"]
		return super()._describe(attributes, direction)

	def take(self, receiving, sending):
		"""New keys: opened from now on, and used to send."""
		self.ring.add(receiving, self.keep)
		self._remember(receiving)
		self.taken.append(time.time())
		self.media.sending = sending
		self.rekeyed.set()

	# Offer and answer within the call

	def reoffer(self, other, body, ack=True):
		"""Our offer by self.method. Keys and addresses do not concern `other`, which is not asked; returns our 200."""
		self.rekeyed.clear()
		self.dialog.request(self.method, body, [ALLOW])
		response = self.phone.wait_response(self.dialog.cseq, self.method)
		assert response.status == 200, response.first
		self.described = Sdp(response.body)
		if ack and self.method == "INVITE":
			self.dialog.ack(response.cseq[0])
		assert not other.phone.untaken("INVITE") and not other.phone.untaken("UPDATE")
		return response

	def reoffered(self, other, answer, direction="sendrecv"):
		"""`other` offers something new by self.method; we answer with answer(their offer, as it came to us)."""
		self.rekeyed.clear()
		self.rounds += 1
		other.dialog.request(self.method, f"{other.offer(direction)}a=x-round:{self.rounds}\r\n", [ALLOW])
		asked = self.phone.wait(lambda m: m.method in ("INVITE", "UPDATE"), what="an offer")
		self.phone.answer(asked, 200, "OK", answer(Sdp(asked.body)), headers=[ALLOW])
		response = other.phone.wait_response(other.dialog.cseq, self.method)
		assert response.status == 200, response.first
		if self.method == "INVITE":
			other.dialog.ack(response.cseq[0])
		if asked.method == "INVITE":
			self.phone.wait_request("ACK")
		return asked

	# SDES

	def fresh(self):
		self.masters = {name: srtp.fresh_master(name) for name in self.suites}

	def receive_sdes(self, described):
		"""Opens what is under the key that an answer brought; returns what ours would be sent with."""
		(_, suite, key), = described.crypto()
		self.ring.add(srtp.Context.from_inline(suite, key), self.keep)
		self._remember(self.ring.contexts[-1])
		return srtp.Context(suite, self.masters[suite])

	def take_sdes(self, described):
		self.media.sending = self.receive_sdes(described)

	# DTLS

	def associate(self, active, certificate=None, use=True):
		"""A new association on the port that media has. use: its keys are taken as soon as they are there."""
		association = dtls.Endpoint(certificate or self.certificate, active, self.suites)
		media = self.media

		def flush():
			for datagram in association.poll():
				if media.socket.fileno() >= 0:
					media.socket.sendto(datagram, media.remote)
			if association.finishes() and use:
				_, receiving, sending = association.contexts()
				self.take(receiving, sending)

		def drive():
			while not self.rekeyed.wait(0.02) and media.endpoint is association:
				flush()

		media.endpoint, media._flush = association, flush
		if active:
			association.start()
		threading.Thread(target=drive, daemon=True).start()

	def other_port(self):
		"""Media on another port of ours: silent, and without keys. The old one goes on."""
		namespace = getattr(self.topology, self.side)
		fresh = Media(namespace, self.address, tone=self.tone)
		fresh.ssrc, fresh.remote = self.media.ssrc, self.media.remote
		self.old_media.append(self.media)
		self.media = fresh

	def associate_on_it(self, active):
		old, fresh = self.old_media[-1], self.media
		fresh.dtls(dtls.Endpoint(self.certificate, active, self.suites))
		if not fresh.secured.wait(5):
			raise AssertionError("no keys on the new port")
		old.silence()
		fresh.sequence, fresh.sent = old.sequence, old.sent
		self.ring = Ring(fresh.receiving)
		self._remember(fresh.receiving)
		fresh.receiving = self.ring
		fresh.talk()
		self.rekeyed.set()

	def close(self):
		super().close()
		for media in self.old_media:
			media.close()


class Verdict:
	"""SRTP that the gateway sent, read with every key that it may have sent it with."""

	def __init__(self, datagrams, keys):
		contexts = [srtp.Context(*key) for key in keys]
		judges = [libsrtp.Judge(*key) for key in keys]
		self.packets = self.unreadable = self.disputed = 0
		self.by_key = [0] * len(keys)
		self.order = [] # of the keys in use, as they changed
		for d in datagrams:
			self.packets += 1
			opened = [i for i, context in enumerate(contexts) if context.unprotect(d.payload) is not None]
			agreed = [i for i in opened if judges[i].opens(d.payload)]
			self.disputed += agreed != opened
			self.unreadable += len(opened) != 1
			for i in opened:
				self.by_key[i] += 1
				if not self.order or self.order[-1] != i:
					self.order.append(i)
		self.repeated = sum(context.repeated for context in contexts)

	def __repr__(self):
		return (f"{self.packets} packets, {self.unreadable} not under one key, {self.repeated} with an index used before, "
			f"{self.disputed} on which libsrtp2 differs, by key {self.by_key}, in order {self.order}")


def missing(packets):
	"""Of one stream, in order: sequence numbers that did not come."""
	sequences = [Rtp(packet).sequence for packet in packets]
	return sum(max(0, ((b - a) & 0xFFFF) - 1) for a, b in zip(sequences, sequences[1:]) if (b - a) & 0xFFFF < 0x8000)
