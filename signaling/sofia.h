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
void sofia_setup(void); // its clock, log and name resolution become ours; before any root is made
