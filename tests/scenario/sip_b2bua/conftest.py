# SPDX-License-Identifier: GPL-3.0-or-later
"""The sip thread with fake media (tests/support/sip_alone.c) between an access and a core peer, on loopback addresses.

    access peer 127.0.1.1 --- 127.0.1.254 [ sip_alone ] 127.0.2.254 --- core peer 127.0.2.1
"""
import json
import os
import queue
import random
import socket
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "support"))
from peer import Dialog, Peer, sdp  # noqa: E402
from topology import Leg, leaks  # noqa: E402

T1_MS = 50  # a tenth of RFC 3261's, so that 64*T1 is 3.2 s


class Gateway:
    def __init__(self, arguments):
        program = os.environ.get("SALLYPORT_SIP_ALONE")
        if not program:
            pytest.skip("SALLYPORT_SIP_ALONE does not name the program (ctest sets it)")
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1)
        self.log, self.raw, self.answers = [], [], queue.Queue()
        self.marks = 0
        threading.Thread(target=self._read_log, daemon=True).start()
        threading.Thread(target=self._read_answers, daemon=True).start()
        assert self.answer() == "ready", self.raw

    def _read_log(self):
        for line in self.process.stderr:
            self.raw.append(line)
            try:
                self.log.append(json.loads(line))
            except ValueError:
                pass

    def _read_answers(self):
        for line in self.process.stdout:
            self.answers.put(line.strip())
        self.answers.put(None)

    def answer(self, timeout=10):
        return self.answers.get(timeout=timeout)

    def command(self, text):
        self.process.stdin.write(text + "\n")

    def ask(self, text):
        self.command(text)
        return self.answer()

    def counts(self):
        words = self.ask("counts").split()[1:]
        return {name: int(value) for name, _, value in (w.partition("=") for w in words)}

    def advance(self, seconds):
        """Sets the sip thread's clock forward, its timers with it."""
        self.ask(f"advance {seconds}")
        self.counts()  # what was due has been done when this is answered

    def events(self, event, **fields):
        """What has been logged by now."""
        self.marks += 1
        self.command(f"mark {self.marks}")
        self.wait_event("mark", number=self.marks)
        return self._logged(event, fields)

    def _logged(self, event, fields):
        return [e for e in list(self.log) if e.get("event") == event and all(e.get(k) == v for k, v in fields.items())]

    def wait_event(self, event, timeout=10, **fields):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            found = self._logged(event, fields)
            if found:
                return found[-1]
            time.sleep(0.01)
        raise AssertionError(f"no event {event} {fields} in {[e.get('event') for e in self.log]}")

    def wait_idle(self, timeout=15):
        """Nothing is held any more: every call, dialog, leg, transaction, session and seat."""
        deadline = time.monotonic() + timeout
        names = ("calls", "dialogs", "subscriptions", "legs", "requests", "sessions", "seats", "faults")
        while True:
            counts = self.counts()
            if not any(counts[n] for n in names):
                return counts
            if time.monotonic() > deadline:
                raise AssertionError(f"still held: {counts}")
            time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            try:
                self.command("quit")
                self.process.wait(10)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        code = self.process.wait()
        assert code == 0, "".join(self.raw[-60:])


def free_ports(first, second):
    """Two neighbouring ports, free for UDP and TCP on these addresses. Tests that run at once have ports of their own, so
    that a gateway which restarts finds its own again."""
    lowest = 10000 + 5000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").lstrip("gw"))
    while True:
        base = random.randint(lowest, lowest + 4998)
        held = []
        try:
            for address, port in ((first, base), (second, base + 1)):
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    held.append(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind))
                    held[-1].bind((address, port))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()


