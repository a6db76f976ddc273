# SPDX-License-Identifier: GPL-3.0-or-later
"""cost of a packet and memory of a direction with 10, 1,000, 10,000 and 100,000 sessions, on four media addresses

SRTP to RTP through the relay's burst on net_null, as in pipeline. Memory is counted from the records in use: half a transport,
which serves two directions, its key, and the streams.
"""
from .host import median, rows, say, spread
from .pair import Runs, words
from .pipeline import CM, GCM

PROGRAMS = ["bench_pipeline"]
HUGEPAGES = 1100

ADDRESSES = 4
SESSIONS = {10: 4000, 1000: 60, 10000: 6, 100000: 4}  # and how often each is visited
SMOKE = {10: 40, 200: 4}
RATIO = 1.6                                           # wanted at most: 100,000 against 1,000, AES-CM
MEMORY = {CM: 1536, GCM: 2560}                        # octets a direction, wanted at most


def row(suite, sessions, runs):
    ns = runs.values()
    memory = runs.done[0]["memory"]
    return {"suite": suite, "sessions": sessions, "ns": median(ns), "runs": ns, "spread_percent": spread(ns),
            "memory": memory, "memory_wanted": MEMORY[suite], "memory_reached": memory["direction"] <= MEMORY[suite]}


def measure(options, programs):
    sizes, times = (SMOKE, 1) if options.smoke else (SESSIONS, 3)
    runs = {(suite, n): Runs(programs, "bench_pipeline",
                             words(options, suite, "plain", sessions=n, passes=passes, repeats=1 if options.smoke else 3,
                                   addresses=ADDRESSES))
            for suite in (CM, GCM) for n, passes in sizes.items()}
    for turn in range(times):
        say(f"round {turn + 1} of {times}")
        for one in runs.values():
            one.take()
    result = {"addresses": ADDRESSES, "cases": [row(suite, n, one) for (suite, n), one in runs.items()],
              "disturbed": [text for (suite, n), one in runs.items() for text in one.disturbances(f"{suite}, {n} sessions")]}
    if not options.smoke:
        ratio = median(runs[CM, 100000].values()) / median(runs[CM, 1000].values())
        result.update(ratio=round(ratio, 2), wanted=RATIO, reached=ratio <= RATIO)
    return result


def table(result):
    body = [[case["suite"], case["sessions"], case["ns"], f"{case['spread_percent']} %", case["memory"]["direction"],
             f"<= {case['memory_wanted']}"] for case in result["cases"]]
    text = rows(["suite", "sessions", "ns a packet", "spread", "octets a direction", "wanted"], body)
    if "ratio" in result:
        text += (f"\n\n100,000 sessions against 1,000, AES-CM: {result['ratio']} times the time, wanted at most {result['wanted']}"
                 f"{'' if result['reached'] else ': NOT reached'}")
    return text
