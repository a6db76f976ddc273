# SPDX-License-Identifier: GPL-3.0-or-later
"""transfer: pass. A REFER goes to the other side, which makes the new call; dialogs that it names are translated."""
import re
from urllib.parse import quote, unquote

import pytest
from conftest import options
from exchange import ALLOW, finish, sdp, up
from peer import Dialog

PASS = dict(access_policy="transfer=pass", core_policy="transfer=pass")
OUT = dict(access_policy="transfer=pass,refer_out_of_dialog=allow", core_policy="transfer=pass,refer_out_of_dialog=allow")
WITH_REFER = ALLOW + ", REFER, NOTIFY"


def refer(dialog, to, headers=()):
    dialog.send("REFER", headers=[f"Refer-To: {to}", *headers])
    return dialog.cseq


def notify(dialog, status, state, number=None, extra=""):
    """The side that was asked tells how it goes."""
    event = "refer" + (f";id={number}" if number else "")
    dialog.cseq += 1
    body = f"SIP/2.0 {status} As It Is\r\n{extra}"
    text = dialog.request_text("NOTIFY", body, headers=[f"Event: {event}", f"Subscription-State: {state}"])
    dialog.peer.send_text(text.replace("application/sdp", "message/sipfrag;version=2.0"))


def number_of(request):
    return int(request.get("CSeq").split()[0])


def accept(dialog, request, status=202, headers=()):
    dialog.peer.reply(request, status, tag=dialog.local_tag, headers=headers)


def host_of(net, dialog):
    return f"{dialog.peer.gateway[0]}:{dialog.peer.gateway[1]}"


def name_of(dialog, kind="Replaces"):
    """This dialog of a peer, as whoever is to look for it at the gateway sees it."""
    local, remote = (re.search(r";tag=([^;>]+)", text).group(1) for text in (dialog.remote, dialog.local))
    words = ("local-tag", "remote-tag") if kind == "Target-Dialog" else ("to-tag", "from-tag")
    return f"{dialog.call_id};{words[0]}={local};{words[1]}={remote}"


def sides(net, caller, callee, by_caller):
    return (caller, callee) if by_caller else (callee, caller)


@options(**PASS)
@pytest.mark.parametrize("by_caller", [True, False])
def test_blind(net, by_caller):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    one, other = sides(net, caller, callee, by_caller)
    theirs = refer(one, "<sip:200@10.9.8.7:5099;transport=udp>", [f"Referred-By: <sip:boss@{one.peer.address}>;cid=\"x@y\"",
                                                                  "User-Agent: phone"])
    request = other.peer.expect("REFER")
    assert request.get("Refer-To") == f"<sip:200@{host_of(net, other)}>"
    assert request.get("Referred-By") == f"<sip:boss@{other.peer.gateway[0]}>"
    assert request.get("Contact") and request.get("User-Agent") is None and request.get("Call-ID") == other.call_id
    accept(other, request)
    accepted = one.peer.expect("202 REFER")
    assert accepted.get("Contact")
    notify(other, 100, "active;expires=60")
    told = one.peer.expect("NOTIFY")
    assert told.body == "SIP/2.0 100 Trying\r\n" and told.get("Event") == "refer" and told.get("Call-ID") == one.call_id
    assert told.get("Content-Type").replace(" ", "") == "message/sipfrag;version=2.0"
    one.peer.reply(told, 200)
    other.peer.expect("200 NOTIFY")
    notify(other, 200, "terminated;reason=noresource", number_of(request),
           f"Contact: <sip:inner@{other.peer.address}>\r\nServer: inner\r\n")
    told = one.peer.expect("NOTIFY")
    assert told.body == "SIP/2.0 200 OK\r\n" and told.get("Event") == f"refer;id={theirs}"
    assert told.get("Subscription-State").replace(" ", "") == "terminated;reason=noresource"
    one.peer.reply(told, 200)
    other.peer.expect("200 NOTIFY")
    notify(other, 200, "active")  # of nothing that is open
    other.peer.expect("405 NOTIFY")
    finish(net, caller, callee)
    assert net.gateway.wait_event("transfer passed")["status"] == 202


