# SPDX-License-Identifier: GPL-3.0-or-later
"""whole calls a second, SDES to RTP, beside Kamailio with rtpengine and a bare Sofia B2BUA; CPU and memory of held calls

The generator (bench_calls) is callers and callees, on one core; the system under test has the other, all its processes. A call is
INVITE, 200, ACK, BYE, 200 with descriptions that are read and changed. A rate counts when no call fails (one that is not over
within 4 s has) and 99 of 100 are answered within T1, 500 ms. All are asked in turn, rate by rate, over UDP and TCP; then each must
do three quarters of it for a longer time, or less, until none fails. `ratio` is our rate by that of Kamailio with rtpengine, the lesser of
the two transports'. With SALLYPORT_FULL=1 both do it for 120 s.
"""
import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

from . import kamailio, rtpengine
from .host import Trouble, cpu_times, rows, say, since
from .led import Led
from .network import Links, ip
from .peer import favoured

PROGRAMS = ["bench_calls", "bench_b2bua", "bench_dtls", "sallyport", "sallyport-relay"]
HUGEPAGES = 0  # what calls need of memory is to be seen

FULL = bool(os.environ.get("SALLYPORT_FULL"))
STEP_S = 3
FIRST_RATE, GROWTH = 800, 1.35
PRECISION = 0.06
SUSTAINED = (30, 120) if FULL else (10, 10)  # seconds: of those that are there to compare, and of those that secure
BACK_OFF, SUSTAIN_STEP = 0.75, 0.87  # of the short runs' rate; of the rate that failed
T1_US = 500000  # what waits longer is repeated: then requests pile up, and a longer run would show it
HELD = (1000, 5000, 10000)
HELD_RATE = 125  # the transactions of a call stay for 32 s: those of 4,000 calls at each point, so that the difference is the calls'
TRANSACTIONS_S = 33
ADDRESSES = 8  # of media, in each realm: a pair of ports rests for a minute
NEAR, FAR, GATEWAY_NEAR, GATEWAY_FAR = "10.77.1.2", "10.77.2.2", "10.77.1.1", "10.77.2.1"
WANTED = {"times_kamailio": 1, "of_bare": 0.5}

CONFIG = """\
log: {{level: info, format: text}}
process: {{state_dir: {folder}}}
limits: {{calls: {calls}}}
sip: {{timer_c: 10}}
dataplane:
  cpus: [{cpu}]
  hugepages: "off"
  interfaces: [{{name: acc, driver: af_xdp}}, {{name: cor, driver: af_xdp}}]
realms:
  - {{name: acc, interface: acc, listeners: ["{transport}:{near}:5060"], profile: secure, media: [{media_acc}]}}
  - {{name: cor, interface: cor, listeners: ["{transport}:{far}:5060"], profile: plain, media: [{media_cor}]}}
profiles:
  - {{name: secure, keying: {{accept: [dtls-srtp, sdes], offer: [sdes], role: active}}, media_timeout: 0}}
  - {{name: plain, keying: {{accept: [none], offer: [none]}}, media_timeout: 0}}
peers:
  - {{name: phones, realm: acc, sources: [10.77.1.0/24]}}
  - {{name: pbx, realm: cor, sources: [10.77.2.0/24], target: "sip:{{user}}@{callee}:5060;transport={transport}"}}
routes: [{{from: acc, to: pbx}}]
"""


@contextlib.contextmanager
def hastened(wanted):
    """On a machine that does other things: real-time priority, in turns so short that the threads and processes of a gateway share
    their core as they would by themselves."""
    turn = Path("/proc/sys/kernel/sched_rr_timeslice_ms")
    before = turn.read_text()
    try:
        if wanted:
            turn.write_text("1")
        with favoured(wanted):
            yield
    finally:
        if wanted:
            turn.write_text(before)


