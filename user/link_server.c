// SPDX-License-Identifier: GPL-2.0-only
#include "link.h"

#include <stdio.h>
#include <string.h>

#include "text.h"

#define SCHEME "tls://"

/* An address has brackets around it. */
static size_t name_length(const char *name)
{
	return name[0] == '[' ? strspn(name + 1, "0123456789abcdefABCDEF:.")
			      : strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "abcdefghijklmnopqrstuvwxyz"
					     "0123456789_-.");
}

bool link_is_server(const char *url)
{
	const char *name = url + sizeof(SCHEME) - 1, *end;
	uint64_t port;
	size_t len;

	if (strlen(url) > LINK_SERVER_CHARS_MAX ||
	    strncmp(url, SCHEME, sizeof(SCHEME) - 1) != 0)
		return false;
	len = name_length(name);
	end = name + len;
	if (name[0] == '[') {
		if (len < 2 || *++end != ']')
			return false;
		end++;
	} else if (len == 0) {
		return false;
	}
	return *end == '\0' ||
	       (*end == ':' && !text_parse_u64(end + 1, 1, 65535, &port));
}

void link_server_name(const char *url, char *buf, size_t size)
{
	const char *name = url + sizeof(SCHEME) - 1;
	size_t len = name_length(name);

	(void)snprintf(buf, size, "%.*s", (int)len, name + (name[0] == '['));
}
