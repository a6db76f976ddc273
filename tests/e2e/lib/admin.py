# SPDX-License-Identifier: GPL-3.0-or-later
# The management door: its configuration, and a client of it from within the gateway's namespace.
import hashlib
import http.client
import json
import os
import socket
import subprocess
import time

from .gateway import Gateway, binaries, configuration

ADDRESS = ("127.0.0.1", 8780)
TOKENS = {"viewer": "viewer-0123456789abcdef", "operator": "operator-0123456789abcdef", "wiretap": "wiretap-0123456789abcdef"}


def section(listen="127.0.0.1:8780", connections=256):
	lines = ["admin:", f'  listen: "{listen}"', f"  connections: {connections}", "  tokens:"]
	for role, token in TOKENS.items():
		lines.append(f'    - {{name: a-{role}, role: {role}, sha256: "{hashlib.sha256(token.encode()).hexdigest()}"}}')
	return "\n".join(lines) + "\n"


class Reply:
	def __init__(self, response):
		self.status, self.headers = response.status, response.headers
		self.body = b"" if response.headers["Content-Type"] == "text/event-stream" else response.read() # which has no end

	def json(self):
		return json.loads(self.body)

	def __repr__(self):
		return f"{self.status} {dict(self.headers)} {self.body[:400]!r}"


class Managed(Gateway):
	"""A gateway with the door open."""

	def __init__(self, topology, connections=256, listen="127.0.0.1:8780", changes=(), **settings):
		"""changes: (before, after) of the configuration's text."""
		self.listen = listen
		text = configuration(**settings) + section(listen, connections)
		for before, after in changes:
			assert before in text, before
			text = text.replace(before, after)
		super().__init__(topology, text=text)

	def socket(self, timeout=10):
		"""A connection to the door."""
		if self.listen.startswith("unix:"):
			made = socket.socket(socket.AF_UNIX)
			made.settimeout(timeout)
			made.connect(self.listen[5:].replace("@STATE@", str(self.directory)))
			return made
		return self.topology.gw.tcp_connect(*ADDRESS, timeout=timeout)

	def ask(self, path, method="GET", token="viewer", body=None, headers=(), timeout=10):
		"""token: a role, or None, or what to say."""
		connection = http.client.HTTPConnection("localhost", timeout=timeout)
		connection.sock = self.socket(timeout)
		try:
			lines = dict(headers)
			if token is not None:
				lines["Authorization"] = f"Bearer {TOKENS.get(token, token)}"
			if body is not None:
				lines.setdefault("Content-Type", "application/json")
			connection.request(method, path, body, lines)
			return Reply(connection.getresponse())
		finally:
			connection.close()

	def get(self, path, **more):
		reply = self.ask(path, **more)
		assert reply.status == 200, reply
		return reply.json()

	def ctl(self, *arguments, token="viewer"):
		"""What sallyportctl prints."""
		environment = dict(os.environ, SALLYPORT_TOKEN=TOKENS[token])
		done = subprocess.run(self.topology.gw.command(str(binaries() / "sallyportctl"), *arguments), env=environment,
				      capture_output=True, timeout=30)
		assert done.returncode == 0, done
		return done.stdout.decode()

	def metrics(self, accept="text/plain"):
		reply = self.ask("/metrics", headers={"Accept": accept})
		assert reply.status == 200, reply
		return reply.body.decode()

	def wait(self, path, wanted, timeout=15, **more):
		"""What GET says once wanted(it) is true."""
		end = time.monotonic() + timeout
		while True:
			seen = self.get(path, **more)
			if wanted(seen):
				return seen
			assert time.monotonic() < end, seen
			time.sleep(0.05)


def samples(text):
	"""{'name{labels}': value} of a text exposition."""
	found = {}
	for line in text.splitlines():
		if line and not line.startswith("#"):
			name, _, value = line.rpartition(" ")
			assert name not in found, f"twice: {name}"
			found[name] = float(value)
	return found