@options(**PASS)
def test_the_call_that_comes_of_it(net):
    """Blind, the whole way: the core side calls the new target by us, and ends the old call when that is up."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    refer(caller, "<sip:200@10.9.8.7>", ["Referred-By: <sip:alice@127.0.1.1>"])
    request = net.core.expect("REFER")
    accept(callee, request)
    net.access.expect("202 REFER")
    new = Dialog(net.core, request.uri("Refer-To"))
    new.send_invite(sdp(net.core, port=51000), [f"Referred-By: {request.get('Referred-By')}", WITH_REFER])
    invite = net.access.expect("INVITE")
    assert invite.first.split()[1].startswith("sip:200@") and "sip:alice@" in invite.get("Referred-By")
    assert "REFER" in invite.get("Allow") and "NOTIFY" in invite.get("Allow")
    target = Dialog(net.access, invite=invite)
    target.reply(200, "OK", sdp(net.access, port=41000))
    new.ack(net.core.expect("200 INVITE"))
    net.access.expect("ACK")
    notify(callee, 200, "terminated;reason=noresource")
    net.access.reply(net.access.expect("NOTIFY"), 200)
    net.core.expect("200 NOTIFY")
    caller.bye()
    net.core.reply(net.core.expect("BYE"), 200)
    net.access.expect("200 BYE")
    new.bye()
    net.access.reply(net.access.expect("BYE"), 200)
    net.core.expect("200 BYE")
    net.gateway.wait_idle()


@options(**PASS)
@pytest.mark.parametrize("naming, option", [("Replaces", "replaces"), ("Join", "join")])
@pytest.mark.parametrize("side", ["access", "core"])
def test_attended(net, side, naming, option):
    """One side has two calls with us, and asks the other end of the first to replace (join) the second."""
    one, first = up(net, WITH_REFER, WITH_REFER, side=side)
    two, second = up(net, WITH_REFER, WITH_REFER, side=side)
    refer(one, f"<{two.target}?{naming}={quote(name_of(two))}&Require={option}&Call-ID=x>")
    request = first.peer.expect("REFER")
    uri = request.uri("Refer-To")
    place, _, headers = uri.partition("?")
    assert place == f"sip:100@{host_of(net, first)}" and headers.startswith(naming + "=") and "Call-ID" not in headers
    alias = unquote(headers.partition("=")[2])
    assert two.call_id not in alias and second.call_id not in alias
    accept(first, request)
    one.peer.expect("202 REFER")
    new = Dialog(first.peer, place)
    new.send_invite(sdp(first.peer, port=51000), [f"{naming}: {alias}", f"Require: {option}", WITH_REFER])
    invite = second.peer.expect("INVITE")
    tags = re.search(r";to-tag=([^;]+);from-tag=([^;]+)", invite.get(naming)).groups()
    assert invite.get(naming).startswith(second.call_id + ";")
    assert tags == (second.local_tag, re.search(r"tag=([^;>]+)", second.remote).group(1))
    assert invite.get("Require") == option and invite.first.split()[1] == second.peer.contact()[1:-1]
    target = Dialog(second.peer, invite=invite)
    target.reply(200, "OK", sdp(second.peer, port=51010))
    new.ack(first.peer.expect("200 INVITE"))
    second.peer.expect("ACK")
    if naming == "Replaces":
        second.bye()
        two.peer.reply(two.peer.expect("BYE"), 200)
        second.peer.expect("200 BYE")
    else:
        finish_two(net, two, second)
    notify(first, 200, "terminated;reason=noresource")
    one.peer.reply(one.peer.expect("NOTIFY"), 200)
    first.peer.expect("200 NOTIFY")
    finish_two(net, one, first)
    finish_two(net, new, target)
    net.gateway.wait_idle()


def finish_two(net, one, other):
    one.bye()
    other.peer.reply(other.peer.expect("BYE"), 200)
    one.peer.expect("200 BYE")


@options(**PASS)
def test_a_dialog_within_the_network_of_who_names_it(net):
    """The PBX has a call of its own that we know nothing of: its name comes back to it, and to nobody else."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    inner = "inner-call@pbx;to-tag=tag-one;from-tag=tag-two"
    refer(callee, f"<sip:300@10.9.8.7?Replaces={quote(inner)}>")
    request = net.access.expect("REFER")
    alias = unquote(request.uri("Refer-To").partition("Replaces=")[2])
    assert "inner" not in alias and "tag-one" not in alias
    accept(caller, request)
    net.core.expect("202 REFER")
    new = Dialog(net.access, request.uri("Refer-To").partition("?")[0])
    new.send_invite(sdp(net.access, port=41000), [f"Replaces: {alias}"])
    invite = net.core.expect("INVITE")
    assert invite.get("Replaces") == inner and invite.first.split()[1].startswith("sip:300@")
    net.core.reply(invite, 486)
    new.ack(net.access.expect("486"))
    net.core.expect("ACK")
    finish(net, caller, callee)


