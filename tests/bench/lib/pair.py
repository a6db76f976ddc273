# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the relay's burst and of the limit program, in pairs, one after the other; what was disturbed is taken again."""
from .host import SPREAD, STOLEN_MS, SWITCHES, median, spread

AGAIN = 3  # times that a disturbed run is repeated


def was_disturbed(run):
    return run["switches"] > SWITCHES or run["stolen_ms"] > STOLEN_MS


class Runs:
    """All runs of one program with one set of options."""

    def __init__(self, programs, name, words):
        self.programs, self.name, self.words = programs, name, words
        self.done, self.again = [], 0

    def take(self):
        run = self.programs.run(self.name, self.words)
        for _ in range(AGAIN):
            if not was_disturbed(run):
                break
            self.again += 1
            run = self.programs.run(self.name, self.words)
        self.done.append(run)

    def values(self, key="ns"):
        return [round(median(run[key]), 2) for run in self.done]

    def disturbances(self, label):
        bad = sum(map(was_disturbed, self.done))
        if bad:
            yield f"{label}: {bad} of {len(self.done)} runs lost their core or were robbed of it, after {AGAIN} tries each"
        if spread(self.values()) > SPREAD:
            yield f"{label}: {self.name} spreads {spread(self.values())} %"


def words(options, suite, out, **more):
    numbers = [word for key, value in more.items() for word in (f"--{key}", value)]
    return ["--suite", suite, "--out", out, "--cpu", options.cpu, "--fifo", *numbers]
