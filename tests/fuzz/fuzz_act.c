// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of acts. What it asserts beyond "no crash": what was taken is one
 * act for one host, within its bounds and with nothing of another kind, and
 * comes back the same from its own file; a refusal says why.
 *
 * Known-bad modes: see fuzz_policy.c; here the reason is "Fuzz Selftest" in the
 * seed called selftest*, and something else in a mutant.
 */
#include "fuzz.h"

#include <errno.h>

#include "act.h"
#include "text.h"

static void check_act(const struct act *act)
{
	CHECK(act->kind < ACT_KIND_MAX && act->issuer[0] && act->reason[0]);
	CHECK(act->host[0] && !strpbrk(act->host, "*? "));
	CHECK(strlen(act->host_key) == SIGN_HASH_CHARS_MAX - 1);
	CHECK(strlen(act->nonce) == ACT_NONCE_CHARS_MAX - 1);
	CHECK(act->kind == ACT_BREAK_GLASS
		      ? act->lasts_ns >= ACT_LASTS_NS_MIN &&
				act->lasts_ns <= ACT_LASTS_NS_MAX
		      : !act->lasts_ns);
	CHECK(!act->serial == (act->kind != ACT_RECOVER));
	CHECK(text_is_clean(act->reason, strlen(act->reason), ""));
}

static void check_again(const struct act *act, struct policy_errors *errs)
{
	struct act again;
	char *text = NULL;
	int r;

	r = act_format(act, &text, errs);
	if (r) {
		/* Quotes of both kinds, or what looks like more than a text. */
		CHECK(r == -ENOMEM || errs->n > 0);
		return;
	}
	CHECK(act_parse("again", text, strlen(text), &again, errs) == 0);
	CHECK(again.kind == act->kind && again.serial == act->serial);
	CHECK(again.lasts_ns == act->lasts_ns);
	CHECK(strcmp(again.issuer, act->issuer) == 0);
	CHECK(strcmp(again.host, act->host) == 0);
	CHECK(strcmp(again.host_key, act->host_key) == 0);
	CHECK(strcmp(again.nonce, act->nonce) == 0);
	CHECK(strcmp(again.reason, act->reason) == 0);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_errors errs;
	char words[ACT_WORDS_MAX];
	struct act act;
	int r;

	memset(&act, 0, sizeof(act));
	r = act_parse("fuzz", data, size, &act, &errs);
	if (r) {
		CHECK(errs.n > 0);
		return 0;
	}
	check_act(&act);
	act_words(&act, words, sizeof(words));
	check_again(&act, &errs);
	fuzz_selftest(strcmp(act.reason, "Fuzz Selftest") == 0,
		      strcmp(act.reason, "Fuzz Selftest") != 0);
	return 0;
}
