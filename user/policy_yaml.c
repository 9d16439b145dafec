// SPDX-License-Identifier: GPL-2.0-only
#include "policy_yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

struct builder {
	const char *name;
	const char *buf;
	size_t len;
	struct policy_errors *errs;
	bool bad;
	/* Newest node of all; the root is the oldest. */
	struct policy_yaml *newest;
	struct policy_yaml *root;
	struct policy_yaml *open; /* the list or map being filled */
	struct policy_pos pos;	  /* of the last event that had one */
	size_t n_nodes;
	unsigned int depth;
	unsigned int n_documents;
};

static void free_all(struct policy_yaml *newest)
{
	struct policy_yaml *older;

	for (; newest; newest = older) {
		older = newest->older;
		free(newest->text);
		free(newest);
	}
}

void policy_yaml_free(struct policy_yaml *root)
{
	/* the root's `older` is the newest: see policy_yaml_parse() */
	struct policy_yaml *newest;

	if (!root)
		return;
	newest = root->older;
	root->older = NULL;
	free_all(newest);
}

#define complain(b, pos, ...)                                                \
	do {                                                                 \
		(b)->bad = true;                                             \
		policy_errors_add((b)->errs, (b)->name, (pos), __VA_ARGS__); \
	} while (0)

/* The place of the byte at offset. */
static struct policy_pos place_of(const char *buf, size_t offset)
{
	struct policy_pos pos = {1, 1};

	for (size_t i = 0; i < offset; i++) {
		if (buf[i] == '\n') {
			pos.line++;
			pos.col = 1;
		} else if (((unsigned char)buf[i] & 0xc0) != 0x80) {
			pos.col++;
		}
	}
	return pos;
}

static bool is_blank_or_end(const char *buf, size_t len, size_t i)
{
	return i >= len || strchr(" \r\n", buf[i]);
}

/*
 * Why the byte at i must not reach libfyaml 0.7.12, or NULL. What fuzzing
 * found: it takes a NUL or a byte order mark of UTF-16 for the end of the
 * input and says nothing, so that what follows would be signed, but not
 * parsed; `? s:<tab>-` is freed twice; the number in a directive overflows; a
 * backslash at the end of the file runs into an assertion. A lone CR lets a
 * terminal write one line over another. None of it has a place in a policy.
 */
static const char *bad_byte(const char *buf, size_t len, size_t i,
			    bool in_comment)
{
	switch (buf[i]) {
	case '\0':
		return "a NUL byte; expected text in UTF-8";
	case '\t':
		return "a tab; expected blanks";
	case '\r':
		if (i + 1 == len || buf[i + 1] != '\n')
			return "a carriage return alone; expected lines that "
			       "end in LF or CR LF";
		return NULL;
	case '%':
		if (i == 0 || buf[i - 1] == '\n')
			return "a YAML directive (%); expected none";
		return NULL;
	case '?':
		if (!in_comment && is_blank_or_end(buf, len, i + 1) &&
		    (i == 0 || strchr(" \n[{,", buf[i - 1])))
			return "a complex key (?); expected \"key: value\"";
		return NULL;
	case '\\':
		if (i + 1 == len)
			return "a backslash ends the file; expected a line "
			       "break there";
		return NULL;
	default:
		return NULL;
	}
}

/*
 * Where the first byte is that must not reach libfyaml, and why; len if there
 * is none. Lines and marks are bounded because what may turn out to be a key
 * is kept until that is known: 16 MiB of [ took 6 GiB of memory.
 */
