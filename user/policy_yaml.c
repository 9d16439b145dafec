// SPDX-License-Identifier: GPL-2.0-only
#include "policy_yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

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
	/* libyaml's marks count characters: the byte at one of them */
	size_t at_char;
	size_t at_byte;
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
 * Why the byte at i has no place in a policy, or NULL: a NUL, for who reads the
 * file with C strings signs another text than the one that is parsed; a lone
 * CR, with which a terminal writes one line over another; directives and
 * complex keys, which libyaml's events do not tell from none.
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
	default:
		return NULL;
	}
}

/*
 * Where the first byte is that has no place in a policy, and why; len if there
 * is none. Lines are bounded so that a person can review them.
 */
static size_t find_bad_byte(const char *buf, size_t len, const char **ret_why)
{
	size_t clean = text_clean_prefix(buf, len, "\n\r\t");
	size_t line_start = 0, i;
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

static struct policy_pos pos_of(const yaml_mark_t *mark)
{
	return (struct policy_pos){(uint32_t)mark->line + 1,
				   (uint32_t)mark->column + 1};
}

/* The byte at a mark; events come in the order of the text. */
static size_t byte_at(struct builder *b, const yaml_mark_t *mark)
{
	while (b->at_char < mark->index && b->at_byte < b->len) {
		b->at_byte++;
		while (b->at_byte < b->len &&
		       ((unsigned char)b->buf[b->at_byte] & 0xc0) == 0x80)
			b->at_byte++;
		b->at_char++;
	}
	return b->at_byte;
}

/*
 * Refuse a scalar that does not stand in the file as YAML reads it: on one
 * line, without escapes. A policy needs no more, and its reviewer sees what is
 * parsed.
 */
static void refuse_styles(struct builder *b, const yaml_event_t *event)
{
	yaml_scalar_style_t style = event->data.scalar.style;
	size_t len = event->data.scalar.length, start, end;
	const char *text;

	if (style == YAML_LITERAL_SCALAR_STYLE ||
	    style == YAML_FOLDED_SCALAR_STYLE) {
		complain(b, b->pos,
			 "a block of text (| or >); expected text of one line");
		return;
	}
	start = byte_at(b, &event->start_mark);
	end = byte_at(b, &event->end_mark);
	if (event->start_mark.line != event->end_mark.line) {
		complain(b, b->pos,
			 "text over several lines; expected text of one line");
		return;
	}
	if (style != YAML_PLAIN_SCALAR_STYLE && end - start >= 2) {
		start++;
		end--;
	}
	text = b->buf + start;
	if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE &&
	    memchr(text, '\'', end - start)) {
		complain(b, b->pos,
			 "a quote ('') inside single quotes; expected double "
			 "quotes around such text");
		return;
	}
	if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE &&
	    memchr(text, '\\', end - start)) {
		complain(b, b->pos,
			 "a backslash inside double quotes; expected single "
			 "quotes around such text, and no escapes");
		return;
	}
	if (end - start != len ||
	    memcmp(text, event->data.scalar.value, len) != 0)
		complain(b, b->pos,
			 "text that does not mean what it looks like; expected "
			 "letters, digits, signs and single blanks");
}

