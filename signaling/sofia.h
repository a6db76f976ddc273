// SPDX-License-Identifier: GPL-3.0-or-later
// sofia.h - the one place that includes Sofia-SIP. Its callback contexts are typed void, since each callback has one kind.
#pragma once
#define NTA_AGENT_MAGIC_T void
#define NTA_LEG_MAGIC_T void
#define NTA_OUTGOING_MAGIC_T void
#define NTA_INCOMING_MAGIC_T void
#define NTA_RELIABLE_MAGIC_T void
#define SU_ROOT_MAGIC_T void
#define SU_TIMER_ARG_T void
#define SU_WAKEUP_ARG_T void
#include <stdbool.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_header.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_status.h>
#include <sofia-sip/sip_util.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <sofia-sip/url.h>

// A 2xx to an INVITE of ours by another fork than the one that nta has had an answer of. Takes msg. One a process.
typedef int sofia_stray_f(void *ctx, msg_t *msg);
void sofia_on_stray(sofia_stray_f *stray, void *ctx);
// What a socket of the library's has just taken or given, as it is on the wire: this thread's; NULL: nobody looks. `at`: the other
// side's address, NULL where the socket has one. `len` octets of the vector.
struct iovec;
typedef void sofia_wire_f(void *ctx, int fd, bool out, const struct iovec *iov, size_t n, size_t len, const struct sockaddr *at);
void sofia_on_wire(sofia_wire_f *wire, void *ctx);
void sofia_setup(void); // its clock, log and name resolution become ours; before any root is made