class Net:
    """Gateway and peers with free ports of their own."""

    def __init__(self, request):
        options = getattr(request, "param", {})
        self.mixes = False  # the test itself carries identifiers from leg to leg
        self.shows = options.get("shows", ())  # what this test's configuration lets pass of the other side
        v6 = {side: options.get(side + "_v6", options.get("v6", False)) for side in ("access", "core")}
        transport = {side: options.get(side + "_transport", options.get("transport", "udp")) for side in ("access", "core")}
        a, pa = ("::1", "::1") if v6["access"] else ("127.0.1.254", "127.0.1.1")
        c, pc = ("::1", "::1") if v6["core"] else ("127.0.2.254", "127.0.2.1")
        base = free_ports(a, c)
        self.access_port, self.core_port = base, base + 1
        self.access_gw, self.core_gw = (a, base), (c, base + 1)
        self.access = Peer(pa, 0, transport["access"], self.access_gw)
        self.core = Peer(pc, 0, transport["core"], self.core_gw)

        def at(address, port):
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

        arguments = ["--realm", "access", "--realm", "core" + (",trusted" if options.get("trusted") else "")]
        if options.get("trusted") == "both":
            arguments[1] += ",trusted"
        for name, address, port in (("access", a, base), ("core", c, base + 1)):
            for kind in ("udp", "tcp"):
                arguments += ["--listen", f"{name},{kind},{at(address, port)}"]
        if not options.get("no_peers"):
            for name, peer, source in (("access", self.access, pa), ("core", self.core, pc)):
                profile = options.get(name + "_profile", "plain")
                suffix = ";transport=tcp" if transport[name] == "tcp" else ""
                arguments += ["--peer", f"{'phone' if name == 'access' else 'pbx'},{name},{profile},{source},"
                              f"sip:{{user}}@{at(peer.address, peer.port)}{suffix}"]
            for name, policy in (("phone", "access_policy"), ("pbx", "core_policy")):
                if options.get(policy):
                    arguments += ["--policy", f"{name},{options[policy]}"]
            arguments += ["--route", "access,*,pbx", "--route", "core,*,phone"]
        arguments += ["--t1", str(options.get("t1", T1_MS)), "--calls", str(options.get("calls", 1000)),
                      "--subscriptions", str(options.get("subscriptions", 1000)),
                      "--timer-c", str(options.get("timer_c", 60)), "--quiet", "yes" if options.get("quiet") else "no"]
        self.gateway = Gateway(arguments)

    def caller(self, side="access", number="100"):
        peer = self.access if side == "access" else self.core
        address, port = peer.gateway
        host = f"[{address}]" if ":" in address else address
        suffix = ";transport=tcp" if peer.transport == "tcp" else ""
        return Dialog(peer, f"sip:{number}@{host}:{port}{suffix}")

    def callee_peer(self, side="access"):
        return self.core if side == "access" else self.access

    def call_up(self, side="access"):
        """A call that is up: the caller's dialog and the callee's."""
        caller = self.caller(side)
        caller.send_invite(sdp(caller.peer.address, 40000))
        invite = self.callee_peer(side).expect("INVITE")
        callee = Dialog(self.callee_peer(side), invite=invite)
        callee.reply(180, "Ringing")
        caller.peer.expect("180")
        callee.reply(200, "OK", sdp(callee.peer.address, 50000))
        ok = caller.peer.expect("200 INVITE")
        callee.peer.expect("ACK")
        caller.ack(ok)
        self.gateway.wait_event("state", **{"tag": "call", "to": "up"})
        return caller, callee

    def leaks(self):
        access, core = (Leg(peer.sent, peer.received) for peer in (self.access, self.core))
        return leaks(access, core, self.shows) + leaks(core, access, self.shows)

    def close(self):
        self.access.close()
        self.core.close()
        self.gateway.stop()


@pytest.fixture
def net(request):
    net = Net(request)
    yield net
    net.close()
    assert net.mixes or not net.leaks(), net.leaks()[:5]  # each scenario is a test of topology as well


def options(**values):
    return pytest.mark.parametrize("net", [values], indirect=True)
