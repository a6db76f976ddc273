# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespaces for traffic and gateways, each gateway with two links to traffic's; gone when it is over, whatever happens.

    traffic 10.77.1.2 (outN) --- acc 10.77.1.1 [ gateway N ] cor 10.77.2.1 --- (inN) 10.77.2.2 traffic

Each gateway has a namespace for its own traffic, too, so that all can have the same addresses.
"""
import os
import subprocess

from .host import Trouble


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Trouble(f"ip {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Links:
    def __init__(self, name):
        self.traffic, self.gateway = (f"bench-{os.getpid()}-{name}-{side}" for side in "tg")
        self.made = []

    def __enter__(self):
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def make(self):
        for ns in (self.traffic, self.gateway):
            ip("netns", "add", ns)
            self.made.append(ns)
            ip("-n", ns, "link", "set", "lo", "up")
        for number, (ours, theirs) in enumerate((("acc", "out"), ("cor", "in")), start=1):
            ip("-n", self.gateway, "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", self.traffic)
            for ns, link, host in ((self.gateway, ours, 1), (self.traffic, theirs, 2)):
                ip("-n", ns, "addr", "add", f"10.77.{number}.{host}/24", "dev", link)
                ip("-n", ns, "link", "set", link, "up")
        for number, link in ((1, "acc"), (2, "cor")):  # known for good: nothing must wait for ARP
            peer = "out" if number == 1 else "in"
            ip("-n", self.gateway, "neigh", "replace", f"10.77.{number}.2", "lladdr", self.mac(self.traffic, peer), "dev", link)
            ip("-n", self.traffic, "neigh", "replace", f"10.77.{number}.1", "lladdr", self.mac(self.gateway, link), "dev", peer)

    def mac(self, ns, link):
        words = ip("-n", ns, "-o", "link", "show", "dev", link).split()
        return words[words.index("link/ether") + 1]

    def inside(self, ns, command):
        return ["ip", "netns", "exec", ns, *map(str, command)]

    def __exit__(self, *why):
        for ns in self.made:
            subprocess.run(["ip", "netns", "del", ns], capture_output=True, check=False)
        self.made = []
