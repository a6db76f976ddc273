// SPDX-License-Identifier: GPL-3.0-or-later
// admin_workers.h - how busy each worker was in the last whole second; sampled on the main loop.
#pragma once

struct admin_loads;
struct dp_client;
struct event_base;

int admin_loads_open(struct admin_loads **loadsp, struct event_base *base, const struct dp_client *dp);
void admin_loads_close(struct admin_loads *loads); // NULL is fine
