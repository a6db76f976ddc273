// SPDX-License-Identifier: GPL-3.0-or-later
// dtls_report.h - what strangers send to the media ports of all calls, in the log: a line a minute, and only if there was any.
#pragma once
#include "mediarelay/media_priv.h"

void dtls_report_tick(struct media *media, mono_ns now);
bool dtls_report_write(struct media *media); // what has not been told yet; whether there was any
