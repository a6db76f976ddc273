// SPDX-License-Identifier: GPL-3.0-or-later
// schema_types.c - the scalars that any configuration has: number, switch, choice, text, name.
#include "gateway/schema.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Decimal digits, nothing else: no sign, no leading zero (octal to some), no unit.
static int digits_read(uint32_t *value, const char *text)
{
	uint64_t n = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > UINT32_MAX)
			return -EINVAL;
	}
	*value = (uint32_t)n;
	return 0;
}

static int number_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		       size_t room)
{
	uint32_t least = f->list ? f->least : f->min, most = f->list ? f->most : f->max, value;

	snprintf(expected, room, "a whole number from %u to %u", least, most);
	if (scalar->quoted || digits_read(&value, scalar->text) < 0 || value < least || value > most)
		return -EINVAL;
	memcpy(dst, &value, sizeof(value));
	return 0;
}

static void number_print(FILE *to, const void *src, const struct schema_field *f)
{
	uint32_t value;

	memcpy(&value, src, sizeof(value));
	fprintf(to, "%u", value);
}

const struct schema_type schema_number = { number_read, number_print };

static int switch_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		       size_t room)
{
	bool value = strcmp(scalar->text, "true") == 0;

	snprintf(expected, room, "true or false");
	if (scalar->quoted || (!value && strcmp(scalar->text, "false") != 0))
		return -EINVAL;
	memcpy(dst, &value, sizeof(value));
	return 0;
}

static void switch_print(FILE *to, const void *src, const struct schema_field *f)
{
	fputs(*(const bool *)src ? "true" : "false", to);
}

const struct schema_type schema_switch = { switch_read, switch_print };

static int choice_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		       size_t room)
{
	size_t len = (size_t)snprintf(expected, room, "one of");

	for (const struct schema_word *w = f->words; w->word != NULL; w++) {
		if (strcmp(w->word, scalar->text) == 0) {
			memcpy(dst, &w->value, sizeof(w->value));
			return 0;
		}
		if (len < room)
			len += (size_t)snprintf(expected + len, room - len, "%s %s", w == f->words ? "" : ",", w->word);
	}
	return -EINVAL;
}

static void choice_print(FILE *to, const void *src, const struct schema_field *f)
{
	unsigned value;

	memcpy(&value, src, sizeof(value));
	for (const struct schema_word *w = f->words; w->word != NULL; w++) {
		if (w->value == value) {
			// Other readers of YAML take 1.2, on and off for something else than text.
			fprintf(to, "\"%s\"", w->word);
			return;
		}
	}
}

const struct schema_type schema_choice = { choice_read, choice_print };

static bool text_is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	}
	return true;
}

static int text_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		     size_t room)
{
	bool nothing = !scalar->quoted &&
		       (scalar->text[0] == '\0' || strcmp(scalar->text, "~") == 0 || strcmp(scalar->text, "null") == 0);

	snprintf(expected, room, "a text of at most %zu characters", f->size - 1);
	if (nothing || strlen(scalar->text) >= f->size || !text_is_printable(scalar->text))
		return -EINVAL;
	memcpy(dst, scalar->text, strlen(scalar->text) + 1);
	return 0;
}

static void text_print(FILE *to, const void *src, const struct schema_field *f)
{
	fputc('"', to);
	for (const char *s = src; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', to);
		fputc(*s, to);
	}
	fputc('"', to);
}

const struct schema_type schema_text = { text_read, text_print };

static int name_read(void *dst, const struct yaml_node *scalar, const struct schema_field *f, char *expected,
		     size_t room)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(scalar->text);

	snprintf(expected, room, "a name of 1 to %zu letters, digits, '.', '_', '-'", f->size - 1);
	if (len == 0 || len >= f->size || strspn(scalar->text, allowed) != len)
		return -EINVAL;
	memcpy(dst, scalar->text, len + 1);
	return 0;
}

const struct schema_type schema_name = { name_read, text_print };
