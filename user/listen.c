// SPDX-License-Identifier: GPL-2.0-only
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "text.h"

#define BACKLOG	      16
#define ADDRESS_CHARS 64
#define EXPECTED                                                       \
	"expected 127.0.0.1:PORT, [::1]:PORT, unix:/PATH, or systemd " \
	"for a socket that it passes"

static int refuse(char *error, int r, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int refuse(char *error, int r, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(error, LISTEN_ERROR_CHARS_MAX, format, ap);
	va_end(ap);
	log_clean(error);
	return r;
}

/* ---- addresses ----------------------------------------------------------- */

static const struct sockaddr_in *inet(const struct listen_address *address)
{
	return (const struct sockaddr_in *)&address->address;
}

static const struct sockaddr_in6 *inet6(const struct listen_address *address)
{
	return (const struct sockaddr_in6 *)&address->address;
}

static const struct sockaddr_un *path(const struct listen_address *address)
{
	return (const struct sockaddr_un *)&address->address;
}

static bool is_local(const struct listen_address *address)
{
	switch (address->address.ss_family) {
	case AF_UNIX:
		return true;
	case AF_INET:
		return ntohl(inet(address)->sin_addr.s_addr) >> 24 ==
		       IN_LOOPBACKNET;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&inet6(address)->sin6_addr);
	default:
		return false;
	}
}

static int parse_path(const char *text, struct listen_address *address,
		      char *error)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->address;
	size_t len = strlen(text);

	if (text[0] != '/' || len >= sizeof(un->sun_path))
		return refuse(error, -EINVAL,
			      "unix:%.100s: expected a path that begins with / "
			      "and has less than %zu bytes",
			      text, sizeof(un->sun_path));
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, text, len + 1);
	address->kind = LISTEN_UNIX;
	address->len = sizeof(*un);
	return 0;
}

static bool set_host(const char *host, bool six, uint16_t port,
		     struct listen_address *address)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->address;
	struct sockaddr_in *in = (struct sockaddr_in *)&address->address;

	address->kind = LISTEN_INET;
	if (six) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		address->len = sizeof(*in6);
		return inet_pton(AF_INET6, host, &in6->sin6_addr) == 1;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	address->len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1;
}

/* A name would be what some server says it is: only digits are taken. */
static int parse_host(const char *text, struct listen_address *address,
		      char *error)
{
	const char *colon = strrchr(text, ':');
	char host[ADDRESS_CHARS] = "";
	bool six = text[0] == '[';
	uint64_t port;
	size_t len;

	if (!colon || text_parse_u64(colon + 1, 0, UINT16_MAX, &port))
		return refuse(error, -EINVAL, "%.100s: " EXPECTED, text);
	len = (size_t)(colon - text);
	if (six && (len < 2 || text[--len] != ']'))
		return refuse(error, -EINVAL, "%.100s: " EXPECTED, text);
	len -= six;
	if (len < sizeof(host))
		memcpy(host, text + six, len);
	if (!set_host(host, six, (uint16_t)port, address))
		return refuse(error, -EINVAL, "%.100s: " EXPECTED, text);
	if (!is_local(address))
		return refuse(error, -EINVAL,
			      "%.100s: other hosts could ask there, and what "
			      "is told has no lock; " EXPECTED
			      ", and let an agent of this host carry it on",
			      text);
	return 0;
}

int listen_parse(const char *text, struct listen_address *ret_address,
		 char *error)
{
	static const char unix_scheme[] = "unix:";
	struct listen_address address = {0};
	int r = 0;

	if (strcmp(text, "systemd") == 0)
		address.kind = LISTEN_SYSTEMD;
	else if (strncmp(text, unix_scheme, strlen(unix_scheme)) == 0)
		r = parse_path(text + strlen(unix_scheme), &address, error);
	else
		r = parse_host(text, &address, error);
	if (!r)
		*ret_address = address;
	return r;
}

