# SPDX-License-Identifier: GPL-3.0-or-later
# The management door's page as a person has it before him: in Chromium, led by Playwright, with live calls. What he sees, what he
# may do, and that the browser was never asked for anything else.
import os
import pathlib
import re

import pytest

from lib import srtp
from lib.admin import TOKENS, Managed
from lib.leg import Leg
from lib.netns import Topology
from lib.phone import Dialog, Phone
from peers.browser import Browser

URL = "http://127.0.0.1:8780/"
NAMES = ("alice", "bernard", "carla", "dmitri")


class Desk(Leg):
	"""A callee, one of several at the trunk's one address."""

	def __init__(self, topology, trunk):
		self.PHONE = lambda *_, **__: trunk
		super().__init__(topology, "core")

	def close(self):
		self.media.close()


class Calls:
	"""Four: two that are well by DTLS-SRTP and one plain, and one with SDES whose keys are wrong."""

	def __init__(self, topology):
		self.topology, self.trunk, self.pairs = topology, Phone(topology.core, topology.phone("core"), "core"), []
		for name, keying in zip(NAMES, ("dtls", "dtls", "none", "sdes")):
			caller, callee = self.up(name, keying)
			if keying == "sdes":
				suite = caller.media.suite
				caller.media.sdes(caller.media.receiving, srtp.Context(suite, srtp.fresh_master(suite)))
			caller.talk()
			callee.talk()

	def up(self, name, keying, prepare=lambda leg: leg.dial()):
		caller = Leg(self.topology, "access", keying=keying, host=10 + len(self.pairs))
		callee = Desk(self.topology, self.trunk)
		self.pairs.append((caller, callee))
		caller.phone.name = name
		prepare(caller)
		callee.pick_up()
		caller.dialled_answer()
		caller.secured()
		return caller, callee

	def close(self):
		for pair in self.pairs:
			for leg in pair:
				leg.close()
		self.trunk.close()


@pytest.fixture(scope="module")
def topology():
	with Topology() as made:
		yield made


@pytest.fixture(scope="module")
def managed(topology):
	with Managed(topology, access="mixed", calls=100) as gateway:
		yield gateway


@pytest.fixture(scope="module")
def calls(topology, managed):
	made = Calls(topology)
	yield made
	made.close()


@pytest.fixture(scope="module")
def chromium(topology, managed):
	with Browser(topology.gw) as made:
		yield made


@pytest.fixture
def browser(chromium):
	"""At the page, nobody signed in. At the end, whatever the test did: nothing was violated, nobody else was asked."""
	chromium.dark(False)
	chromium.connected(True)
	chromium.open(URL)
	chromium.run("sessionStorage.clear()")
	chromium.forget()
	chromium.open(URL)
	yield chromium
	assert quiet(chromium) == []
	assert {url for url in chromium.requests() if not url.startswith((URL, "data:"))} == set()
	assert not [url for url in chromium.requests() if any(token in url for token in TOKENS.values())]


def quiet(browser):
	"""Refusals that a test provokes are said by the network, and by nobody else."""
	return [said for said in browser.complaints() if not said.startswith("Failed to load resource: ")]


def enter(browser, role="viewer", wait="Call 1"):
	browser.fill("Token", TOKENS.get(role, role))
	browser.key("Enter")
	browser.wait_text(wait)


def number_of(managed, name):
	rows = managed.get("/v1/calls")["calls"]
	return next(row["id"] for row in rows if name in row["caller"]["uri"])


def look_at(browser, managed, name):
	number = number_of(managed, name)
	browser.press("link", f"Call {number}")
	browser.wait("heading", f"Call {number}")
	browser.wait("heading", "Dialogs")
	return number


def test_the_document(managed):
	reply = managed.ask("/", token=None)
	assert reply.status == 200 and reply.headers["Content-Type"] == "text/html; charset=utf-8"
	policy = dict(part.strip().split(" ", 1) for part in reply.headers["Content-Security-Policy"].split(";"))
	assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'" and policy["frame-ancestors"] == "'none'"
	assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy["script-src"]) and re.fullmatch(r"'sha256-[\w+/]{43}='", policy["style-src"])
	text = reply.body.decode()
	assert "@CSS@" not in text and "@JS@" not in text
	assert set(re.findall(r"https?://[\w./-]+", text)) <= {"http://www.w3.org/2000/svg"} # a name, not a place


