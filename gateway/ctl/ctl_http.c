// SPDX-License-Identifier: GPL-3.0-or-later
// ctl_http.c - HTTP/1.1 as far as this one server needs it: a request, an answer of stated length, the end.
#include "gateway/ctl/ctl_http.h"
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 15
#define ANSWER_MAX (16u << 20)

static int dial_unix(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(at.sun_path))
		return -1;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int dial_tcp(const char *address)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list;
	const char *colon = strrchr(address, ':');
	char host[256];
	size_t len = colon != NULL ? (size_t)(colon - address) : 0;
	int fd = -1;

	if (len == 0 || len >= sizeof(host))
		return -1;
	if (address[0] == '[' && colon[-1] == ']') { // of IPv6
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = '\0';
	if (getaddrinfo(host, colon + 1, &hints, &list) != 0)
		return -1;
	for (const struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
		fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

static int send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return -1;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int send_request(int fd, const struct ctl_door *door, const char *method, const char *path, const char *body)
{
	char *text;
	int len = asprintf(&text, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s%s%sContent-Length: %zu\r\n\r\n%s", method,
			   path, door->token[0] != '\0' ? "Authorization: Bearer " : "", door->token,
			   door->token[0] != '\0' ? "\r\n" : "", body != NULL ? "Content-Type: application/json\r\n" : "",
			   body != NULL ? strlen(body) : 0, body != NULL ? body : "");
	int err;

	if (len < 0)
		return -1;
	err = send_all(fd, text, (size_t)len);
	explicit_bzero(text, (size_t)len);
	free(text);
	return err;
}

// Zero-terminated; NULL: no memory, too long, or the time is up.
static char *read_answer(int fd, size_t *len)
{
	size_t room = 1 << 16;
	char *text = malloc(room), *more;
	ssize_t n;

	*len = 0;
	while (text != NULL && (n = recv(fd, text + *len, room - 1 - *len, 0)) != 0) {
		if (n < 0 || room > ANSWER_MAX) {
			free(text);
			return NULL;
		}
		*len += (size_t)n;
		if (*len < room - 1)
			continue;
		more = realloc(text, room *= 2);
		if (more == NULL)
			free(text);
		text = more;
	}
	if (text != NULL)
		text[*len] = '\0';
	return text;
}

// Cut short counts as none.
static json_t *body_of(const char *text, size_t len, int *status)
{
	const char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "\r\nContent-Length: ");

	if (sscanf(text, "HTTP/1.1 %3d ", status) != 1 || body == NULL || length == NULL || length > body)
		return NULL;
	body += 4;
	if (strtoul(length + 18, NULL, 10) != len - (size_t)(body - text))
		return NULL;
	return json_loadb(body, len - (size_t)(body - text), 0, NULL);
}

json_t *ctl_ask(const struct ctl_door *door, const char *method, const char *path, const char *body, int *status, const char **why)
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = strncmp(door->address, "unix:", 5) == 0 ? dial_unix(door->address + 5) : dial_tcp(door->address);
	json_t *answer = NULL;
	char *text;
	size_t len;

	*why = "cannot connect: is the gateway up, and has its configuration a token?";
	if (fd < 0)
		return NULL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	*why = "no whole answer";
	text = send_request(fd, door, method, path, body) == 0 ? read_answer(fd, &len) : NULL;
	if (text != NULL)
		answer = body_of(text, len, status);
	free(text);
	close(fd);
	return answer;
}
