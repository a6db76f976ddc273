# SPDX-License-Identifier: GPL-3.0-or-later
"""the relay's burst on net_null against the limit program, 10,000 sessions, one core, in one run

Pairs of runs, one program after the other, each the median of its repeats; a case's figure is the median of its pairs' runs.
Both get the same frames from the same untimed injector, in the same memory. The ratio is the limit's time by ours.
"""
from .host import median, rows, say, spread
from .pair import Runs, words

PROGRAMS = ["limit", "bench_pipeline"]
HUGEPAGES = 400

CM, CM256 = "AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80"
GCM, GCM256 = "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"
WANTED = 0.80  # of the limit program's rate
SECURED = [(suite, out) for suite in (CM, GCM, GCM256, CM256) for out in ("plain", "same")]
PLAIN = [("plain", out) for out in ("plain", CM, GCM)]  # the limit program has no such case
TARGETS = {(CM, "plain"), (CM, "same"), (GCM, "plain"), (GCM, "same")}


def label(suite, out):
    before, behind = ("RTP" if name == "plain" else "SRTP" for name in (suite, suite if out == "same" else out))
    return f"{suite if suite != 'plain' else out if out != 'plain' else 'plain'} {before} to {behind}"


class Case:
    def __init__(self, options, programs, suite, out, size):
        self.suite, self.out = suite, out
        self.ours = Runs(programs, "bench_pipeline", words(options, suite, out, **size))
        self.limit = Runs(programs, "limit", words(options, suite, out, **size)) if suite != "plain" else None

    def take(self):
        for runs in filter(None, (self.limit, self.ours)):
            runs.take()

    def row(self, checksum, key):
        ours = self.ours.values(key)
        row = {"case": label(self.suite, self.out), "in": self.suite, "out": self.out, "checksum": checksum,
               "our_ns": median(ours), "our_runs": ours, "our_spread_percent": spread(ours),
               "mpps": round(1000 / median(ours), 2)}
        if self.limit:
            limit = self.limit.values()
            pairs = [round(a / b, 3) for a, b in zip(limit, ours)]
            row.update(limit_ns=median(limit), limit_runs=limit, limit_spread_percent=spread(limit),
                       ratio=round(median(limit) / median(ours), 3), pair_ratios=pairs)
        if (self.suite, self.out) in TARGETS and checksum == "zero":
            row.update(wanted=WANTED, reached=row["ratio"] >= WANTED)
        return row

    def rows(self):
        return [self.row("zero", "ns"), self.row("software", "ns_software_checksum")]

    def disturbances(self):
        for runs in filter(None, (self.limit, self.ours)):
            yield from runs.disturbances(label(self.suite, self.out))


def measure(options, programs):
    size = {"sessions": 200, "passes": 4, "repeats": 1} if options.smoke else {"sessions": 10000, "repeats": 3}
    pairs = 1 if options.smoke else 15  # a host that others use as well changes from second to second
    wanted = SECURED[:4] + PLAIN[:1] if options.smoke else SECURED + PLAIN
    cases = [Case(options, programs, suite, out, size) for suite, out in wanted]
    for n in range(pairs):
        say(f"pair {n + 1} of {pairs}")
        for case in cases:
            case.take()
    return {"sessions": size["sessions"], "burst": 32, "payload": 160, "pairs": pairs,
            "cases": [row for case in cases for row in case.rows()],
            "disturbed": [text for case in cases for text in case.disturbances()]}


def table(result):
    body = []
    for row in result["cases"]:
        body.append([row["case"], row["checksum"], row.get("limit_ns", "-"), row["our_ns"], row["mpps"], row.get("ratio", "-"),
                     f"{min(row['pair_ratios'])} to {max(row['pair_ratios'])}" if "ratio" in row else "-",
                     {True: "yes", False: "NO"}.get(row.get("reached"), "")])
    return rows(["case", "UDP checksum", "limit ns", "relay ns", "Mpps", "ratio", "of the pairs", f">= {WANTED}"], body)
