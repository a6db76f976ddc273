// SPDX-License-Identifier: GPL-3.0-or-later
// event_json.h - notices as the data of events; openapi.json has their schemas. NULL: no memory.
#pragma once
#include "gateway/admin/event_ring.h"
#include "mediarelay/media_notice.h"
#include "signaling/sip_notice.h"
#include <jansson.h>

double event_time(mono_ns at); // seconds since 1970
json_t *event_of_sip(const struct sip_notice *n, enum event_type *type);
json_t *event_of_media(const struct media_notice *n, enum event_type *type, unsigned relay_restarts);