@options(**PASS)
@pytest.mark.parametrize("what", ["nothing known", "another's", "broken", "two", "alias of another peer"])
def test_invite_that_names_a_dialog_wrongly(net, what):
    net.mixes = True
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    mine, theirs = name_of(caller), name_of(callee)
    value = {"nothing known": f"Replaces: {caller.call_id};to-tag=1;from-tag=2", "another's": f"Replaces: {theirs}",
             "broken": "Replaces: x;to-tag=1", "two": f"Replaces: {mine}\r\nJoin: {mine}", "alias of another peer": None}[what]
    if value is None:
        refer(caller, f"<sip:1@1.2.3.4?Replaces={quote(mine)}>")
        request = net.core.expect("REFER")
        accept(callee, request, 603)
        net.access.expect("603 REFER")
        value = "Replaces: " + unquote(request.uri("Refer-To").partition("Replaces=")[2])
    new = net.caller()
    new.send_invite(sdp(net.access), [value])
    new.ack(net.access.expect("400" if what in ("broken", "two") else "481"))
    assert len(net.gateway.events("call leg out")) == 1
    finish(net, caller, callee)


@options(**PASS)
def test_invite_that_replaces_by_itself(net):
    """A second phone takes over the first one's call (pick-up): its dialog is ours as well, the name that of the other leg."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    new = net.caller(number="999")
    new.send_invite(sdp(net.access, port=41000), [f"Replaces: {name_of(caller)};early-only", "Require: replaces"])
    invite = net.core.expect("INVITE")
    assert invite.get("Replaces").startswith(callee.call_id + ";") and invite.get("Replaces").endswith(";early-only")
    net.core.reply(invite, 486)  # RFC 3891 section 3: it is no early dialog
    new.ack(net.access.expect("486"))
    finish(net, caller, callee)


def test_replaces_where_nobody_may(net):
    caller, callee = up(net)
    new = net.caller()
    new.send_invite(sdp(net.access, port=41000), [f"Replaces: {name_of(caller)}", "Require: replaces"])
    refused = net.access.expect("420")
    assert refused.get("Unsupported") == "replaces"
    new.ack(refused)
    finish(net, caller, callee)


@options(**PASS)
@pytest.mark.parametrize("status", [403, 405, 420, 481, 603])
def test_refused_by_the_other_side(net, status):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    refer(caller, "<sip:200@10.9.8.7>", ["Require: norefersub"])
    request = net.core.expect("REFER")
    assert request.get("Require") == "norefersub"
    accept(callee, request, status, ["Unsupported: norefersub"] if status == 420 else [])
    assert net.access.expect(f"{status} REFER").get("Unsupported") == ("norefersub" if status == 420 else None)
    notify(callee, 200, "terminated")
    net.core.expect("405 NOTIFY")
    finish(net, caller, callee)


@options(**PASS)
@pytest.mark.parametrize("value, status", [("<sip:a@b>\r\nRefer-To: <sip:c@d>", 400), ("<tel:+49123>", 416), ("<sips:a@b>", 416),
                                           ("<sip:a@b;method=BYE>", 403), ("<sip:a@b?Replaces=x>", 400),
                                           ("<sip:a@b?Replaces=%zz>", 400)])
def test_refer_to_that_cannot_be(net, value, status):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    refer(caller, value)
    net.access.expect(f"{status} REFER")
    net.core.nothing("REFER", 0.1)
    finish(net, caller, callee)


@options(**PASS)
def test_refer_without_a_place(net):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    caller.send("REFER")
    net.access.expect("400 REFER")
    caller.send("REFER", sdp(net.access), ["Refer-To: <sip:a@b>"])
    net.access.expect("415 REFER")
    finish(net, caller, callee)


@options(**PASS)
def test_the_other_side_has_no_refer(net):
    caller, callee = up(net, WITH_REFER, ALLOW)
    refer(caller, "<sip:200@10.9.8.7>")
    net.access.expect("405 REFER")
    net.core.nothing("REFER", 0.1)
    refer(callee, "<sip:200@10.9.8.7>")  # while this one has
    accept(caller, net.access.expect("REFER"), 603)
    net.core.expect("603 REFER")
    finish(net, caller, callee)


@options(access_policy="transfer=pass")
def test_the_other_side_may_not(net):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    for dialog in (caller, callee):
        refer(dialog, "<sip:200@10.9.8.7>")
        dialog.peer.expect("405 REFER")
    finish(net, caller, callee)


@options(**PASS)
def test_without_a_subscription(net):
    """RFC 4488."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    refer(caller, "<sip:200@10.9.8.7>", ["Refer-Sub: false", "Supported: norefersub"])
    request = net.core.expect("REFER")
    assert request.get("Refer-Sub") == "false" and "norefersub" in request.get("Supported")
    accept(callee, request, 200, ["Refer-Sub: false"])
    assert net.access.expect("200 REFER").get("Refer-Sub") == "false"
    notify(callee, 200, "terminated")
    net.core.expect("405 NOTIFY")
    finish(net, caller, callee)


