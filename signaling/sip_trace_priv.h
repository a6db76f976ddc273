// SPDX-License-Identifier: GPL-3.0-or-later
// sip_trace_priv.h - traces on the sip thread: what calls tell them.
#pragma once
#include "signaling/sip_trace.h"

struct sip_call;
struct sip_dialog;
struct sip_traces;

int sip_traces_open(struct sip *sip, const struct sip_trace_sink *sink); // sink NULL: there are none
void sip_traces_close(struct sip *sip);
int sip_trace_take(struct sip *sip, const struct sip_trace_want *want);
void sip_trace_drop(struct sip *sip, uint32_t trace);
// A dialog has its Call-ID: before anything of it is sent. Its call is traced from now on, or its messages are its call's.
void sip_trace_dialog(struct sip_dialog *d);
void sip_trace_session(struct sip_call *call); // it has media now
void sip_trace_over(const struct sip_call *call);
