# SPDX-License-Identifier: GPL-3.0-or-later
"""packets a second of 1, 2, ... workers on the cores that there are, each with a queue of net_null and its real loop

The copy that stands for the device's DMA is a part of what is timed. AF_XDP with several queues cannot be shown on veth, whose
queues are one core's work; the relay's tests show that it works, not what it gains.
"""
import os

from .host import median, rows, say, spread
from .pipeline import CM, GCM

PROGRAMS = ["bench_scaling"]
HUGEPAGES = 900


def measure(options, programs):
    sessions, passes, repeats = (100, 5, 1) if options.smoke else (5000, 60, 5)
    cases = []
    for suite in (CM, GCM):
        for workers in range(1, min(os.cpu_count(), 16) + 1):
            say(f"{suite}, {workers} worker{'s' if workers > 1 else ''}")
            run = programs.run("bench_scaling", [suite, workers, sessions, passes, repeats], limit=60)
            cases.append({"suite": suite, "workers": workers, "mpps": round(median(run["mpps"]), 3), "runs": run["mpps"],
                          "spread_percent": spread(run["mpps"])})
    for case in cases:
        one = next(other for other in cases if other["suite"] == case["suite"] and other["workers"] == 1)
        case["against_one"] = round(case["mpps"] / one["mpps"], 2)
    return {"device": "net_null, the injector's copy timed", "sessions_a_worker": sessions, "cases": cases,
            "disturbed": [f"{c['suite']}, {c['workers']} workers: runs spread {c['spread_percent']} %" for c in cases
                          if c["spread_percent"] > 25]}


def table(result):
    body = [[c["suite"], c["workers"], c["mpps"], f"{c['spread_percent']} %", c["against_one"]] for c in result["cases"]]
    return rows(["suite, SRTP to RTP", "workers", "Mpps", "spread", "against one"], body)