static size_t find_bad_byte(const char *buf, size_t len, const char **ret_why)
{
	size_t clean = text_clean_prefix(buf, len, "\n\r\t");
	size_t line_start = 0, n_marks = 0, i;
	bool in_comment = false, in_indent = true;
	const char *why;

	for (i = 0; i < clean; i++) {
		if (buf[i] == '\n') {
			line_start = i + 1;
			in_comment = false;
			in_indent = true;
			continue;
		}
		in_comment = in_comment || (in_indent && buf[i] == '#');
		in_indent = in_indent && buf[i] == ' ';
		why = bad_byte(buf, len, i, in_comment);
		if (i - line_start >= POLICY_LINE_BYTES_MAX)
			why = "a line of more than 64 KiB; expected shorter "
			      "lines";
		if (strchr("[{&!*\"'", buf[i]) &&
		    ++n_marks > POLICY_YAML_MARKS_MAX)
			why = "more than 400000 quotes and brackets; expected "
			      "a smaller policy";
		if (why) {
			*ret_why = why;
			return i;
		}
	}
	if (i < len) {
		why = bad_byte(buf, len, i, false);
		*ret_why = why ? why
			       : "an invisible, control or invalid character; "
				 "expected plain text in UTF-8";
	}
	return i;
}

static bool text_is_null(const char *text, size_t len)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};

	for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
		if (len == strlen(nulls[i]) && memcmp(text, nulls[i], len) == 0)
			return true;
	return false;
}

/* *ret_node is the tree's, linked in below b->open. -EINVAL: too many. */
static int add_node(struct builder *b, enum policy_yaml_type type,
		    struct policy_yaml **ret_node)
{
	struct policy_yaml *node;

	if (b->n_nodes >= POLICY_YAML_NODES_MAX) {
		complain(b, b->pos,
			 "more than %d values; expected a smaller policy",
			 POLICY_YAML_NODES_MAX);
		return -EINVAL;
	}
	node = calloc(1, sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->type = type;
	node->pos = b->pos;
	node->older = b->newest;
	b->newest = node;
	b->n_nodes++;
	if (!b->root)
		b->root = node;

	node->parent = b->open;
	if (b->open) {
		if (b->open->last)
			b->open->last->next = node;
		else
			b->open->first = node;
		b->open->last = node;
		b->open->n_children++;
	}
	*ret_node = node;
	return 0;
}

/*
 * The text of a scalar as it stands in the file, and only where that is what
 * YAML makes of it: one line, without escapes. A policy needs no more, its
 * reviewer sees what is parsed, and libfyaml's own conversion is left alone:
 * 0.7.12 reads 'a''''b' wrongly, into a buffer that it fills in part, and its
 * stack grows with the empty lines behind a block.
 */
static const char *raw_text(struct builder *b, struct fy_token *token,
			    size_t *ret_len)
{
	const struct fy_mark *start = fy_token_start_mark(token);
	const struct fy_mark *end = fy_token_end_mark(token);
	enum fy_scalar_style style = fy_token_scalar_style(token);
	const char *text;
	size_t len;

	if (style == FYSS_LITERAL || style == FYSS_FOLDED) {
		complain(b, b->pos,
			 "a block of text (| or >); expected text of one line");
		return NULL;
	}
	if (!start || !end || start->input_pos > end->input_pos ||
	    end->input_pos > b->len) {
		complain(b, b->pos,
			 "text without a place; expected text of one line");
		return NULL;
	}
	text = b->buf + start->input_pos;
	len = end->input_pos - start->input_pos;

	if (memchr(text, '\n', len) || memchr(text, '\r', len)) {
		complain(b, b->pos,
			 "text over several lines; expected text of one line");
		return NULL;
	}
	if (style == FYSS_SINGLE_QUOTED && memchr(text, '\'', len)) {
		complain(b, b->pos,
			 "a quote ('') inside single quotes; expected double "
			 "quotes around such text");
		return NULL;
	}
	if (style == FYSS_DOUBLE_QUOTED && memchr(text, '\\', len)) {
		complain(b, b->pos,
			 "a backslash inside double quotes; expected single "
			 "quotes around such text, and no escapes");
		return NULL;
	}
	if (fy_token_get_text_length(token) != len ||
	    !text_is_clean(text, len, "")) {
		complain(b, b->pos,
			 "text that does not mean what it looks like; expected "
			 "letters, digits, signs and single blanks");
		return NULL;
	}
	*ret_len = len;
	return text;
}

static int add_scalar(struct builder *b, struct fy_token *token)
{
	enum fy_scalar_style style = FYSS_PLAIN;
	struct policy_yaml *node;
	const char *text = "";
	size_t len = 0;
	int r;

	if (token)
		style = fy_token_scalar_style(token);
	/* the mark of a quoted scalar stands behind the quote */
	if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) &&
	    b->pos.col > 1)
		b->pos.col--;
	if (token && fy_token_get_text_length(token) > 0)
		text = raw_text(b, token, &len);
	if (!text)
		text = "";

	r = add_node(b, POLICY_YAML_SCALAR, &node);
	if (r)
		return r;
	node->text = strndup(text, len);
	if (!node->text)
		return -ENOMEM;
	node->len = len;
	node->is_null = style == FYSS_PLAIN && text_is_null(text, len);
	return 0;
}

