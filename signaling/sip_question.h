// SPDX-License-Identifier: GPL-3.0-or-later
// sip_question.h - a question on its way to the sip thread (sip_calls.h), by its mailbox (sip.c).
#pragma once
#include <stdbool.h>

struct sip;
struct sip_inventory;
struct sip_question;

int sip_question_post(struct sip *sip, struct sip_question *q); // from any thread; -ENOSPC: it is still the caller's
void sip_question_post_surely(struct sip *sip, struct sip_question *q); // waits for room; not from the sip thread
void sip_question_answer(struct sip *sip, struct sip_question *q, bool alive); // frees it; not alive: the thread has ended

// sip_inventory.c, on the sip thread.
struct sip_inventory *sip_inventory_of(const struct sip *sip); // malloc'ed; NULL: no memory
