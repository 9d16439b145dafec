// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes what is pinned of a guard to what a test wants to find there: a guard
 * of another version or build, a full map. Knows the maps by their pins only;
 * the guard and its agent may run meanwhile.
 *
 * usage: pins abi|next_row NUMBER	one word of the guard's state
 *	  pins build TEXT		the build in the marker of the names
 *	  pins fill|empty MAP		with entries that stand for nothing
 *	  pins count MAP		nothing
 *	  pins unhook LINK		the program stays, the hook does not
 *
 * Prints what was there before, or how many entries came or went, or are there.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "abi.h"

#define KEY_BYTES_MAX	64
#define VALUE_BYTES_MAX 1024

static int open_pin(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), CORDON_PIN_DIR "/%s", name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
	return fd;
}

static int set_word(const char *name, const char *number)
{
	size_t bytes = sizeof(struct guard_state);
	struct guard_state *state;
	uint32_t *word;
	int fd;

	fd = open_pin("state");
	if (fd < 0)
		return 1;
	state = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (state == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	word = strcmp(name, "abi") ? &state->next_row : &state->abi;
	(void)printf("%u\n", *word);
	*word = (uint32_t)strtoul(number, NULL, 10);
	(void)munmap(state, bytes);
	return 0;
}

static int set_build(const char *text)
{
	struct name_value old = {0}, new = {0};
	struct name_key key = {0};
	size_t len;
	int fd, r;

	fd = open_pin("names");
	if (fd < 0)
		return 1;
	r = bpf_map_lookup_elem(fd, &key, &old);
	old.text[sizeof(old.text) - 1] = '\0';
	len = strcspn(old.text, " ");
	(void)snprintf(new.text, sizeof(new.text), "%s%.200s", text,
		       old.text + len);
	if (!r)
		r = bpf_map_update_elem(fd, &key, &new, BPF_EXIST);
	(void)close(fd);
	if (r) {
		perror("names");
		return 1;
	}
	(void)printf("%.*s\n", (int)len, old.text);
	return 0;
}

/*
 * No process, record or rule has a number from 2^30 on, and no scope is of a
 * kind like that: the guard never asks for these keys.
 */
static int change(const char *name, int fill)
{
	static const char value[VALUE_BYTES_MAX];
	unsigned char key[KEY_BYTES_MAX] = {0};
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), i, number, changed = 0;
	int fd, r;

	fd = open_pin(name);
	if (fd < 0)
		return 1;
	r = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (r || info.key_size > sizeof(key) || info.value_size > sizeof(value))
		goto out;
	for (i = 0; i < info.max_entries; i++) {
		number = 1U << 30 | i;
		memcpy(key, &number, sizeof(number));
		r = fill ? bpf_map_update_elem(fd, key, value, BPF_NOEXIST)
			 : bpf_map_delete_elem(fd, key);
		if (r)
			break;
		changed++;
	}
	/* There were others before. */
	if (r && errno == (fill ? E2BIG : ENOENT))
		r = 0;
out:
	if (r)
		perror(name);
	(void)close(fd);
	(void)printf("%u\n", changed);
	return r || !changed;
}

static int count(const char *name)
{
	unsigned char key[KEY_BYTES_MAX], *from = NULL;
	unsigned long n = 0;
	int fd;

	fd = open_pin(name);
	if (fd < 0)
		return 1;
	for (; !bpf_map_get_next_key(fd, from, key); from = key)
		n++;
	(void)close(fd);
	(void)printf("%lu\n", n);
	return 0;
}

/* As whoever is root may do it to a guard, and nobody says so. */
static int unhook(const char *name)
{
	int fd, r;

	fd = open_pin(name);
	if (fd < 0)
		return 1;
	r = bpf_link_detach(fd);
	if (r)
		perror(name);
	(void)close(fd);
	return r != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 &&
	    (!strcmp(argv[1], "abi") || !strcmp(argv[1], "next_row")))
		return set_word(argv[1], argv[2]);
	if (argc == 3 && !strcmp(argv[1], "build"))
		return set_build(argv[2]);
	if (argc == 3 &&
	    (!strcmp(argv[1], "fill") || !strcmp(argv[1], "empty")))
		return change(argv[2], !strcmp(argv[1], "fill"));
	if (argc == 3 && !strcmp(argv[1], "count"))
		return count(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "unhook"))
		return unhook(argv[2]);
	(void)fprintf(stderr, "usage: pins abi|next_row NUMBER\n"
			      "       pins build TEXT\n"
			      "       pins fill|empty|count MAP\n"
			      "       pins unhook LINK\n");
	return 2;
}
