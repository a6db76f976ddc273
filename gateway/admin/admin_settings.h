// SPDX-License-Identifier: GPL-3.0-or-later
// admin_settings.h - configured values as JSON, with the keys that the file has, defaults filled in and secrets taken out.
#pragma once
#include "gateway/schema.h"
#include <jansson.h>

json_t *admin_settings_json(const struct schema *schema, const void *from); // NULL: no memory
