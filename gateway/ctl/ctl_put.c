// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_put.c - see ctl_put.h.
#include "gateway/ctl/ctl_put.h"
#include <stdio.h>

void ctl_put(const char *text, int width)
{
	int n = 0;

	for (; *text != '\0' && (width == 0 || n < width); text++, n++)
		putchar((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ? '?' : *text);
	for (; n < width; n++)
		putchar(' ');
	if (width != 0)
		putchar(' ');
}

const char *ctl_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "-";
}

double ctl_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

void ctl_put_number(const json_t *object, const char *key, int width)
{
	const json_t *value = json_object_get(object, key);
	char text[32] = "-";

	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		snprintf(text, sizeof(text), "%.2f", json_real_value(value));
	printf("%*s ", width, text);
}
