# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests carried each for itself: INFO and MESSAGE in a call; MESSAGE, PUBLISH, SUBSCRIBE and NOTIFY out of dialog."""
import pytest
from conftest import options
from exchange import finish
from peer import Dialog, sdp

ALL = "relay=message,relay=subscribe,relay=publish"
RELAY = dict(access_policy=ALL, core_policy=ALL)


def send(dialog, method, body=None, headers=(), kind="text/plain"):
    """A request whose body is no description."""
    dialog.cseq += 1
    text = dialog.request_text(method, body, headers=headers)
    dialog.peer.send_text(text.replace("application/sdp", kind))


@options(**RELAY)
@pytest.mark.parametrize("by_caller", [True, False])
@pytest.mark.parametrize("method", ["INFO", "MESSAGE", "SUBSCRIBE", "NOTIFY"])
def test_in_a_call(net, method, by_caller):
    caller, callee = net.call_up()
    first, second = (caller, callee) if by_caller else (callee, caller)
    headers = ["Event: kpml", "Info-Package: x", "Content-Disposition: Info-Package", "Content-Language: de"]
    send(first, method, "Signal=5\r\n", headers, "application/dtmf-relay")
    request = second.peer.expect(method)
    assert request.body == "Signal=5\r\n" and request.get("Content-Type") == "application/dtmf-relay"
    assert request.get("Event") == "kpml" and request.get("Content-Language") == "de"
    assert request.get("Call-ID") == second.call_id and request.get("Max-Forwards") == "69"
    assert (request.get("Contact") is not None) == (method in ("SUBSCRIBE", "NOTIFY"))
    second.peer.reply(request, 200, headers=["Server: inner", "Expires: 60"])
    response = first.peer.expect(f"200 {method}")
    assert response.get("Server") is None and response.get("Expires") == "60"
    finish(net, caller, callee)


@options(**RELAY)
def test_several_at_once(net):
    caller, callee = net.call_up()
    for number in range(9):
        send(caller, "MESSAGE", str(number))
    assert net.access.expect("500 MESSAGE").get("Retry-After")
    requests = [net.core.expect("MESSAGE") for _ in range(8)]
    assert [r.body for r in requests] == [str(n) for n in range(8)]
    for request in reversed(requests):
        net.core.reply(request, 200)
    for _ in requests:
        net.access.expect("200 MESSAGE")
    finish(net, caller, callee)


@options(**RELAY)
@pytest.mark.parametrize("status, told", [(200, 200), (202, 202), (302, 480), (401, 403), (407, 403), (404, 404), (413, 413),
                                          (415, 415), (480, 480), (489, 489), (503, 500), (600, 600)])
def test_what_the_other_side_says(net, status, told):
    caller = net.caller()
    send(caller, "MESSAGE", "hello")
    net.core.reply(net.core.expect("MESSAGE"), status, headers=['WWW-Authenticate: Digest realm="inner", nonce="1"'])
    assert net.access.expect(f"{told} MESSAGE").get("WWW-Authenticate") is None
    net.gateway.wait_idle()
    assert net.gateway.wait_event("request relayed")["status"] == told


@options(**RELAY)
def test_message(net):
    caller = net.caller()
    send(caller, "MESSAGE", "gr\u00fc\u00df dich", ["Subject: hi", "Date: Sat, 21 Nov 2026 10:00:00 GMT", "User-Agent: phone"],
         "text/plain;charset=utf-8")
    message = net.core.expect("MESSAGE")
    assert message.body == "gr\u00fc\u00df dich" and message.get("Content-Type").replace(" ", "") == "text/plain;charset=utf-8"
    assert message.get("Contact") is None and message.get("Subject") == "hi" and message.get("Date")
    assert message.get("User-Agent") is None and message.get("Call-ID") != caller.call_id
    assert "alice" in message.get("From") and net.access.address not in str(message.headers)
    assert message.first.split()[1] == f"sip:100@{net.core.address}:{net.core.port}"
    net.core.reply(message, 200)
    net.access.expect("200 MESSAGE")
    net.gateway.wait_idle()


@options(**RELAY)
def test_message_that_nobody_answers(net):
    """RFC 4320: no 408 to what is no INVITE, which would come too late for whoever waits. Nothing stays behind."""
    caller = net.caller()
    send(caller, "MESSAGE", "hello")
    assert net.gateway.wait_event("request relayed")["answered"] == 408
    net.access.nothing("408", 0.2)
    net.gateway.wait_idle()


@options(**RELAY)
def test_message_with_a_description(net):
    caller = net.caller()
    caller.send("MESSAGE", sdp())
    net.access.expect("415 MESSAGE")
    send(caller, "MESSAGE", "x" * 33000)
    net.access.expect("413 MESSAGE")
    net.gateway.wait_idle()


