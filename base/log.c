// SPDX-License-Identifier: GPL-3.0-or-later
// log.c - a line is built on the stack and written at once. At most PIPE_BUF bytes, so that lines of several processes
// on one pipe never mix; what does not fit is left out and said ("truncated").
#include "base/log.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES PIPE_BUF
#define LINE_TAIL 24      // room kept for `,"truncated":true}` and the newline
#define VALUE_MAX 1024    // bytes of one value that are looked at

static struct {
	_Atomic unsigned level; // enum log_level
	enum log_format format;
	char process[16];
} log_state = { LOG_LEVEL_INFO, LOG_FORMAT_TEXT, "sallyport" };

static const char *const level_names[] = { "debug", "info", "warning", "error" };

struct line {
	char bytes[LINE_MAX_BYTES];
	size_t len;
	bool full; // something did not fit
};

enum log_level log_level(void)
{
	return atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_state.level, level, memory_order_relaxed);
}

void log_setup(enum log_level level, enum log_format format, const char *process)
{
	log_set_level(level);
	log_state.format = format;
	snprintf(log_state.process, sizeof(log_state.process), "%s", process);
}

const char *log_errno(int err)
{
	const char *text = strerrordesc_np(err < 0 ? -err : err);

	return text != NULL ? text : "unknown error";
}

static void put(struct line *ln, const char *bytes, size_t len)
{
	if (ln->full || ln->len + len > LINE_MAX_BYTES - LINE_TAIL) {
		ln->full = true;
		return;
	}
	memcpy(ln->bytes + ln->len, bytes, len);
	ln->len += len;
}

static void put_str(struct line *ln, const char *text)
{
	put(ln, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct line *ln, const char *format, ...)
{
	char text[64];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (len > 0)
		put(ln, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
}

// Decodes one character of UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF). Returns its length, 0 when
// the bytes are none.
static size_t utf8_decode(const unsigned char *s, size_t left, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 && s[0] < 0xf8 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 :
		     s[0] >= 0xc0 && s[0] < 0xe0 ? 2 : 0;
	uint32_t c;

	if (len == 0 || len > left)
		return 0;
	c = len == 1 ? s[0] : s[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < least[len] || (c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff)
		return 0;
	*code = c;
	return len;
}

// Characters that a terminal or a viewer acts upon: C0, DEL, C1, line separators, direction overrides.
static bool is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x2028 || c == 0x2029 || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static void put_quoted(struct line *ln, const char *text)
{
	size_t left = strnlen(text, VALUE_MAX + 1), len;
	bool cut = left > VALUE_MAX;
	uint32_t c;

	if (cut)
		left = VALUE_MAX;
	put_str(ln, "\"");
	for (; left > 0; text += len, left -= len) {
		len = utf8_decode((const unsigned char *)text, left, &c);
		if (len == 0) {
			len = 1;
			put_str(ln, "\\ufffd");
		} else if (c == '"' || c == '\\') {
			put_format(ln, "\\%c", (int)c);
		} else if (is_unsafe(c)) {
			put_format(ln, "\\u%04x", c);
		} else {
			put(ln, text, len);
		}
	}
	put_str(ln, cut ? "...\"" : "\"");
}

// Text format: bare where that cannot be misread, else quoted as in JSON.
static void put_bare(struct line *ln, const char *text)
{
	size_t len = 0;

	for (; len <= VALUE_MAX && text[len] > ' ' && text[len] <= '~'; len++) {
		if (strchr("\"\\=", text[len]) != NULL)
			break;
	}
	if (len > 0 && len <= VALUE_MAX && text[len] == '\0')
		put(ln, text, len);
	else
		put_quoted(ln, text);
}

static void put_value(struct line *ln, const struct log_field *f)
{
	bool json = log_state.format == LOG_FORMAT_JSON;

	if (f->kind == LOG_FIELD_INT)
		put_format(ln, "%lld", (long long)f->i);
	else if (f->kind == LOG_FIELD_UINT)
		put_format(ln, "%llu", (unsigned long long)f->u);
	else if (f->kind == LOG_FIELD_BOOL)
		put_str(ln, f->u != 0 ? "true" : "false");
	else if (f->kind == LOG_FIELD_REAL && isfinite(f->f))
		put_format(ln, "%.9g", f->f);
	else if (f->kind == LOG_FIELD_REAL || f->s == NULL)
		put_str(ln, json ? "null" : "-");
	else if (json)
		put_quoted(ln, f->s);
	else
		put_bare(ln, f->s);
}

static void put_field(struct line *ln, const struct log_field *f)
{
	if (log_state.format == LOG_FORMAT_JSON) {
		put_str(ln, ",");
		put_quoted(ln, f->key);
		put_str(ln, ":");
	} else {
		put_format(ln, " %.40s=", f->key);
	}
	put_value(ln, f);
}

static void put_time(struct line *ln)
{
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	put_format(ln, "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		   tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000);
}

static void put_head_json(struct line *ln, enum log_level level, const char *tag, const char *event)
{
	put_str(ln, "{\"time\":\"");
	put_time(ln);
	put_format(ln, "\",\"level\":\"%s\",\"process\":", level_names[level]);
	put_quoted(ln, log_state.process);
	put_str(ln, ",\"tag\":");
	put_quoted(ln, tag);
	put_str(ln, ",\"event\":");
	put_quoted(ln, event);
}

static void put_head_text(struct line *ln, enum log_level level, const char *tag, const char *event)
{
	put_time(ln);
	put_format(ln, " %s %s %.20s: ", level_names[level], log_state.process, tag);
	put_str(ln, event);
}

static void put_end(struct line *ln)
{
	const char *end = log_state.format == LOG_FORMAT_JSON ? "}\n" : "\n";
	const char *cut = log_state.format == LOG_FORMAT_JSON ? ",\"truncated\":true}\n" : " truncated=true\n";
	const char *text = ln->full ? cut : end;

	memcpy(ln->bytes + ln->len, text, strlen(text)); // LINE_TAIL was kept for this
	ln->len += strlen(text);
}

static void write_line(const struct line *ln)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, ln->bytes, ln->len);
	} while (n < 0 && errno == EINTR);
}

void log_emit(enum log_level level, const char *tag, const char *event, const struct log_field *fields)
{
	int saved = errno;
	struct line ln;

	if (level < log_level())
		return;
	ln.len = 0;
	ln.full = false;
	if (log_state.format == LOG_FORMAT_JSON)
		put_head_json(&ln, level, tag, event);
	else
		put_head_text(&ln, level, tag, event);
	for (; fields->key != NULL && !ln.full; fields++) {
		size_t before = ln.len;

		put_field(&ln, fields);
		if (ln.full)
			ln.len = before; // a field is there wholly or not at all
	}
	put_end(&ln);
	write_line(&ln);
	errno = saved;
}