static int add_text(struct builder *b, const char *text, size_t len,
		    bool is_plain)
{
	struct policy_yaml *node;
	int r;

	r = add_node(b, POLICY_YAML_SCALAR, &node);
	if (r)
		return r;
	node->text = strndup(text, len);
	if (!node->text)
		return -ENOMEM;
	node->len = len;
	node->is_null = is_plain && text_is_null(text, len);
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

/* True if there were any. */
static bool refuse_properties(struct builder *b, const void *anchor,
			      const void *tag)
{
	if (anchor)
		complain(b, b->pos,
			 "an anchor (&); expected every value written out");
	if (tag)
		complain(b, b->pos, "a tag (!); expected the value alone");
	return anchor || tag;
}

static int add_scalar(struct builder *b, const yaml_event_t *event)
{
	yaml_scalar_style_t style = event->data.scalar.style;

	/* these stand before the text: its place is not known then */
	if (!refuse_properties(b, event->data.scalar.anchor,
			       event->data.scalar.tag))
		refuse_styles(b, event);
	return add_text(b, (const char *)event->data.scalar.value,
			event->data.scalar.length,
			style == YAML_PLAIN_SCALAR_STYLE);
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

static int add_event(struct builder *b, const yaml_event_t *event)
{
	b->pos = pos_of(&event->start_mark);
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return start_document(b);
	case YAML_MAPPING_START_EVENT:
		(void)refuse_properties(b, event->data.mapping_start.anchor,
					event->data.mapping_start.tag);
		return open_node(b, POLICY_YAML_MAP);
	case YAML_SEQUENCE_START_EVENT:
		(void)refuse_properties(b, event->data.sequence_start.anchor,
					event->data.sequence_start.tag);
		return open_node(b, POLICY_YAML_LIST);
	case YAML_SCALAR_EVENT:
		return add_scalar(b, event);
	case YAML_ALIAS_EVENT:
		complain(b, b->pos,
			 "an alias (*); expected the value written out, "
			 "or \"*\" in quotes for everyone and everything");
		return add_text(b, "", 0, true);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return close_node(b);
	default:
		return 0;
	}
}

/* What to say of the mistakes in YAML that people really make. */
static const struct mistake {
	const char *context; /* parts of what libyaml says */
	const char *problem;
	const char *what; /* NULL: the problem, as libyaml says it */
	const char *remedy;
	bool at_context; /* the place is where it began */
} mistakes[] = {
	{"flow sequence", "expected ',' or ']'",
	 "flow sequence without a closing bracket",
	 "a ] at the end of the list", false},
	{"flow mapping", "expected ',' or '}'",
	 "flow mapping without a closing brace", "a } at the end of the map",
	 false},
	{"quoted scalar", "end of stream",
	 "quoted scalar without closing quote",
	 "a quote at the end of the text", true},
	{"", "mapping values are not allowed", "a \": \" where no key can be",
	 "text with \": \" in quotes, and each key in a line of its own, with "
	 "the indentation of the keys around it",
	 false},
	{"block mapping", "expected key", NULL,
	 "\"key: value\", with the indentation of the keys around it", false},
	{"simple key", "expected ':'", "text without a key", "\"key: value\"",
	 true},
	{"block collection", "'-' indicator", NULL,
	 "a list of - or a map of keys, but not both", false},
	{"", "<document start>", "missing document start",
	 "YAML as cordon-policy(5) shows it", false},
	/* `subject: *`, of all mistakes the likeliest */
	{"alias", "alphabetic or numeric", "a * alone starts an alias in YAML",
	 "\"*\" in quotes", true},
	{"", "", NULL, "YAML as cordon-policy(5) shows it", false},
};

static void report_syntax(struct builder *b, const yaml_parser_t *parser)
{
	const char *problem = parser->problem ? parser->problem : "unreadable";
	const char *context = parser->context ? parser->context : "";
	const struct mistake *m = mistakes;

	if (parser->error == YAML_READER_ERROR) {
		complain(b, place_of(b->buf, parser->problem_offset),
			 "%s; expected plain text in UTF-8", problem);
		return;
	}
	while (!strstr(context, m->context) || !strstr(problem, m->problem))
		m++;
	b->pos = pos_of(m->at_context ? &parser->context_mark
				      : &parser->problem_mark);
	if (strstr(problem, "cannot start any token"))
		complain(b, b->pos,
			 "plain scalar cannot start with '%c'; expected such "
			 "text in quotes",
			 b->buf[byte_at(b, &parser->problem_mark)]);
	else
		complain(b, b->pos, "%s; expected %s",
			 m->what ? m->what : problem, m->remedy);
}

static int add_events(struct builder *b, yaml_parser_t *parser)
{
	yaml_event_t event;
	bool ended = false;
	int r;

	while (!ended) {
		if (!yaml_parser_parse(parser, &event)) {
			if (parser->error == YAML_MEMORY_ERROR)
				return -ENOMEM;
			report_syntax(b, parser);
			return -EINVAL;
		}
		ended = event.type == YAML_STREAM_END_EVENT;
		r = add_event(b, &event);
		yaml_event_delete(&event);
		if (r)
			return r;
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
		.buf = len ? buf : "",
		.len = len,
		.errs = errs,
		.pos = {1, 1},
	};
	yaml_parser_t parser;
	const char *why;
	size_t ok;
	int r;

	ok = find_bad_byte(buf, len, &why);
	if (ok < len) {
		complain(&b, place_of(buf, ok), "%s", why);
		return -EINVAL;
	}
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)b.buf,
				     len);

	r = add_events(&b, &parser);
	if (r)
		goto out;

	b.root->older = b.newest;
	*ret_root = b.root;
	b.newest = NULL;
out:
	free_all(b.newest);
	yaml_parser_delete(&parser);
	return r;
}

void policy_yaml_quote(FILE *out, const char *text)
{
	const char *quote = strpbrk(text, "\"\\") ? "'" : "\"";

	if (strpbrk(text, "\"\\") && strchr(text, '\''))
		quote = "";
	(void)fprintf(out, "%s%s%s", quote, text, quote);
}