@options(**RELAY)
def test_publish(net):
    caller = net.caller()
    send(caller, "PUBLISH", "<presence/>", ["Event: presence", "Expires: 600", "SIP-If-Match: abc"], "application/pidf+xml")
    publish = net.core.expect("PUBLISH")
    assert publish.get("SIP-If-Match") == "abc" and publish.get("Event") == "presence" and publish.get("Expires") == "600"
    net.core.reply(publish, 200, headers=["SIP-ETag: def", "Expires: 300"])
    response = net.access.expect("200 PUBLISH")
    assert response.get("SIP-ETag") == "def" and response.get("Expires") == "300"
    net.gateway.wait_idle()


@options(access_policy="relay=message", core_policy="relay=subscribe")
@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "PUBLISH"])
def test_not_allowed_by_a_profile(net, method):
    caller = net.caller()
    send(caller, method, "x", ["Event: presence"])
    assert "INVITE" in net.access.expect(f"405 {method}").get("Allow")
    net.core.nothing(method, 0.1)
    net.gateway.wait_idle()


@options(access_policy="relay=message", core_policy="relay=message,relay=publish")
def test_allow_is_what_both_sides_have(net):
    caller = net.caller()
    caller.send_invite(sdp(net.access.address, 40000), ["Allow: INVITE, REFER, JUGGLE"])
    invite = net.core.expect("INVITE")
    assert "MESSAGE" in invite.get("Allow") and "PUBLISH" not in invite.get("Allow") and "JUGGLE" not in invite.get("Allow")
    assert "SUBSCRIBE" not in invite.get("Allow")


@options(**RELAY)
def test_hops_and_loops(net):
    net.mixes = True
    caller = net.caller()
    text = caller.request_text("MESSAGE").replace("Max-Forwards: 70", "Max-Forwards: 0")
    net.access.send_text(text)
    net.access.expect("483 MESSAGE")
    caller = net.caller()
    send(caller, "MESSAGE", "round")
    vias = [f"Via: {via}" for via in net.core.expect("MESSAGE").all("Via")]
    again = net.caller()
    again.send("MESSAGE", headers=vias)
    net.access.expect("482 MESSAGE")


@options(**RELAY)
def test_call_ends_with_a_request_open(net):
    caller, callee = net.call_up()
    send(caller, "MESSAGE", "late")
    message = net.core.expect("MESSAGE")
    callee.bye()
    net.access.expect("481 MESSAGE")
    net.access.reply(net.access.expect("BYE"), 200)
    net.core.reply(message, 200)
    net.gateway.wait_idle()


# Subscriptions


def subscribe(net, side="access", expires=600, event="presence"):
    """One that is up: the subscriber's dialog and the notifier's."""
    near = net.caller(side)
    send(near, "SUBSCRIBE", headers=[f"Event: {event}", f"Expires: {expires}", "Accept: application/pidf+xml"])
    request = net.callee_peer(side).expect("SUBSCRIBE")
    assert request.get("Event") == event and request.get("Expires") == str(expires)
    assert request.get("Accept") == "application/pidf+xml" and request.get("Call-ID") != near.call_id
    far = Dialog(net.callee_peer(side), invite=request)
    far.reply(200, headers=[f"Expires: {expires}"])
    response = near.peer.expect("200 SUBSCRIBE")
    assert response.get("Expires") == str(expires) and near.peer.gateway[0] in response.get("Contact")
    near.answered(response)
    return near, far


def notify(near, far, state="active", body="<presence/>", status=200):
    send(far, "NOTIFY", body, ["Event: presence", f"Subscription-State: {state}"], "application/pidf+xml")
    request = near.peer.expect("NOTIFY")
    assert request.get("Subscription-State") == state and request.body == body and request.get("Call-ID") == near.call_id
    near.peer.reply(request, status)
    far.peer.expect(f"{status} NOTIFY")


@options(**RELAY)
@pytest.mark.parametrize("side", ["access", "core"])
def test_subscription(net, side):
    near, far = subscribe(net, side)
    assert net.gateway.counts()["subscriptions"] == 1
    notify(near, far, "active;expires=600")
    near.send("SUBSCRIBE", headers=["Event: presence", "Expires: 600"])
    refresh = far.peer.expect("SUBSCRIBE")
    assert refresh.get("Call-ID") == far.call_id
    far.peer.reply(refresh, 200, headers=["Expires: 600"], tag=far.local_tag)
    near.peer.expect("200 SUBSCRIBE")
    notify(near, far, "active;expires=600")
    near.send("SUBSCRIBE", headers=["Event: presence", "Expires: 0"])
    far.peer.reply(far.peer.expect("SUBSCRIBE"), 200, headers=["Expires: 0"], tag=far.local_tag)
    near.peer.expect("200 SUBSCRIBE")
    notify(near, far, "terminated;reason=timeout")
    net.gateway.wait_idle()
    assert net.gateway.wait_event("subscription ended")["cause"] == "terminated"


