# SPDX-License-Identifier: GPL-3.0-or-later
"""two processes over net_memif: packets a CPU-second of the relay at saturation, against rtpengine's over UDP sockets

Real frames enter and leave the relay's process, copied into shared memory and out of it. rtpengine's figure is taken in the
same run, through the kernel's UDP sockets on veth, the only way that it has in user space.
"""
import os
import tempfile

from .host import median, rows, say, spread
from .led import Led
from .pipeline import CM, GCM

PROGRAMS = ["bench_memif", "bench_traffic"]
HUGEPAGES = 900
WANTED = 20  # times rtpengine's packets a CPU-second


def case(options, programs, suite, size):
    sessions, passes, rounds = size
    with tempfile.TemporaryDirectory(prefix="sallyport-bench-") as folder:
        words = [os.path.join(folder, "memif"), suite, sessions, passes]
        with Led([programs.path("bench_memif"), "traffic", *words, host_core(options)], limit=60) as traffic:
            traffic.line()
            with Led([programs.path("bench_memif"), "relay", *words, options.cpu], limit=60) as relay:
                relay.line()
                traffic.ask("meet")
                runs = [one_round(traffic, relay) for _ in range(rounds + 1)][1:]
    result = {"suite": suite, "rounds": runs, "sent": sum(r["sent"] for r in runs), "lost": sum(r["lost"] for r in runs),
              "dropped": sum(r["dropped"] for r in runs),
              "packets_per_second": median([r["packets_per_second"] for r in runs]),
              "packets_per_cpu_second": median([r["packets_per_cpu_second"] for r in runs]),
              "spread_percent": spread([r["packets_per_second"] for r in runs]), "wrong": sum(r["wrong"] for r in runs)}
    result["cpu_ns_per_packet"] = round(1e9 / result["packets_per_cpu_second"], 1)
    return result


def host_core(options):
    return min(core for core in os.sched_getaffinity(0) if core != options.cpu or os.cpu_count() == 1)


def one_round(traffic, relay):
    before = relay.ask("make")
    run = traffic.ask("run")
    after = relay.ask("stats")
    relay.ask("forget")
    busy = run["seconds"]  # the worker polls: its core is its own all the while
    return {"sent": run["sent"], "received": run["received"], "lost": run["sent"] - run["received"], "wrong": run["wrong"],
            "looked": run["looked"], "seconds": run["seconds"], "dropped": after["dropped"] - before["dropped"],
            "packets_per_second": round(run["received"] / run["seconds"]),
            "packets_per_cpu_second": round(run["received"] / busy)}


def measure(options, programs):
    from . import peer  # its rtpengine
    size = (100, 20, 1) if options.smoke else (5000, 100, 5)
    result = {"io": "net_memif, copies, 1 queue, the worker polls", "cases": []}
    for suite in (CM, GCM):
        say(f"{suite} over memif")
        result["cases"].append(case(options, programs, suite, size))
    # What is lost at saturation was dropped by name, where the other side did not take it in time.
    result["failed"] = any(c["wrong"] or c["lost"] != c["dropped"] for c in result["cases"])
    result["rtpengine"] = peer.rtpengine_cost(options, programs)
    rate = result["rtpengine"].get("packets_per_cpu_second")
    if rate:
        for c in result["cases"]:
            c["times_rtpengine"] = round(c["packets_per_cpu_second"] / rate, 1)
        result.update(wanted=WANTED, reached=result["cases"][0]["times_rtpengine"] >= WANTED)
    result["disturbed"] = [f"{c['suite']}: rounds spread {c['spread_percent']} %" for c in result["cases"] if c["spread_percent"] > 25]
    return result


def table(result):
    body = [[c["suite"], f"{c['packets_per_second']:,}", f"{c['packets_per_cpu_second']:,}", c["cpu_ns_per_packet"],
             f"{c['lost']} of {c['sent']:,}", f"{c['spread_percent']} %", c.get("times_rtpengine", "-")] for c in result["cases"]]
    text = rows(["SRTP to RTP by " + result["io"], "packets/s", "a CPU-second", "ns a packet", "lost", "spread", "x rtpengine"], body)
    theirs = result["rtpengine"]
    if "packets_per_cpu_second" in theirs:
        text += (f"\n\nrtpengine {theirs['version']}, {theirs['io']}: {theirs['packets_per_cpu_second']:,} packets a CPU-second "
                 f"({theirs['cpu_us_per_packet']} us a packet, {theirs['rate']:,} packets/s offered: the better of "
                 f"{' and '.join(format(run['rate'], ',') for run in theirs['at'])})")
    else:
        text += f"\n\nrtpengine not measured: {theirs['missing']}"
    return text
