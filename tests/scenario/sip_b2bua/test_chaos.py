# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds of calls whose two ends do what they like, answer or not, in any order; then a drain. Nothing may be left."""
import os
import queue
import random
import threading
import time

import pytest
from exchange import ALLOW, prack
from peer import Dialog, Message, sdp

CALLS = 300


def answers(net):
    """What the gateway has answered."""
    messages = [Message(text) for peer in (net.access, net.core) for text in peer.received]
    return {(m.method, m.status) for m in messages if m.status}


class Reckless:
    """An end that follows the protocol in form, and nothing else."""

    REACHED = {("INVITE", 200), ("INVITE", 487), ("INVITE", 488), ("BYE", 200), ("BYE", 481)}

    def __init__(self, peer, seed):
        self.peer, self.random, self.dialogs, self.running = peer, random.Random(seed), {}, True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def stop(self):
        self.running = False
        self.thread.join()

    def run(self):
        while self.running:
            try:
                message = self.peer.inbox.get(timeout=0.1)
            except queue.Empty:
                continue
            if self.random.random() < 0.05:
                continue  # lost
            if message.is_request:
                self.request(message)
            else:
                self.response(message)

    def body(self):
        return self.random.choice([sdp(self.peer.address, 40000), sdp(self.peer.address, 40000, "sendonly"), None, "x"])

    def request(self, message):
        dialog = self.dialogs.get(message.get("Call-ID"))
        pick = self.random.random()
        if message.method == "INVITE" and dialog is None:
            dialog = self.dialogs[message.get("Call-ID")] = Dialog(self.peer, invite=message)
            for status in self.random.choice([(), (180,), (183,), (180, 200), (200,), (180, 200), (200,), (486,), (180, 603), (305,)]):
                body = sdp(self.peer.address, 50000) if status in (183, 200) and pick < 0.9 else self.body()
                self.peer.reply(message, status, body=body, tag=dialog.local_tag)
        elif message.method == "INVITE" and dialog:
            status = self.random.choice([200, 200, 488, 491, 481, 180])
            self.peer.reply(message, status, body=self.body() if status == 200 else None, tag=dialog.local_tag)
        elif message.method == "CANCEL":
            self.peer.reply(message, 200)
            if dialog and pick < 0.8:
                dialog.reply(self.random.choice([487, 487, 200]), body=sdp(self.peer.address, 50000))
        elif message.method == "ACK":
            self.act(dialog)
        elif pick < 0.8:
            self.peer.reply(message, self.random.choice([200, 200, 481, 407]), tag=dialog.local_tag if dialog else "none")

    def response(self, message):
        dialog = self.dialogs.get(message.get("Call-ID"))
        if dialog is None or message.method != "INVITE":
            return
        if message.status in (180, 183):
            dialog.answered(message)
            self.random.choice([dialog.cancel, lambda: dialog.bye(), lambda: None, lambda: None])()
        elif message.status >= 200 and self.random.random() < 0.9:
            dialog.invite_cseq = int(message.get("CSeq").split()[0])
            dialog.ack(message, self.body() if self.random.random() < 0.3 else None)
            if message.status == 200:
                self.act(dialog)

    def act(self, dialog):
        if dialog is None:
            return
        pick = self.random.random()
        if pick < 0.3:
            dialog.bye()
        elif pick < 0.6:
            dialog.send_invite(self.body())
        elif pick < 0.7:
            dialog.send("INFO")


class Modern(Reckless):
    """The same with reliable responses, PRACK and UPDATE, at the right time and at others."""

    REACHED = {("INVITE", 183), ("INVITE", 200), ("PRACK", 200), ("PRACK", 481), ("UPDATE", 200), ("UPDATE", 481), ("UPDATE", 491), ("UPDATE", 504)}

    HEADERS = [[], [ALLOW], [ALLOW, "Supported: 100rel"], [ALLOW, "Require: 100rel"], ["Supported: 100rel"]]

    def invited(self, dialog):
        for rseq in range(1, self.random.choice([1, 2, 2, 3])):
            dialog.reply(183, body=self.body(), headers=["Require: 100rel", f"RSeq: {rseq}", ALLOW])

    def request(self, message):
        dialog = self.dialogs.get(message.get("Call-ID"))
        if message.method == "INVITE" and dialog is None:
            dialog = self.dialogs[message.get("Call-ID")] = Dialog(self.peer, invite=message)
            self.invited(dialog)
            if self.random.random() < 0.3:
                dialog.send("UPDATE", self.body())
            if self.random.random() < 0.5:
                dialog.reply(self.random.choice([200, 200, 200, 486]), body=self.body(), headers=[ALLOW])
        elif message.method in ("PRACK", "UPDATE"):
            if self.random.random() < 0.9:
                tag = dialog.local_tag if dialog else "none"
                status = self.random.choice([200, 200, 200, 488, 491, 500, 504, 481])
                self.peer.reply(message, status, body=self.body() if status == 200 else None, tag=tag, headers=[ALLOW])
            if message.method == "PRACK" and dialog and dialog.invite and self.random.random() < 0.8:
                dialog.reply(200, body=self.body(), headers=[ALLOW])
        else:
            super().request(message)

    def response(self, message):
        dialog = self.dialogs.get(message.get("Call-ID"))
        if dialog and message.method == "INVITE" and message.get("RSeq") and self.random.random() < 0.8:
            prack(dialog, message, self.body() if self.random.random() < 0.4 else None)
            if self.random.random() < 0.3:
                dialog.send("UPDATE", self.body())
        else:
            super().response(message)

    def act(self, dialog):
        if dialog is not None and self.random.random() < 0.4:
            dialog.send("UPDATE", self.body(), self.random.choice(self.HEADERS[:2]))
        super().act(dialog)


NETS = {
    "udp": ({}, Reckless), "tcp": ({"transport": "tcp"}, Reckless),
    "modern": ({"core_policy": "delayed_offer=insert,codec=PCMU"}, Modern),
}


@pytest.mark.parametrize("net, kind", [({"quiet": True, **net}, kind) for net, kind in NETS.values()], indirect=["net"], ids=NETS)
def test_chaos(net, kind):
    seed = int(os.environ.get("SALLYPORT_SEED", "1"))
    ends = {"access": kind(net.access, seed), "core": kind(net.core, seed + 100)}
    chosen = random.Random(seed + 200)
    try:
        for _ in range(CALLS):
            side = chosen.choice(["access", "core"])
            dialog = net.caller(side)
            ends[side].dialogs[dialog.call_id] = dialog
            dialog.send_invite(chosen.choice([sdp(dialog.peer.address, 40000)] * 4 + [None, "x"]),
                               chosen.choice(Modern.HEADERS) if kind is Modern else ())
            time.sleep(0.005)
        time.sleep(1)
        net.gateway.command("drain")
        assert net.gateway.answer(timeout=60) == "drained"
        net.gateway.wait_idle()
    finally:
        for end in ends.values():
            end.stop()
    assert net.gateway.counts()["plans"] > CALLS
    assert kind.REACHED <= answers(net), kind.REACHED - answers(net)
