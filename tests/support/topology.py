# SPDX-License-Identifier: GPL-3.0-or-later
"""What one leg must not learn of the other: a grep over every message of both, headers and SDP lines.

Identities of a leg are gathered from all that went over it, in either direction; none of them may stand in a message that the
gateway sent on the other leg, unless that leg's own peer has named it too.
"""
import ipaddress
import re

V4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\w)")
V6 = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?![\w:])")
URI_HOST = re.compile(r"sips?:(?:[^@>\s;]*@)?([A-Za-z0-9.-]+)")
BRANCH = re.compile(r";branch=([^;,\s]+)")
TAG = re.compile(r"^(?:From|f|To|t)\s*:.*;tag=([^;\s]+)", re.M | re.I)
WHOLE = re.compile(r"^(?:Call-ID|i|User-Agent|Server)\s*:[ \t]*([^\r\n]+?)[ \t]*\r?$", re.M | re.I)
CONTACT_USER = re.compile(r"^(?:Contact|m)\s*:.*?sips?:([^@>\s;]+)@", re.M | re.I)
USER = re.compile(r"^(?:From|f|To|t)\s*:.*?sips?:([^@>\s;]+)@", re.M | re.I)  # crosses: who calls whom
WARNING = re.compile(r"^Warning\s*:[ \t]*\d+ (\S+)", re.M | re.I)
SHORT_NUMBER = re.compile(r"\d{1,5}")  # nobody's name: a mutated message's Call-ID may be the 8000 of every rtpmap
ORIGIN = re.compile(r"^o=(\S+) (\S+) ", re.M)
COMMON = {"sallyport", "sip", "anonymous.invalid", "localhost"}  # in no message by anybody's fault


def addresses(text):
    found = set()
    for match in V4.findall(text) + V6.findall(text):
        try:
            address = ipaddress.ip_address(match)
        except ValueError:
            continue
        if not address.is_unspecified:
            found.add(str(address))
    return found


def names(text):
    """Host names: with a letter at the end, and a dot, or they are too common to be looked for."""
    return {host.lower() for host in URI_HOST.findall(text) if "." in host and host[-1].isalpha()}


def identities(text):
    found = set()
    for pattern in (BRANCH, TAG, WHOLE, WARNING):
        found.update(pattern.findall(text))
    found.update(set(CONTACT_USER.findall(text)) - set(USER.findall(text)))
    return {token for token in found if len(token) > 3 and token.lower() not in COMMON and not SHORT_NUMBER.fullmatch(token)}


def origins(text):
    return {(user, number) for user, number in ORIGIN.findall(text)}


def stands_in(token, text):
    return re.search(rf"(?<![\w.-]){re.escape(token)}(?![\w-])", text, re.I) is not None


class Leg:
    """All that went over one leg."""

    def __init__(self, sent, received):
        self.theirs = "\n".join(sent)      # by the peer
        self.ours = list(received)         # by the gateway
        self.all = self.theirs + "\n" + "\n".join(self.ours)


def leaks(leg, other, allowed=()):
    """What the gateway has told `other` of `leg`."""
    found = []
    own = addresses(other.theirs), names(other.theirs), identities(other.theirs), origins(other.theirs)
    hidden = addresses(leg.all) - own[0], (names(leg.all) | identities(leg.all)) - own[1] - own[2] - set(allowed)
    users = {user for user, _ in origins(leg.theirs) - own[3] if user != "-"}
    numbers = {number for _, number in origins(leg.theirs) - own[3]}
    for text in other.ours:
        first = text.split("\r\n", 1)[0]
        found += [(first, address) for address in hidden[0] & addresses(text) if address not in allowed]
        found += [(first, token) for token in hidden[1] if token in text and stands_in(token, text)]
        for user, number in origins(text):
            found += [(first, f"o={user} {number}")] if user in users or number in numbers else []
    return found