def test_live_calls(browser, managed, calls):
	enter(browser)
	for name in NAMES:
		browser.wait_text(f"sip:{name}@")
	browser.wait_text("DTLS-SRTP 2, SDES 1, plain 1") # the keying mix
	browser.wait_text(re.compile(r"\d/s"), "main") # packets a second
	browser.wait_text("auth") # drops of the wrong keys, by reason
	assert "a-viewer, viewer" in browser.text("header") and "running" in browser.text("header")
	browser.fill("URI or Call-ID", "carla")
	browser.wait_no_text("sip:alice@")
	browser.wait_text("sip:carla@")
	browser.choose("combobox", "Realm", "core")
	browser.wait_text("sip:carla@")
	assert browser.run("sessionStorage.length") == 1 and browser.run("localStorage.length") == 0 and browser.run("document.cookie") == ""
	browser.open(URL) # the tab knows the token
	browser.wait_text("Call 1")
	browser.press("button", "Sign out")
	browser.wait("label", "Token")
	assert browser.run("sessionStorage.length") == 0 and "alice" not in browser.text()


def test_a_call_and_why_it_is_silent(browser, managed, calls):
	enter(browser)
	look_at(browser, managed, "dmitri")
	browser.wait_text("wrong keys")
	text = browser.text("main")
	for piece in ("their SRTP tags do not verify", "core \u2192 access", "Media flows from core to access", "sip:dmitri@", calls.pairs[3][0].dialog.call_id,
		      calls.pairs[3][1].dialog.call_id, "phones", "pbx", "sdes", "MOS"):
		assert piece in text, (piece, text)
	browser.press("text", "SDP received")
	browser.wait_text("inline:(removed)")
	browser.wait_text("jitter") # it is drawn anew, and what was unfolded stays
	assert browser.run("document.querySelector('details').open")
	browser.press("link", "\u2190 All calls")
	browser.wait_text("sip:alice@")
	look_at(browser, managed, "alice")
	browser.wait_text("Media flows from access to core")
	text = browser.text("main")
	assert "secured" in text and "as signalled" in text and calls.pairs[0][0].fingerprint.split()[1].upper() in text.upper()


def test_wrong_token(browser):
	for token in ("nobody-0123456789abcdef", "n\u00f6"):
		enter(browser, token, wait="This token is nobody's.")
		assert browser.run("sessionStorage.length") == 0


def test_who_may_hang_up(browser, managed, calls):
	caller, callee = calls.up("elif", "none")
	enter(browser)
	number = look_at(browser, managed, "elif")
	assert not browser.has("button", "Hang up\u2026")
	browser.press("button", "Sign out")
	enter(browser, "operator", wait=f"Call {number}") # whose page is still open
	browser.press("button", "Hang up\u2026")
	browser.wait("dialog", f"Hang up call {number}?")
	browser.press("button", "Keep the call")
	browser.wait_no("dialog", f"Hang up call {number}?")
	assert managed.get(f"/v1/calls/{number}")["state"] == "up"
	browser.focus("button", "Hang up\u2026") # by keyboard alone
	browser.key("Enter")
	browser.wait("dialog", f"Hang up call {number}?")
	assert browser.run("document.querySelector('dialog').contains(document.activeElement)")
	for _ in range(4): # as many as it can need: there are two buttons
		if browser.run("document.activeElement.textContent") == "Hang up":
			break
		browser.key("Tab")
	browser.key("Enter")
	caller.taken_down()
	callee.taken_down()
	browser.wait_text("This call is not up.")
	assert [(line["token"], line["path"]) for line in managed.events("admin change", status=202)] == [("a-operator", f"/v1/calls/{number}")]


def test_events_as_they_happen(browser, managed, calls):
	"""By the stream, not by asking again: a call of which the list never knew."""
	enter(browser)
	browser.wait_response("/v1/events")
	caller, callee = calls.up("farid", "none")
	callee.hang_up()
	caller.taken_down()
	for word in ("call started", "call answered", "call ended", "sip:farid@"):
		browser.wait_text(word, "ul.events")
	assert browser.run("[...document.querySelectorAll('ul.events a')].length") >= 3


def test_what_strangers_choose_is_text(browser, managed, calls):
	"""A name, a Call-ID and a description full of markup: shown as written, and never run."""
	image, script = "<img src=x onerror=document.title='owned'>", "<script>document.title('owned')</script>"

	def dial(leg):
		uri, local = leg.gateway_uri, f'"{image}" <sip:<b>mallory</b>@{leg.address}>;tag=1'.replace("<b>", "%3Cb%3E").replace("</b>", "%3C%2Fb%3E")
		leg.dialog = Dialog(leg.phone, script, local, f"<{uri}>", uri)
		leg.phone.send_request("INVITE", uri, script, local, f"<{uri}>", 1, leg.offer().replace("s=-", f"s={image}"), [f'Subject: {image}'])
	caller, callee = calls.up("mallory", "none", dial)
	enter(browser, wait="mallory")
	browser.wait("title", script)
	look_at(browser, managed, "mallory")
	browser.wait_text(script)
	browser.press("text", "SDP received")
	browser.wait_text(f"s={image}", "details")
	assert browser.run("document.querySelectorAll('main img, main script, main b:empty, header img').length") == 0
	assert browser.run("document.title").startswith("Call ") and "mallory" in browser.text("main")
	callee.hang_up()
	caller.taken_down()