@options(**RELAY)
def test_notify_before_the_answer(net):
    near = net.caller()
    send(near, "SUBSCRIBE", headers=["Event: presence"])
    far = Dialog(net.core, invite=net.core.expect("SUBSCRIBE"))
    notify(near, far)
    far.reply(200, headers=["Expires: 60"])
    near.answered(net.access.expect("200 SUBSCRIBE"))
    notify(near, far, "terminated;reason=noresource")
    net.gateway.wait_idle()


@options(**RELAY)
def test_poll(net):
    near = net.caller()
    send(near, "SUBSCRIBE", headers=["Event: presence", "Expires: 0"])
    far = Dialog(net.core, invite=net.core.expect("SUBSCRIBE"))
    notify(near, far, "terminated;reason=timeout")
    far.reply(200, headers=["Expires: 0"])
    net.access.expect("200 SUBSCRIBE")
    net.gateway.advance(40)  # its last NOTIFY came before we knew that it was one
    net.gateway.wait_idle()


@options(**RELAY)
@pytest.mark.parametrize("status", [403, 404, 489, 423])
def test_subscription_refused(net, status):
    near = net.caller()
    send(near, "SUBSCRIBE", headers=["Event: presence", "Expires: 1"])
    net.core.reply(net.core.expect("SUBSCRIBE"), status, headers=["Min-Expires: 60"])
    assert net.access.expect(f"{status} SUBSCRIBE").get("Min-Expires") == "60"
    net.gateway.wait_idle()


@options(**RELAY)
def test_subscription_not_answered(net):
    near = net.caller()
    send(near, "SUBSCRIBE", headers=["Event: presence"])
    assert net.gateway.wait_event("subscription ended")["cause"] == "refused"
    net.gateway.wait_idle()


@options(**RELAY)
def test_subscription_expires(net):
    """Nobody refreshes it: swept away, and what comes later is 481."""
    near, far = subscribe(net)
    net.gateway.advance(600)
    notify(near, far)  # its time of grace
    net.gateway.advance(33)
    net.gateway.wait_idle()
    assert net.gateway.wait_event("subscription ended")["cause"] == "expired"
    send(far, "NOTIFY", headers=["Event: presence", "Subscription-State: active"])
    net.core.expect("481 NOTIFY")


@options(**RELAY)
def test_refresh_keeps_it(net):
    near, far = subscribe(net)
    for _ in range(3):
        net.gateway.advance(500)
        near.send("SUBSCRIBE", headers=["Event: presence", "Expires: 600"])
        far.peer.reply(far.peer.expect("SUBSCRIBE"), 200, headers=["Expires: 600"], tag=far.local_tag)
        near.peer.expect("200 SUBSCRIBE")
    assert net.gateway.counts()["subscriptions"] == 1


@options(**RELAY)
@pytest.mark.parametrize("by_far", [True, False])
def test_one_end_has_lost_it(net, by_far):
    near, far = subscribe(net)
    if by_far:
        near.send("SUBSCRIBE", headers=["Event: presence", "Expires: 600"])
        far.peer.reply(far.peer.expect("SUBSCRIBE"), 481)
        near.peer.expect("481 SUBSCRIBE")
    else:
        notify(near, far, status=481)
    net.gateway.wait_idle()
    assert net.gateway.wait_event("subscription ended")["cause"] == "lost"


@options(**RELAY)
def test_fork_of_a_subscription(net):
    """A second notifier's NOTIFY is 481 (RFC 6665 section 4.4.1: one dialog is enough)."""
    near, far = subscribe(net)
    other = Dialog(net.core, invite=far.invite)
    send(other, "NOTIFY", headers=["Event: presence", "Subscription-State: active"])
    net.core.expect("481 NOTIFY")
    notify(near, far)


@options(subscriptions=2, **RELAY)
def test_bounded_for_each_peer(net):
    subscribe(net)
    near, far = subscribe(net)
    one_more = net.caller()
    send(one_more, "SUBSCRIBE", headers=["Event: presence"])
    assert net.access.expect("503 SUBSCRIBE").get("Retry-After")
    subscribe(net, "core")
    notify(near, far, "terminated;reason=rejected")
    net.gateway.wait_event("subscription ended")
    subscribe(net)


@options(**RELAY)
def test_subscription_without_an_event(net):
    net.caller().send("SUBSCRIBE")
    net.access.expect("489 SUBSCRIBE")


@options(**RELAY)
def test_stranger_in_a_subscription(net):
    net.mixes = True
    near, far = subscribe(net)
    net.core.send_text(near.request_text("SUBSCRIBE", cseq=near.cseq + 1), net.access_gw)
    net.core.expect("403 SUBSCRIBE")
    for method, status in (("INVITE", 405), ("OPTIONS", 200), ("MESSAGE", 405)):
        near.send(method)
        near.peer.expect(f"{status} {method}")


@options(**RELAY)
def test_restart_with_everything_open(net):
    subscribe(net)
    send(net.caller(), "MESSAGE", "x")
    net.core.expect("MESSAGE")
    assert net.gateway.ask("restart") == "restarted"
    net.gateway.wait_idle()
