// SPDX-License-Identifier: GPL-3.0-or-later
// drops.c - words and explanations of the drops.
#include "dataplane/drops.h"

#define X(name, word, text) [RELAY_DROP_##name] = word,
const char *const relay_drop_name[RELAY_DROP_COUNT] = { [RELAY_OK] = "ok", RELAY_DROPS(X) };
#undef X

#define X(name, word, text) [RELAY_DROP_##name] = text,
const char *const relay_drop_text[RELAY_DROP_COUNT] = { [RELAY_OK] = "not dropped", RELAY_DROPS(X) };
#undef X