def test_the_policy_holds(browser, chromium):
	"""The control: markup, a foreign script, a foreign host: each is refused and complained of, and so is an error of the page's own."""
	for attempt in ("document.body.innerHTML = '<img src=x onerror=alert(1)>'", "document.write('x')",
			"document.createElement('script').textContent = 'alert(1)'", "setTimeout('alert(1)')"):
		assert browser.run(f"(() => {{ try {{ {attempt}; return 'done' }} catch (e) {{ return e.name }} }})()") == "TypeError", attempt
	assert browser.run("fetch('http://127.0.0.1:8781/').catch((e) => e.name)") == "TypeError"
	assert browser.run("""new Promise((done) => { const made = document.createElement("style"); made.textContent = "body { color: red }";
		document.addEventListener("securitypolicyviolation", (e) => done(e.effectiveDirective), {once: true}); document.head.append(made); })""") == "style-src-elem"
	browser.run("void setTimeout(() => { throw new Error('nobody catches this') })")
	for complaint in ("TrustedHTML", "TrustedScript", "connect-src", "style-src", "nobody catches this"):
		browser.wait_complaint(complaint)
	browser.forget()


def luminance(colour):
	parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
	r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
	return 0.2126 * r + 0.7152 * g + 0.0722 * b


# Of every element that has text of its own: its colour, and that of the first ground behind it.
COLOURS = """[...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType == 3 && n.nodeValue.trim()))
	.map((e) => { let back = e; while (back && getComputedStyle(back).backgroundColor == "rgba(0, 0, 0, 0)") back = back.parentElement;
		return [e.textContent.trim().slice(0, 30), getComputedStyle(e).color, getComputedStyle(back || document.body).backgroundColor]; })"""


def picture(browser, name):
	"""For a person to look at, too: SALLYPORT_PICTURES names the folder."""
	if folder := os.environ.get("SALLYPORT_PICTURES"):
		browser.picture(pathlib.Path(folder, name))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_legible_by_day_and_night_and_on_a_phone(browser, managed, calls, dark):
	def looks():
		"""Both pages, one after the other."""
		enter(browser)
		browser.wait_text("sip:alice@")
		browser.wait_text("auth")
		yield "page"
		look_at(browser, managed, "dmitri")
		yield "page-call"

	browser.dark(dark)
	for look in looks():
		colours = browser.run(COLOURS)
		assert len(colours) > 40
		for text, ink, ground in colours: # WCAG 2.2, 1.4.3
			light, low = sorted((luminance(ink), luminance(ground)), reverse=True)
			assert (light + 0.05) / (low + 0.05) >= 4.5, (text, ink, ground)
		assert (luminance(browser.run("getComputedStyle(document.body).backgroundColor")) < 0.1) == dark
		controls = re.findall(r"- (?:textbox|searchbox|combobox|button|link)\b(.*)", browser.tree())
		assert len(controls) > 2 and all(re.match(r' "\S', name) for name in controls), controls
		picture(browser, f"{look}{'-dark' * dark}.png")
	with browser.window(width=390, height=800, dark=dark, mobile=True):
		browser.open(URL)
		for look in looks():
			for width in (320, 390):
				browser.width(width)
				assert browser.run("document.documentElement.scrollWidth") <= width
			picture(browser, f"{look}-phone{'-dark' * dark}.png")


def test_a_drain_and_a_gateway_that_is_away(browser, managed, calls):
	"""The page asks every two seconds: here its clock is told that they are over. The restart below waits for them."""
	with browser.window(clock=True):
		browser.open(URL)
		enter(browser)
		for path, word in (("/v1/drain", "draining"), ("/v1/resume", "running")):
			assert managed.ask(path, method="POST", token="operator").status == 202
			browser.later(2)
			browser.wait_text(word, "header")
		browser.connected(False)
		browser.later(2)
		browser.wait_text("The gateway has not answered since")
		assert "no answer" in browser.text("header") and "sip:alice@" in browser.text() # what was known stays, and is said to be older
		browser.connected(True)
		browser.later(2)
		browser.wait_no_text("has not answered")


def test_restart_of_control_is_seen(browser, managed, calls):
	enter(browser)
	before = managed.get("/v1/status")["restarts"]["control"]
	since = managed.mark()
	managed.kill_child("control")
	managed.wait_event("child back", 20, since, child="control")
	browser.wait_text("The control process has begun anew")
	browser.wait_text(f"control {before + 1}")
	browser.wait_text("sip:alice@") # calls stay
	browser.press("button", "Seen")
	browser.wait_no_text("has begun anew")
	look_at(browser, managed, "bernard")
	browser.wait_text("restored after a restart")
	browser.wait_text("Media flows from access to core")
