# SPDX-License-Identifier: GPL-3.0-or-later
# A reader of server-sent events (the WHATWG's rules, as far as the gateway may use them), each checked against the OpenAPI document.
import contextlib
import http.client
import json
import queue
import socket
import threading
import time

import jsonschema

from .admin import TOKENS


class Event:
	def __init__(self, number, name, data):
		self.id, self.name, self.data = number, name, data

	def __repr__(self):
		return f"{self.id} {self.name} {self.data}"


class Events:
	"""A stream that is read on a thread of its own. After close() nothing more comes."""

	def __init__(self, managed, query="", last_id=None, token="viewer"):
		self.document = managed.get("/v1/openapi.json")
		self.names = self.document["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["x-events"]
		self.seen, self.comments, self.failed = [], 0, None
		self._queue = queue.Queue()
		self._connection = http.client.HTTPConnection("localhost")
		self._connection.sock = self._wire = managed.socket(60)
		headers = {"Authorization": f"Bearer {TOKENS[token]}"}
		if last_id is not None:
			headers["Last-Event-ID"] = last_id
		self._connection.request("GET", "/v1/events" + query, headers=headers)
		self._response = self._connection.getresponse()
		assert self._response.status == 200, (self._response.status, self._response.read())
		assert self._response.headers["Content-Type"] == "text/event-stream"
		assert self._response.readline() == b"retry: 2000\n" and self._response.readline() == b"\n"
		self._thread = threading.Thread(target=self._read, daemon=True)
		self._thread.start()

	def _event(self, lines):
		fields = dict(line.split(": ", 1) for line in lines)
		assert list(fields) == ["id", "event", "data"] and len(lines) == 3, lines
		event = Event(fields["id"], fields["event"], json.loads(fields["data"]))
		resolver = jsonschema.RefResolver.from_schema(self.document)
		jsonschema.Draft202012Validator(self.names[event.name], resolver=resolver).validate(event.data)
		assert abs(time.time() - event.data["at"]) < 600, event
		return event

	def _read(self):
		lines = []
		try:
			while octets := self._response.readline():
				line = octets.decode().removesuffix("\n")
				if line.startswith(":"):
					self.comments += 1
				elif line:
					lines.append(line)
				elif lines:
					self._queue.put(self._event(lines))
					lines = []
		except OSError as error: # it was closed under our hands
			self.failed = error
		except BaseException as error:
			self.failed = error
			self._queue.put(error)
		self._queue.put(None)

	def next(self, timeout=20):
		event = self._queue.get(timeout=timeout)
		if isinstance(event, BaseException):
			raise event
		assert event is not None, f"the stream has ended, after {self.seen}"
		self.seen.append(event)
		return event

	def wait(self, name, timeout=20, **fields):
		"""The next one of that name, others left aside."""
		end = time.monotonic() + timeout
		while True:
			try:
				event = self.next(max(0.01, end - time.monotonic()))
			except queue.Empty:
				raise AssertionError(f"no {name} {fields} in {timeout} s, but {self.seen}") from None
			if event.name == name and all(event.data.get(key) == value for key, value in fields.items()):
				return event

	def ended(self, timeout=20):
		"""All that still came before the gateway closed the stream."""
		rest = []
		while (event := self._queue.get(timeout=timeout)) is not None:
			rest.append(event)
		return rest

	def close(self):
		with contextlib.suppress(OSError): # the gateway may have ended it
			self._wire.shutdown(socket.SHUT_RDWR)
		self._thread.join(20)
		self._response.close()
		self._connection.close()

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.close()
