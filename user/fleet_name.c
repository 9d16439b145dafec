// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names in subjects: all of fleet_message.h that the program at the network
 * needs, which has no keys and no cryptography of ours in it.
 */
#include "fleet_message.h"

#include <errno.h>
#include <string.h>

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool fleet_is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(name[i]))
			return false;
	return len > 0 && len <= FLEET_NAME_CHARS_MAX;
}

int fleet_name(const char *host, char ret_name[FLEET_NAME_CHARS_MAX + 1])
{
	char name[FLEET_NAME_CHARS_MAX + 1];
	size_t len = strlen(host);

	if (len >= sizeof(name))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		name[i] = host[i] == '.' ? '_' : host[i];
	if (!fleet_is_name(name, len))
		return -EINVAL;
	memcpy(ret_name, name, len);
	ret_name[len] = '\0';
	return 0;
}