class System:
    """One of those that are compared: its links, its processes, and the generator at its two sides."""

    secures = False  # it makes RTP of SDES, so that both ends can be looked at
    offer = "sdes"

    def __init__(self, options, programs, name, transport, offer=None, calls=None, patience=4):
        self.patience = patience
        self.calls = calls or (500 if options.smoke else 8000)
        self.options, self.programs, self.name, self.transport = options, programs, name, transport
        self.offer = offer or self.offer
        self.generator_cpu = min(core for core in os.sched_getaffinity(0) if core != options.cpu or os.cpu_count() == 1)
        self.rates, self.stack, self.sustained = {}, contextlib.ExitStack(), None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sallyport-bench-")))
            self.folder.chmod(0o777)  # control has no privileges when it first writes here
            self.links = stack.enter_context(Links(f"{self.name}-{self.transport}"))
            self.log = stack.enter_context(open(self.folder / "log", "w", encoding="utf-8"))
            self.start(stack)
            self.generator = stack.enter_context(Led(self.links.inside(self.links.traffic, [
                self.programs.path("bench_calls"), self.generator_cpu, self.transport, NEAR, FAR, GATEWAY_NEAR, GATEWAY_NEAR,
                self.offer, self.patience])))
            self.generator.line()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *why):
        self.stack.close()

    def again(self):
        """From the beginning: what an overload has left must not count against the next rate."""
        self.__exit__()
        self.__enter__()

    def run(self, stack, command, ready):
        """A process of the system on its core, in its namespace, until the stack is closed."""
        process = subprocess.Popen(self.links.inside(self.links.gateway, ["taskset", "-c", self.options.cpu, *command]),
                                   stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        stack.callback(self.end, process)
        end = time.monotonic() + 60
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                raise Trouble(f"{self.name} does not start:\n" + "\n".join((self.folder / "log").read_text().splitlines()[-15:]))
            time.sleep(0.05)

    def end(self, process):
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def bound(self, host, port, udp):
        """Whether somebody has this port in the gateway's namespace."""
        listing = subprocess.run(self.links.inside(self.links.gateway, ["ss", "-Hln" + ("u" if udp else "t"), f"src {host}:{port}"]),
                                 capture_output=True, text=True, check=False)
        return bool(listing.stdout.strip())

    def processes(self):
        return [int(pid) for pid in ip("netns", "pids", self.links.gateway).split()]

    def seconds(self):
        total = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                total += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def load(self, kinds, count, rate, how=""):
        before, busy = self.seconds(), cpu_times(self.options.cpu)
        said = self.generator.ask(f"{kinds} {count} {rate} {how}", limit=60 + 2 * self.patience + count / rate)
        said["cpu_ms_a_call"] = round((self.seconds() - before) / max(said["begun"], 1) * 1000, 4)
        said["core"] = since(busy, cpu_times(self.options.cpu))
        said["good"] = (said["done"] == said["begun"] == count and said["p99_us"] < T1_US
                        and (not self.secures or said["secured"] >= count))
        if self.secures and said["done"] and not (said["secured"] and said["far"]["plain"]):
            raise Trouble(f"{self.name}: calls, but not from SRTP to RTP")
        return said

    def try_rate(self, rate):
        """Twice, if it must be: a moment that the host took away is no failure of a rate."""
        said = self.try_once(rate, STEP_S)
        return said if said["good"] else self.try_once(rate, STEP_S)

    def try_once(self, rate, seconds, how=""):
        said = self.load("a", round(rate * seconds), rate, how)
        say(f"  {self.name} {self.transport}: {rate:,} calls/s for {seconds} s: {said['failed']} failed, {said['left_out']} left out, "
            f"{said['again']} repeated, p50 {said['p50_us']} us, p99 {said['p99_us']} us, {said['cpu_ms_a_call']} ms a call")
        if not said["good"]:
            self.again()
        return said

    def best(self):
        bad = min((rate for rate, said in self.rates.items() if not said["good"]), default=None)
        return max((rate for rate, said in self.rates.items() if said["good"] and (bad is None or rate < bad)), default=0)

    def next_rate(self):
        """Up until one fails, then between the two, then no more."""
        bad, good = [rate for rate, said in self.rates.items() if not said["good"]], self.best()
        if not bad:
            return int(good * GROWTH) if good else FIRST_RATE
        return None if min(bad) - good <= max(50, good * PRECISION) else (min(bad) + good) // 2

    def sustain(self):
        """The highest rate of a ladder that goes down. One failure ends a try at once, so that it costs seconds and not minutes."""
        rate = int(self.best() * BACK_OFF)
        while rate >= 50 and not (self.sustained and self.sustained["good"]):
            self.sustained = self.try_once(rate, SUSTAINED[self.secures], "strict")
            rate = int(rate * SUSTAIN_STEP)


class Sallyport(System):
    secures = True

    def start(self, stack):
        inside = self.links.gateway
        media = {}
        for number, link in enumerate(("acc", "cor"), start=1):
            hosts = [f"10.77.{number}.{100 + n}" for n in range(ADDRESSES)]
            for host in hosts:
                ip("-n", inside, "addr", "add", f"{host}/24", "dev", link)
            media[f"media_{link}"] = ", ".join(f"{{address: {host}, ports: 2000-59999}}" for host in hosts)
        subprocess.run(self.links.inside(inside, ["sysctl", "-qw", "net.ipv4.ip_local_port_range=60000 65000"]), check=True)
        file = self.folder / "sallyport.yaml"
        file.write_text(CONFIG.format(folder=self.folder, cpu=self.options.cpu, transport=self.transport, near=GATEWAY_NEAR, far=GATEWAY_FAR,
                                      callee=FAR, calls=self.calls, **media))
        log = self.folder / "log"
        self.run(stack, [self.programs.path("sallyport"), "-c", file], lambda: "gateway ready" in log.read_text())

    def child(self, kind):
        for pid in self.processes():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if b"--control" in words if kind == "control" else words[0].endswith(b"sallyport-relay"):
                return pid
        raise Trouble(f"no {kind}")

    def memory(self):
        """Octets of each process, its part of what it shares with the others."""
        found = {}
        for kind in ("control", "relay"):
            text = Path(f"/proc/{self.child(kind)}/smaps_rollup").read_text()
            found[kind] = 1024 * int(text.split("\nPss:")[1].split()[0])
        return found


class Bare(System):
    def start(self, stack):
        self.led = stack.enter_context(Led(self.links.inside(self.links.gateway, [
            "taskset", "-c", self.options.cpu, self.programs.path("bench_b2bua"), self.transport, GATEWAY_NEAR, GATEWAY_FAR, FAR])))
        self.led.line()


class Kamailio(System):
    media = False

    def start(self, stack):
        kamailio.configure(self.folder / "kamailio.cfg", self.transport, GATEWAY_NEAR, GATEWAY_FAR, FAR, self.media)
        if self.media:
            self.run(stack, kamailio.rtpengine_command(), lambda: self.bound(*rtpengine.CONTROL, True))
        self.run(stack, kamailio.command(self.folder / "kamailio.cfg", self.folder),
                 lambda: self.bound(GATEWAY_FAR, 5060, self.transport == "udp"))


class KamailioRtpengine(Kamailio):
    secures, media = True, True


def systems():
    """Those that are here, and why the others are not."""
    missing = {}
    if kamailio.found():
        missing["kamailio"] = missing["kamailio+rtpengine"] = kamailio.found()
    elif rtpengine.found():
        missing["kamailio+rtpengine"] = rtpengine.found()
    kinds = {"sallyport": Sallyport, "bare": Bare, "kamailio+rtpengine": KamailioRtpengine, "kamailio": Kamailio}
    return {name: kind for name, kind in kinds.items() if name not in missing}, missing


def throughput(options, programs, transport, kinds):
    with contextlib.ExitStack() as stack:
        under_test = [stack.enter_context(kind(options, programs, name, transport)) for name, kind in kinds.items()]
        if options.smoke:
            for system in under_test:
                system.rates[100] = system.sustained = system.load("a", 100, 100)
            return {system.name: described(system) for system in under_test}
        asked = True
        while asked:
            asked = False
            for system in under_test:
                rate = system.next_rate()
                if rate:
                    with hastened(options.realtime):
                        system.rates[rate] = system.try_rate(rate)
                    asked = True
        for system in under_test:
            with hastened(options.realtime):
                system.sustain()
        return {system.name: described(system) for system in under_test}


def described(system):
    keys = ("rate", "done", "failed", "again", "p50_us", "p99_us", "cpu_ms_a_call", "real_rate")
    return {"short": system.best(), "rate": system.sustained["rate"] if system.sustained and system.sustained["good"] else 0,
            "seconds": SUSTAINED[system.secures], "sustained": system.sustained and {key: system.sustained[key] for key in keys},
            "at": [{key: said[key] for key in (*keys, "left_out")} for _, said in sorted(system.rates.items())]}


def held(options, programs, offer):
    """Calls that stay up, without media: what each costs in memory and in time."""
    levels, rate, rest = ((20,), 50, 0.2) if options.smoke else (HELD, HELD_RATE, 5)
    points = []
    with Sallyport(options, programs, "sallyport", "udp", offer, None if options.smoke else HELD[-1] + 500, 30) as system:
        system.load("a", 50, 50)  # what the first call makes, once
        memory = system.memory()
        for level in levels:
            said = system.load("h", level - (points[-1]["calls"] if points else 0), rate)
            after = system.memory()
            before = system.seconds()
            time.sleep(rest)
            points.append({"calls": said["held"], "failed": said["failed"], "handshakes": said["handshakes"], "set_up_ms": said["cpu_ms_a_call"],
                           "held_us_a_second": round((system.seconds() - before) / rest / max(said["held"], 1) * 1e6, 2),
                           "memory": after})
            say(f"  {offer}, {said['held']:,} held: {after}, {said['cpu_ms_a_call']} ms to set one up")
        gone = system.generator.ask(f"drop {4 * rate}", limit=120 + said["held"] / rate)
    return {"offer": offer, "empty": memory, "points": points, "ended": gone["done"], "failed": gone["failed"] + sum(p["failed"] for p in points)}


def memory_a_call(of):
    """Octets, between the last two points; of control and relay."""
    points = [{"calls": 0, "memory": of["empty"]}, *of["points"]][-2:]
    calls = points[1]["calls"] - points[0]["calls"]
    return {kind: round((points[1]["memory"][kind] - points[0]["memory"][kind]) / max(calls, 1)) for kind in ("control", "relay")}


def measure(options, programs):
    if os.geteuid() != 0:
        raise Trouble("calls makes namespaces and needs root")
    if len(os.sched_getaffinity(0)) < 2:
        raise Trouble("calls needs two cores: one for the gateway, one for the callers and callees")
    kinds, missing = systems()
    of = {"udp": kinds, "tcp": {name: kind for name, kind in kinds.items() if not options.smoke or name in ("sallyport", "bare")}}
    result = {"systems": {transport: throughput(options, programs, transport, these) for transport, these in of.items()}, "missing": missing,
              "versions": {"kamailio": None if "kamailio" in missing else kamailio.version(),
                           "rtpengine": None if "kamailio+rtpengine" in missing else rtpengine.version()}}
    result["held"] = [dict(of, memory_a_call=memory_a_call(of)) for of in (held(options, programs, offer) for offer in ("sdes", "dtls"))]
    result["dtls"] = programs.run("bench_dtls", [options.cpu, 20 if options.smoke else 1000])
    # That calls fail on a busy machine is a finding, not a fault of the bench; that none is through would be.
    result["failed"] = any(not each["sustained"]["done"] for of in result["systems"].values() for each in of.values()) or any(
        not of["ended"] for of in result["held"])
    if not options.smoke:
        judge(result)
    return result


def judge(result):
    of = result["systems"].values()
    against = {name: [round(each["sallyport"]["rate"] / max(each[name]["rate"], 1), 2) for each in of] for name in ("kamailio+rtpengine", "bare")
               if all(name in each for each in of)}
    result["times_kamailio"], result["of_bare"] = against.get("kamailio+rtpengine"), against["bare"]
    result["ratio"] = min(result["times_kamailio"] or [0])
    result["reached"] = {"times_kamailio": result["ratio"] >= WANTED["times_kamailio"], "of_bare": min(against["bare"]) >= WANTED["of_bare"]}


def table(result):
    body = [[f"{name}, {transport.upper()}", f"{each['short']:,}", f"{each['rate']:,}", each["seconds"], each["sustained"]["p50_us"], each["sustained"]["p99_us"],
             each["sustained"]["cpu_ms_a_call"], each["sustained"]["again"]]
            for transport, of in result["systems"].items() for name, each in of.items() if each["sustained"]]
    text = rows(["calls/s without a failure", f"{STEP_S} s", "sustained", "for s", "p50 us", "p99 us", "CPU ms a call", "repeated"], body)
    body = [[of["offer"], f"{point['calls']:,}", f"{point['memory']['control'] >> 20:,}", f"{point['memory']['relay'] >> 20:,}",
             point["set_up_ms"], point["held_us_a_second"]] for of in result["held"] for point in of["points"]]
    text += "\n\n" + rows(["calls that are held", "calls", "control MiB", "relay MiB", "CPU ms to set up", "CPU us a call and second"], body)
    text += "\n\n" + "\n".join(f"{of['offer']}: {of['memory_a_call']['control']:,} octets a call in control, {of['memory_a_call']['relay']:,} in the relay"
                               for of in result["held"])
    text += "\n\n" + rows(["DTLS handshakes a second and core", "active", "passive"],
                          [[version, f"{of['active']:,}", f"{of['passive']:,}"] for version, of in result["dtls"].items()])
    for name, why in result["missing"].items():
        text += f"\n\n{name} not measured: {why}"
    if "ratio" in result:
        text += (f"\n\nUDP, TCP: {result['times_kamailio']} times Kamailio with rtpengine, {result['of_bare']} of the bare B2BUA; "
                 + ", ".join(f"{key} {'reached' if good else 'NOT reached'}" for key, good in result["reached"].items()))
    return text