static int open_node(struct builder *b, enum policy_yaml_type type)
{
	struct policy_yaml *node;
	int r;

	if (b->depth >= POLICY_YAML_DEPTH_MAX) {
		complain(b, b->pos,
			 "nested deeper than %d levels; expected the structure "
			 "that cordon-policy(5) shows",
			 POLICY_YAML_DEPTH_MAX);
		return -EINVAL;
	}
	r = add_node(b, type, &node);
	if (r)
		return r;
	b->depth++;
	b->open = node;
	return 0;
}

static int close_node(struct builder *b)
{
	bool is_map = b->open && b->open->type == POLICY_YAML_MAP;

	/* all that comes after walks maps by pairs: take nobody's word */
	if (!b->open || (is_map && b->open->n_children % 2 != 0)) {
		complain(
			b, b->pos,
			"keys and values do not pair; expected \"key: value\"");
		return -EINVAL;
	}
	if (is_map)
		b->open->n_children /= 2;
	b->open = b->open->parent;
	b->depth--;
	return 0;
}

static void refuse_properties(struct builder *b, struct fy_event *event)
{
	struct fy_token *token;

	token = fy_event_get_anchor_token(event);
	if (token && event->type != FYET_ALIAS)
		complain(b, b->pos,
			 "an anchor (&); expected every value written out");
	token = fy_event_get_tag_token(event);
	if (token)
		complain(b, b->pos, "a tag (!); expected the value alone");
}

static int start_document(struct builder *b)
{
	b->n_documents++;
	if (b->n_documents > 1) {
		complain(b, b->pos,
			 "a second document begins; expected one policy a "
			 "file, without a second `---`");
		return -EINVAL;
	}
	return 0;
}

static int add_event(struct builder *b, struct fy_event *event)
{
	const struct fy_mark *mark = fy_event_start_mark(event);

	if (mark && mark->line >= 0 && mark->column >= 0) {
		b->pos.line = (uint32_t)mark->line + 1;
		b->pos.col = (uint32_t)mark->column + 1;
	}
	switch (event->type) {
	case FYET_DOCUMENT_START:
		return start_document(b);
	case FYET_MAPPING_START:
		refuse_properties(b, event);
		return open_node(b, POLICY_YAML_MAP);
	case FYET_SEQUENCE_START:
		refuse_properties(b, event);
		return open_node(b, POLICY_YAML_LIST);
	case FYET_SCALAR:
		refuse_properties(b, event);
		return add_scalar(b, event->scalar.value);
	case FYET_ALIAS:
		b->pos.col -= b->pos.col > 1; /* the mark is behind the * */
		complain(b, b->pos,
			 "an alias (*); expected the value written out, "
			 "or \"*\" in quotes for everyone and everything");
		return add_scalar(b, NULL);
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		return close_node(b);
	default:
		return 0;
	}
}