void listen_name(int fd, char *buf, size_t size)
{
	struct listen_address address = {.len = sizeof(address.address)};
	char host[INET6_ADDRSTRLEN] = "?";

	(void)getsockname(fd, (struct sockaddr *)&address.address,
			  &address.len);
	switch (address.address.ss_family) {
	case AF_INET:
		(void)inet_ntop(AF_INET, &inet(&address)->sin_addr, host,
				sizeof(host));
		(void)snprintf(buf, size, "%s:%d", host,
			       ntohs(inet(&address)->sin_port));
		break;
	case AF_INET6:
		(void)inet_ntop(AF_INET6, &inet6(&address)->sin6_addr, host,
				sizeof(host));
		(void)snprintf(buf, size, "[%s]:%d", host,
			       ntohs(inet6(&address)->sin6_port));
		break;
	default:
		(void)snprintf(buf, size, "unix:%.*s",
			       (int)sizeof(path(&address)->sun_path),
			       path(&address)->sun_path);
	}
}

/* ---- sockets ------------------------------------------------------------- */

/* Nobody listens any more at a socket whose process was killed. */
static bool is_left_behind(const struct listen_address *address)
{
	struct stat st;
	bool left;
	int fd;

	if (lstat(path(address)->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	left = connect(fd, (const struct sockaddr *)&address->address,
		       address->len) < 0 &&
	       errno == ECONNREFUSED;
	(void)close(fd);
	return left;
}

static int bind_to(int fd, const struct listen_address *address)
{
	const struct sockaddr *to = (const struct sockaddr *)&address->address;
	mode_t mask;
	int r;

	if (address->kind != LISTEN_UNIX)
		return bind(fd, to, address->len) < 0 ? -errno : 0;
	/* Whoever may open it is whoever may ask. */
	mask = umask(0117);
	r = bind(fd, to, address->len) < 0 ? -errno : 0;
	if (r == -EADDRINUSE && is_left_behind(address) &&
	    unlink(path(address)->sun_path) == 0)
		r = bind(fd, to, address->len) < 0 ? -errno : 0;
	(void)umask(mask);
	return r;
}

int listen_open(const struct listen_address *address, int *ret_fd, char *error)
{
	const int yes = 1;
	int fd, r;

	fd = socket(address->address.ss_family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return refuse(error, -errno, "socket: %s", strerror(errno));
	if (address->kind == LISTEN_INET)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes,
				 sizeof(yes));
	r = bind_to(fd, address);
	if (!r && listen(fd, BACKLOG) < 0)
		r = -errno;
	if (r) {
		(void)close(fd);
		return refuse(error, r, "cannot listen: %s%s", strerror(-r),
			      r == -EADDRINUSE
				      ? ": stop who does, or name another"
				      : "");
	}

	*ret_fd = fd;
	return 0;
}

int listen_check(int fd, char *error)
{
	struct listen_address address = {.len = sizeof(address.address)};
	int type = 0, listening = 0;
	socklen_t len = sizeof(type);
	char name[sizeof(struct sockaddr_un) + 8];

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address.address, &address.len) <
		    0)
		return refuse(error, -errno, "what was passed: %s",
			      strerror(errno));
	if (type != SOCK_STREAM || !listening)
		return refuse(error, -EINVAL,
			      "what was passed is no socket that listens: it "
			      "takes ListenStream= and Accept=no");
	if (!is_local(&address)) {
		listen_name(fd, name, sizeof(name));
		return refuse(error, -EINVAL,
			      "%s was passed, where other hosts could ask: "
			      "ListenStream= takes 127.0.0.1:PORT, [::1]:PORT "
			      "or /PATH",
			      name);
	}
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return refuse(error, -errno, "what was passed: %s",
			      strerror(errno));
	return 0;
}

void listen_remove(const struct listen_address *address)
{
	if (address->kind == LISTEN_UNIX)
		(void)unlink(path(address)->sun_path);
}
