# SPDX-License-Identifier: GPL-3.0-or-later
"""veth with AF_XDP against rtpengine, one core each, SDES leg to plain leg: loss-free rate, CPU a packet, latency, overload

One generator, on the other core, makes the same streams for each: 2,000 of 50 packets a second and up. All are asked in turn,
rate by rate, in one run. The ceiling is our relay without crypto, plain RTP to plain RTP: what veth and the generator allow.
A packet that comes later than 50 ms counts as lost. CPU a packet is the gateway's core, busy for whatever reason, and the
softirqs of the generator's core: veth receives on the core that sends. It is judged at each one's own loss-free rate: below
it a part of the time is waiting, which costs what the machine's timers cost (a nap of a worker 17 us on a nested VM).
"""
import contextlib
import os
import secrets
import subprocess
import tempfile
import time
from pathlib import Path

from . import rtpengine
from .host import Trouble, cpu_times, rows, say, since
from .led import Led
from .network import Links, ip

PROGRAMS = ["bench_traffic", "bench_gateway", "sallyport-relay"]
HUGEPAGES = 500

SUITE = "AES_CM_128_HMAC_SHA1_80"
STREAMS = 2000
LOSS = 0.001
LEFT_OUT = {False: 0.001, True: 0.06}  # of what was to be sent; by real-time priority the kernel takes 5 % for others
LADDER = [150000, 200000, 250000, 300000, 400000, 500000, 600000, 700000, 850000, 1000000]
BISECT = 2
LATENCY_RATE, CPU_RATE = 50000, 100000
WELL = 5  # tenths of a second without loss: well again
WANTED = {"rate": 2, "cpu": 4, "p99_us": 100, "recovery_s": 1}


def descendants():
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rsplit(")", 1)[1].split()[1])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return ours - {os.getpid()}


@contextlib.contextmanager
def favoured(wanted):
    """On a machine that does other things: all that we have started so far, and the kernel's softirq threads, go first."""
    kernel = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if path.read_text().startswith("ksoftirqd/")]
    try:
        for pid in [*kernel, *descendants()] if wanted else ():
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setscheduler(int(task.name), os.SCHED_RR, os.sched_param(20 if pid not in kernel else 21))
        yield
    finally:
        for pid in kernel if wanted else ():
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def streams_text(count):
    return "".join(f"{20000 + 2 * i} {20000 + 2 * i} {20000 + 2 * i} {secrets.token_hex(30)}\n" for i in range(count))


class Gateway:
    """One of those that are compared: its links, its process, its traffic."""

    def __init__(self, options, programs, name, suite, streams):
        self.options, self.programs, self.name, self.suite, self.streams = options, programs, name, suite, streams
        self.generator_cpu = min(core for core in os.sched_getaffinity(0) if core != options.cpu or os.cpu_count() == 1)
        self.stack = contextlib.ExitStack()
        self.rates = {}  # of what was tried: result

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sallyport-bench-")))
            self.links = stack.enter_context(Links(self.name))
            file = self.folder / "streams"
            file.write_text(streams_text(self.streams))
            self.start(stack, file)
            mac = self.links.mac(self.links.gateway, "acc")
            self.traffic = stack.enter_context(Led(self.links.inside(
                self.links.traffic, [self.programs.path("bench_traffic"), file, self.suite, self.generator_cpu, "out", "in",
                                     "10.77.1.2", "10.77.2.2", "10.77.1.1", mac])))
            self.traffic.line()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *why):
        self.stack.close()

    def start(self, stack, file):
        self.led = stack.enter_context(Led(self.links.inside(self.links.gateway, [
            self.programs.path("bench_gateway"), self.programs.path("sallyport-relay"), file, self.suite, self.options.cpu,
            "adaptive"])))
        self.led.line(60)

    def run(self, *phases):
        """Pairs of rate and seconds. What came, and the time of both cores meanwhile."""
        before = cpu_times(self.options.cpu), cpu_times(self.generator_cpu)
        process = self.process_seconds()
        said = self.traffic.ask(" ".join(f"{rate} {seconds}" for rate, seconds in phases),
                                limit=30 + sum(seconds for _, seconds in phases))
        ours, theirs = (since(b, cpu_times(cpu)) for b, cpu in zip(before, (self.options.cpu, self.generator_cpu)))
        first = said["phases"][0]
        offered = first["sent"] + first["left_out"]
        result = {"rate": phases[0][0], "sent": first["sent"], "left_out": first["left_out"], "good": first["good"],
                  "late": first["late"], "loss": round(1 - first["good"] / max(first["sent"], 1), 5),
                  "generator_fails": first["left_out"] > offered * LEFT_OUT[self.options.realtime], "p50_us": first["p50_us"], "p99_us": first["p99_us"],
                  "p999_us": first["p999_us"], "dead_streams": said["dead_streams"], "strange": said["strange"],
                  "core": ours, "generator_core": theirs, "phases": said["phases"]}
        result["process_seconds"] = round(self.process_seconds() - process, 3)
        # The core's time is also others' on a machine that does other things: then what the gateway's processes say.
        busy = result["process_seconds"] if self.options.realtime else ours["busy"]
        result["cpu_us_per_packet"] = round((busy + theirs["softirq"]) / max(sum(p["good"] + p["late"] for p in said["phases"]), 1) * 1e6, 3)
        return result

    def process_seconds(self):
        """Of all processes in the gateway's namespace."""
        total = 0
        for pid in ip("netns", "pids", self.links.gateway).split():
            with contextlib.suppress(OSError):
                total += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        return total / os.sysconf("SC_CLK_TCK")

    def try_rate(self, rate, seconds):
        result = self.run((rate, seconds))
        result["loss_free"] = result["loss"] < LOSS and not result["generator_fails"]
        del result["phases"]
        self.rates[rate] = result
        say(f"  {self.name}: {rate:,} packets/s: lost or late {result['loss'] * 100:.3f} %, p50 {result['p50_us']} us, "
            f"p99 {result['p99_us']} us{', the generator fails' if result['generator_fails'] else ''}")
        return result

    def best(self):
        """The highest rate without loss, below any with it."""
        bad = min((rate for rate, result in self.rates.items() if not result["loss_free"]), default=None)
        return max((rate for rate, result in self.rates.items() if result["loss_free"] and (bad is None or rate < bad)), default=0)

    def next_rate(self):
        """Up the ladder until one fails, then between the two, then no more."""
        bad = [rate for rate, result in self.rates.items() if not result["loss_free"]]
        good = self.best()
        if not bad:
            return next((rate for rate in LADDER if rate > good), None)
        between = min(bad) - good
        return None if between <= max(10000, good * 0.06) else int(round(good + between / 2, -3))