/* What to do about the mistakes in YAML that people really make. */
static const char *remedy(const char *msg)
{
	static const struct {
		const char *part;
		const char *remedy;
	} known[] = {
		{"closing quote", "a quote at the end of the text"},
		{"closing bracket", "a ] at the end of the list"},
		{"closing brace", "a } at the end of the map"},
		{"cannot start with", "such text in quotes"},
		{"multiline plain key", "each key in a line of its own, with "
					"the indentation of the keys around "
					"it"},
		{"nested block mapping", "text with \": \" in quotes"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strstr(msg, known[i].part))
			return known[i].remedy;
	return "YAML as cordon-policy(5) shows it";
}

/* The first error: the ones after it come from it. */
static void report_syntax(struct builder *b, struct fy_diag *diag)
{
	const struct fy_diag_error *error;
	void *prev = NULL;

	while ((error = fy_diag_errors_iterate(diag, &prev))) {
		if (error->type != FYET_ERROR || !error->msg)
			continue;
		if (error->line > 0 && error->column > 0) {
			b->pos.line = (uint32_t)error->line;
			b->pos.col = (uint32_t)error->column;
		}
		/* `subject: *`, of all mistakes the likeliest */
		if (strstr(error->msg, "invalid alias")) {
			b->pos.col -= b->pos.col > 1;
			complain(b, b->pos,
				 "a * alone starts an alias in YAML; expected "
				 "\"*\" in quotes");
			return;
		}
		complain(b, b->pos, "%s; expected %s", error->msg,
			 remedy(error->msg));
		return;
	}
	complain(b, b->pos, "cannot be read as YAML; expected %s", remedy(""));
}

static int add_events(struct builder *b, struct fy_parser *parser,
		      struct fy_diag *diag)
{
	struct fy_event *event;
	bool ended = false;
	int r;

	while ((event = fy_parser_parse(parser))) {
		ended = event->type == FYET_STREAM_END;
		r = add_event(b, event);
		fy_parser_event_free(parser, event);
		if (r)
			return r;
	}
	if (fy_parser_get_stream_error(parser) || !ended) {
		report_syntax(b, diag);
		return -EINVAL;
	}
	if (!b->root) {
		complain(b, ((struct policy_pos){1, 1}),
			 "the policy is empty; expected `cordon: 1` and what "
			 "cordon-policy(5) lists");
		return -EINVAL;
	}
	return b->bad ? -EINVAL : 0;
}

int policy_yaml_parse(const char *name, const char *buf, size_t len,
		      struct policy_yaml **ret_root, struct policy_errors *errs)
{
	struct builder b = {
		.name = name,
		.buf = buf,
		.len = len,
		.errs = errs,
		.pos = {1, 1},
	};
	struct fy_parse_cfg cfg = {
		.flags = FYPCF_QUIET | FYPCF_JSON_NONE |
			 FYPCF_DEFAULT_VERSION_1_2,
	};
	struct fy_parser *parser = NULL;
	struct fy_diag_cfg diag_cfg;
	struct fy_diag *diag;
	const char *why;
	size_t ok;
	int r;

	ok = find_bad_byte(buf, len, &why);
	if (ok < len) {
		complain(&b, place_of(buf, ok), "%s", why);
		return -EINVAL;
	}

	fy_diag_cfg_default(&diag_cfg);
	diag_cfg.fp = NULL;
	diag = fy_diag_create(&diag_cfg);
	if (!diag)
		return -ENOMEM;
	fy_diag_set_collect_errors(diag, true);
	cfg.diag = diag;
	parser = fy_parser_create(&cfg);
	if (!parser || fy_parser_set_string(parser, len ? buf : "", len)) {
		r = -ENOMEM;
		goto out;
	}

	r = add_events(&b, parser, diag);
	if (r)
		goto out;

	b.root->older = b.newest;
	*ret_root = b.root;
	b.newest = NULL;
out:
	free_all(b.newest);
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	return r;
}
