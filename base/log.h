// SPDX-License-Identifier: GPL-3.0-or-later
// log.h - structured log: one line an event, key and value pairs, as text or JSON on standard error.
// Thread safe; a line is one write(2). Values are escaped, so no outside byte can break a line. Secrets never come here.
// Every line that belongs to a call carries LOG_STR("call", internal id), and "call_id_a"/"call_id_b" as far as known.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
	const char *key; // NULL ends the list
	enum { LOG_FIELD_STR, LOG_FIELD_INT, LOG_FIELD_UINT, LOG_FIELD_BOOL, LOG_FIELD_REAL } kind;
	union {
		const char *s; // NULL prints as null
		int64_t i;
		uint64_t u;
		double f;
	};
};

#define LOG_STR(k, v) { .key = (k), .kind = LOG_FIELD_STR, .s = (v) }
#define LOG_INT(k, v) { .key = (k), .kind = LOG_FIELD_INT, .i = (v) }
#define LOG_UINT(k, v) { .key = (k), .kind = LOG_FIELD_UINT, .u = (v) }
#define LOG_BOOL(k, v) { .key = (k), .kind = LOG_FIELD_BOOL, .u = (v) }
#define LOG_REAL(k, v) { .key = (k), .kind = LOG_FIELD_REAL, .f = (v) }
#define LOG_ERRNO(err) LOG_STR("error", log_errno((err))) // negative errno

void log_setup(enum log_level level, enum log_format format, const char *process); // before threads start
enum log_level log_level(void);
void log_set_level(enum log_level level); // from any thread
void log_emit(enum log_level level, const char *tag, const char *event, const struct log_field *fields);
const char *log_errno(int err);

#define log_at(level, tag, event, ...) \
	log_emit((level), (tag), (event), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ .key = NULL } })
#define log_debug(tag, event, ...) log_at(LOG_LEVEL_DEBUG, tag, event __VA_OPT__(, ) __VA_ARGS__)
#define log_info(tag, event, ...) log_at(LOG_LEVEL_INFO, tag, event __VA_OPT__(, ) __VA_ARGS__)
#define log_warning(tag, event, ...) log_at(LOG_LEVEL_WARNING, tag, event __VA_OPT__(, ) __VA_ARGS__)
#define log_error(tag, event, ...) log_at(LOG_LEVEL_ERROR, tag, event __VA_OPT__(, ) __VA_ARGS__)
