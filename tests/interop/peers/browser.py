# SPDX-License-Identifier: GPL-3.0-or-later
# A person at Chromium: opens, reads, types and presses as one does, by the accessible names of things. All that the browser asks of
# the network, and all it complains of, is kept.
import base64
import json
import time

from .chromium import Chromium

# Elements by role and name, as a screen reader has them; of a dialog that is open, its own alone.
FIND = """
const seen = (element) => element.checkVisibility && element.checkVisibility();
const nameOf = (element) => element.getAttribute("aria-label") || (element.labels && element.labels[0] && element.labels[0].firstChild.textContent) || element.textContent;
function find(selector, name) {
	const root = document.querySelector("dialog[open]") || document;
	return [...root.querySelectorAll(selector)].find((element) => seen(element) && nameOf(element).trim().startsWith(name));
}
"""


class Browser(Chromium):
	def __init__(self, ns):
		super().__init__(ns)
		for domain in ("Page", "Runtime", "Network", "Log"):
			self.command(f"{domain}.enable")

	def command(self, method, **params):
		return self.call(method, session=self.session, **params)

	def open(self, url):
		self.command("Page.navigate", url=url)
		self.wait("document.readyState == 'complete'", "page")
		self.run(FIND.replace("const ", "var ") + "true")

	def wait(self, expression, what=None, timeout=30):
		end = time.monotonic() + timeout
		while not (value := self.run(expression)):
			assert time.monotonic() < end, f"no {what or expression}:\n{self.text()}"
			time.sleep(0.05)
		return value

	def text(self, selector="body"):
		return self.run(f"(document.querySelector({json.dumps(selector)}) || {{innerText: ''}}).innerText")

	def wait_text(self, text, selector="body", timeout=30):
		return self.wait(f"((document.querySelector({json.dumps(selector)}) || {{innerText: ''}}).innerText).includes({json.dumps(text)})", text, timeout)

	def has(self, selector, name=""):
		return self.run(f"!!find({json.dumps(selector)}, {json.dumps(name)})")

	def press(self, selector, name):
		"""With the mouse, where it is."""
		self.wait(f"!!find({json.dumps(selector)}, {json.dumps(name)})", f"{selector} {name}")
		x, y = self.run(f"""(() => {{ const it = find({json.dumps(selector)}, {json.dumps(name)}); it.scrollIntoView({{block: "center"}});
			const box = it.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()""")
		for kind in ("mousePressed", "mouseReleased"):
			self.command("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

	def key(self, name):
		code = {"Tab": 9, "Enter": 13, "Escape": 27}[name]
		more = {"text": "\r"} if name == "Enter" else {}
		self.command("Input.dispatchKeyEvent", type="keyDown", key=name, code=name, windowsVirtualKeyCode=code, **more)
		self.command("Input.dispatchKeyEvent", type="keyUp", key=name, code=name, windowsVirtualKeyCode=code)

	def type(self, text):
		self.command("Input.insertText", text=text)

	def focused(self):
		return self.run("document.activeElement && (document.activeElement.id || nameOf(document.activeElement).trim())")

	def media(self, width=1280, height=900, dark=False, mobile=False):
		self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
		self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

	def connected(self, connected):
		self.command("Network.emulateNetworkConditions", offline=not connected, latency=0, downloadThroughput=-1, uploadThroughput=-1)

	def picture(self, path, whole=True):
		shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
		path.write_bytes(base64.b64decode(shot["data"]))

	def requests(self):
		return [params["request"]["url"] for method, params in list(self.events) if method == "Network.requestWillBeSent"]

	def wait_request(self, path, timeout=30):
		"""Until a request for that is answered: its head is here, though its body may never end."""
		end = time.monotonic() + timeout
		while not any(method == "Network.responseReceived" and path in params["response"]["url"] for method, params in list(self.events)):
			assert time.monotonic() < end, f"nothing came of {path}"
			time.sleep(0.05)

	def complaints(self):
		"""Exceptions, errors of the console, violations of the policy."""
		return [params for method, params in list(self.events) if method == "Runtime.exceptionThrown" or
			method == "Log.entryAdded" and params["entry"]["level"] == "error" or
			method == "Runtime.consoleAPICalled" and params["type"] in ("error", "assert")]