@options(**PASS)
def test_several_are_told_apart_and_bounded(net):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    ids = []
    for user in range(4):
        theirs = refer(caller, f"<sip:{user}@10.9.8.7>")
        request = net.core.expect("REFER")
        accept(callee, request)
        net.access.expect("202 REFER")
        ids.append((theirs, number_of(request)))
    refer(caller, "<sip:5@10.9.8.7>")
    assert net.access.expect("500 REFER").get("Retry-After")
    for theirs, ours in reversed(ids):
        notify(callee, 486, "terminated;reason=noresource", ours)
        told = net.access.expect("NOTIFY")
        assert told.get("Event") == f"refer;id={theirs}" and told.body == "SIP/2.0 486 Busy Here\r\n"
        net.access.reply(told, 200)
        net.core.expect("200 NOTIFY")
    finish(net, caller, callee)


@options(**PASS)
def test_subscription_is_ended_by_the_subscriber(net):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    theirs = refer(caller, "<sip:200@10.9.8.7>")
    request = net.core.expect("REFER")
    accept(callee, request)
    net.access.expect("202 REFER")
    caller.send("SUBSCRIBE", headers=[f"Event: refer;id={theirs}", "Expires: 0"])
    end = net.core.expect("SUBSCRIBE")
    assert end.get("Event") == f"refer;id={number_of(request)}" and end.get("Expires") == "0"
    accept(callee, end, 200)
    net.access.expect("200 SUBSCRIBE")
    notify(callee, 100, "terminated;reason=timeout", number_of(request))
    net.access.reply(net.access.expect("NOTIFY"), 200)
    net.core.expect("200 NOTIFY")
    finish(net, caller, callee)


@options(**PASS)
def test_a_notify_that_says_nothing(net):
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    refer(caller, "<sip:200@10.9.8.7>")
    accept(callee, net.core.expect("REFER"))
    net.access.expect("202 REFER")
    callee.send("NOTIFY", headers=["Event: refer", "Subscription-State: active"])
    net.core.expect("400 NOTIFY")
    net.access.nothing("NOTIFY", 0.1)
    notify(callee, 200, "terminated")
    net.access.reply(net.access.expect("NOTIFY"), 481)  # knows nothing of it
    net.core.expect("481 NOTIFY")
    finish(net, caller, callee)