class Rtpengine(Gateway):
    def start(self, stack, file):
        log = stack.enter_context(open(self.folder / "log", "w", encoding="utf-8"))
        process = subprocess.Popen(self.links.inside(self.links.gateway, ["taskset", "-c", self.options.cpu, *rtpengine.command(2)]),
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(self.end, process)
        with open(file, encoding="utf-8") as streams:
            done = subprocess.run(self.links.inside(self.links.gateway, ["/usr/bin/python3", rtpengine.__file__]), stdin=streams,
                                  capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Trouble(f"rtpengine: {done.stderr.strip()[-500:]} {(self.folder / 'log').read_text()[-500:]}")
        file.write_text(done.stdout)

    def end(self, process):
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def rtpengine_cost(options, programs):
    """What memif compares with: packets a CPU-second, at a rate that it can do and at saturation; the better counts."""
    why = rtpengine.found()
    if why:
        return {"missing": why}
    rates, seconds, streams = ((1000,), 1, 20) if options.smoke else ((CPU_RATE, 2 * CPU_RATE), 3, STREAMS)
    with Rtpengine(options, programs, "rtpengine", SUITE, streams) as peer:
        with favoured(options.realtime):
            peer.run((rates[0] / 2, 1))
            runs = [peer.run((rate, seconds)) for rate in rates]
    best = min(runs, key=lambda run: run["cpu_us_per_packet"])
    return {"version": rtpengine.version(), "io": "UDP sockets over veth, user space, 2 threads on one core",
            "rate": best["rate"], "loss": best["loss"], "cpu_us_per_packet": best["cpu_us_per_packet"],
            "packets_per_cpu_second": round(1e6 / max(best["cpu_us_per_packet"], 0.001)),
            "at": [{key: run[key] for key in ("rate", "loss", "cpu_us_per_packet")} for run in runs]}


def bad_tenths(phase):
    return [n for n, (sent, good) in enumerate(zip(phase["sent_in"], phase["good_in"])) if sent and good < sent * (1 - LOSS)]


def well_after(bad, tenths):
    """Seconds until the first half of one without loss; None: there is none. What is lost later is the host's, see `bad_before`."""
    return next((n / 10 for n in range(tenths - WELL + 1) if not any(n <= tenth < n + WELL for tenth in bad)), None)


def overload(gateway, high):
    """Ten seconds of more than it can do, then a rate that it can: when is it well again, and who stays silent?

    The same rate before, as a control: how many tenths of a second lose packets when nothing has happened.
    """
    low = min(CPU_RATE, max(gateway.best() // 2, LATENCY_RATE))
    before = gateway.run((low, 5))["phases"][0]
    result = gateway.run((high, 10), (low, 5))
    after = result["phases"][1]
    bad, took = bad_tenths(after), well_after(bad_tenths(after), len(after["sent_in"]))
    say(f"  {gateway.name}: after {high:,} packets/s: {result['dead_streams']} streams dead, bad tenths of a second {bad[:20]}, "
        f"without it {bad_tenths(before)[:20]}")
    return {"high": high, "low": low, "loss_high": result["loss"], "recovered_after_s": took, "recovered": took is not None,
            "bad_tenths": len(bad), "bad_before": len(bad_tenths(before)), "dead_streams": result["dead_streams"]}


def measure(options, programs):
    if os.geteuid() != 0:
        raise Trouble("peer makes namespaces and needs root")
    if len(os.sched_getaffinity(0)) < 2:
        raise Trouble("peer needs two cores: one for the gateway, one for the traffic")
    why = rtpengine.found()
    streams = 20 if options.smoke else STREAMS
    with contextlib.ExitStack() as stack:
        enter = stack.enter_context
        gateways = {"sallyport": enter(Gateway(options, programs, "sallyport", SUITE, streams)),
                    "ceiling": enter(Gateway(options, programs, "ceiling", "plain", streams))}
        if why is None:
            gateways["rtpengine"] = enter(Rtpengine(options, programs, "rtpengine", SUITE, streams))
        with favoured(options.realtime):
            result = smoke(gateways) if options.smoke else full(gateways)
    result.update(streams=streams, suite=SUITE, rtpengine_missing=why, rtpengine_version=None if why else rtpengine.version())
    return result


def smoke(gateways):
    runs = {name: gateway.try_rate(1000, 1) for name, gateway in gateways.items()}
    return {"gateways": {name: {"at": [run]} for name, run in runs.items()}, "failed": any(not run["good"] for run in runs.values())}


def full(gateways):
    for gateway in gateways.values():
        gateway.try_rate(20000, 1)  # warm; a wrong set-up shows here
        if gateway.rates.pop(20000)["good"] == 0:
            raise Trouble(f"{gateway.name}: nothing comes through")
    fixed = {name: {} for name in gateways}
    for rate, seconds in ((LATENCY_RATE, 3), (CPU_RATE, 4)):
        for name, gateway in gateways.items():
            fixed[name][rate] = gateway.try_rate(rate, seconds)
    asked = True
    while asked:
        asked = False
        for gateway in gateways.values():
            rate = gateway.next_rate()
            if rate:
                gateway.try_rate(rate, 2)
                asked = True
    return judged(gateways, fixed)


def judged(gateways, fixed):
    result = {"gateways": {}}
    for name, gateway in gateways.items():
        result["gateways"][name] = {
            "loss_free_rate": gateway.best(), "p50_us": fixed[name][LATENCY_RATE]["p50_us"],
            "p99_us": fixed[name][LATENCY_RATE]["p99_us"], "cpu_us_per_packet": fixed[name][CPU_RATE]["cpu_us_per_packet"],
            "cpu_us_at_best": (gateway.rates.get(gateway.best()) or fixed[name][CPU_RATE])["cpu_us_per_packet"],
            "generator_fails_at": min((r for r, x in gateway.rates.items() if x["generator_fails"]), default=None),
            "at": [gateway.rates[rate] for rate in sorted(gateway.rates)]}
    highest = max(max(gateway.rates) for gateway in gateways.values())
    for name in ("sallyport", "rtpengine"):
        if name in gateways:
            result["gateways"][name]["overload"] = overload(gateways[name], highest)
    ours, ceiling, theirs = (result["gateways"].get(name) for name in ("sallyport", "ceiling", "rtpengine"))
    reached = {"p99": ours["p99_us"] <= ceiling["p99_us"] + WANTED["p99_us"],
               "recovery": ours["overload"]["recovered"] and ours["overload"]["recovered_after_s"] <= WANTED["recovery_s"]}
    if theirs:
        result["rate_times_rtpengine"] = round(ours["loss_free_rate"] / max(theirs["loss_free_rate"], 1), 2)
        for key, of in (("cpu_times_less", "cpu_us_at_best"), ("cpu_times_less_at_one_rate", "cpu_us_per_packet")):
            result[key] = round(theirs[of] / max(ours[of], 0.001), 2)
        reached["rate"] = result["rate_times_rtpengine"] >= WANTED["rate"] or ours["loss_free_rate"] >= ceiling["loss_free_rate"]
        reached["cpu"] = result["cpu_times_less"] >= WANTED["cpu"]
    result["reached"] = reached
    return result


def table(result):
    if result["smoke"]:
        return "\n".join(f"{name}: {each['at'][0]['good']} of {each['at'][0]['sent']}" for name, each in result["gateways"].items())
    body = [[name, f"{g['loss_free_rate']:,}", g["cpu_us_per_packet"], g["cpu_us_at_best"], g["p50_us"], g["p99_us"],
             f"{g['generator_fails_at']:,}" if g["generator_fails_at"] else "-",
             *([g["overload"]["recovered_after_s"] if g["overload"]["recovered"] else "never", g["overload"]["dead_streams"]]
               if "overload" in g else ["-", "-"])] for name, g in result["gateways"].items()]
    text = rows([f"{result['streams']:,} streams, SDES to plain", "loss-free packets/s", f"CPU us at {CPU_RATE:,}", "at the loss-free rate",
                 f"p50 us at {LATENCY_RATE:,}", "p99 us", "generator fails at", "well after s", "streams dead"], body)
    if result["rtpengine_missing"]:
        return text + f"\n\nrtpengine not measured: {result['rtpengine_missing']}"
    return text + (f"\n\nrate {result['rate_times_rtpengine']} times rtpengine's, CPU a packet {result['cpu_times_less']} times less at "
                   f"each one's loss-free rate, {result['cpu_times_less_at_one_rate']} times at {CPU_RATE:,}; "
                   + ", ".join(f"{key} {'reached' if good else 'NOT reached'}" for key, good in result["reached"].items()))