@options(**PASS)
@pytest.mark.parametrize("ends", ["told", "untold"])
def test_transferor_hangs_up_first(net, ends):
    """RFC 5057: BYE ends the call, not the subscription. Its NOTIFYs still go through; without them nothing stays."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    theirs = refer(caller, "<sip:200@10.9.8.7>")
    request = net.core.expect("REFER")
    accept(callee, request)
    net.access.expect("202 REFER")
    caller.bye()
    net.access.expect("200 BYE")
    net.core.reply(net.core.expect("BYE"), 200)
    net.gateway.wait_event("call ended")
    caller.send("INFO")
    net.access.expect("481 INFO")
    assert net.gateway.counts()["sessions"] == 0
    if ends == "told":
        for status, state in ((180, "active;expires=60"), (200, "terminated;reason=noresource")):
            notify(callee, status, state, number_of(request))
            told = net.access.expect("NOTIFY")
            assert told.get("Event") == f"refer;id={theirs}" and told.body.startswith(f"SIP/2.0 {status} ")
            net.access.reply(told, 200)
            net.core.expect("200 NOTIFY")
        net.gateway.wait_idle(2)
    net.gateway.wait_idle()


@options(**PASS)
def test_while_a_reinvite_is_open(net):
    """The two have nothing to do with each other."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    callee.send_invite(sdp(net.core, "sendonly"))
    invite = net.access.expect("INVITE")
    refer(caller, "<sip:200@10.9.8.7>")
    accept(callee, net.core.expect("REFER"), 603)
    net.access.expect("603 REFER")
    net.access.reply(invite, 200, body=sdp(net.access, "recvonly"), tag=caller.local_tag)
    callee.ack(net.core.expect("200 INVITE"))
    net.access.expect("ACK")
    finish(net, caller, callee)


@options(**PASS)
def test_target_dialog(net):
    """RFC 4538: the dialog of one leg is named on the other as its own end knows it."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    refer(caller, "<sip:200@10.9.8.7>", [f"Target-Dialog: {name_of(caller, 'Target-Dialog')}", "Require: tdialog"])
    request = net.core.expect("REFER")
    assert request.get("Target-Dialog") == (f"{callee.call_id};local-tag={callee.local_tag};"
                                            f"remote-tag={re.search(r'tag=([^;>]+)', callee.remote).group(1)}")
    assert request.get("Require") == "tdialog"
    accept(callee, request, 603)
    net.access.expect("603 REFER")
    finish(net, caller, callee)


# Out of dialog


@options(**PASS)
def test_out_of_dialog_refused(net):
    refer(net.caller(), "<sip:200@10.9.8.7>")
    net.access.expect("403 REFER")
    net.core.nothing("REFER", 0.1)
    net.gateway.wait_idle()


@options(access_policy="transfer=pass,refer_out_of_dialog=allow", core_policy="transfer=pass")
def test_out_of_dialog_refused_by_the_far_side(net):
    refer(net.caller(), "<sip:200@10.9.8.7>")
    net.access.expect("403 REFER")
    refer(net.caller("core"), "<sip:200@10.9.8.7>")
    net.core.expect("403 REFER")
    net.gateway.wait_idle()


@options(**OUT)
@pytest.mark.parametrize("side", ["access", "core"])
def test_out_of_dialog(net, side):
    near = net.caller(side)
    theirs = refer(near, "<sip:200@10.9.8.7;transport=tcp>")
    far_peer = net.callee_peer(side)
    request = far_peer.expect("REFER")
    far = Dialog(far_peer, invite=request)
    assert request.get("Refer-To") == f"<sip:200@{host_of(net, far)}>" and request.get("Call-ID") != near.call_id
    far.reply(202)
    near.answered(near.peer.expect("202 REFER"))
    assert net.gateway.counts()["subscriptions"] == 1
    notify(far, 180, "active;expires=60", number_of(request), f"Contact: <sip:x@{far_peer.address}>\r\n")
    told = near.peer.expect("NOTIFY")
    assert told.get("Event") == f"refer;id={theirs}" and told.body == "SIP/2.0 180 Ringing\r\n"
    near.peer.reply(told, 200)
    far_peer.expect("200 NOTIFY")
    notify(far, 200, "terminated;reason=noresource")
    told = near.peer.expect("NOTIFY")
    assert told.get("Event") == "refer"
    near.peer.reply(told, 200)
    far_peer.expect("200 NOTIFY")
    net.gateway.wait_idle(2)


@options(**OUT)
def test_out_of_dialog_to_the_end_of_a_call(net):
    """Whom it is for is said by Target-Dialog, not by the user, which is the Contact of ours."""
    caller, callee = up(net, WITH_REFER, WITH_REFER)
    near = Dialog(net.access, caller.target)
    refer(near, "<sip:200@10.9.8.7>", [f"Target-Dialog: {name_of(caller, 'Target-Dialog')}"])
    request = net.core.expect("REFER")
    assert request.get("Target-Dialog").startswith(callee.call_id + ";")
    assert request.first.split()[1] == callee.peer.contact()[1:-1]
    net.core.reply(request, 603)
    net.access.expect("603 REFER")
    finish(net, caller, callee)
