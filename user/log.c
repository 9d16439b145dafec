// SPDX-License-Identifier: GPL-2.0-only
#include "log.h"
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static struct {
	const char *ident;
	bool debug;
	bool journal;
} log_to = {.ident = "cordon"};

/* Is standard error the journal's stream that the environment names? */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void log_open(const char *ident, bool debug)
{
	log_to.ident = ident;
	log_to.debug = debug;
	log_to.journal = is_journal();
}

void log_clean(char *text)
{
	size_t len = strlen(text), done = 0;

	while (done < len) {
		done += text_clean_prefix(text + done, len - done, "");
		if (done < len)
			text[done++] = '?';
	}
}

static void log_write(int level, const char *format, va_list ap)
{
	char line[LOG_LINE_MAX];
	size_t start, len;
	int n;

	if (log_to.journal)
		n = snprintf(line, sizeof(line), "<%d>", level);
	else
		n = snprintf(line, sizeof(line), "%s: ", log_to.ident);
	if (n < 0 || (size_t)n >= sizeof(line) - 1)
		return;
	start = (size_t)n;
	if (vsnprintf(line + start, sizeof(line) - 1 - start, format, ap) < 0)
		return;
	log_clean(line + start);
	len = strlen(line);
	line[len++] = '\n';
	/* One write: lines of several processes do not mix. */
	(void)!write(STDERR_FILENO, line, len);
}

#define LOG_FUNCTION(name, level)                          \
	void log_##name(const char *format, ...)           \
	{                                                  \
		va_list ap;                                \
                                                           \
		if ((level) == LOG_DEBUG && !log_to.debug) \
			return;                            \
		va_start(ap, format);                      \
		log_write((level), format, ap);            \
		va_end(ap);                                \
	}

LOG_FUNCTION(error, LOG_ERR)
LOG_FUNCTION(warning, LOG_WARNING)
LOG_FUNCTION(notice, LOG_NOTICE)
LOG_FUNCTION(info, LOG_INFO)
LOG_FUNCTION(debug, LOG_DEBUG)

void log_level(int level, const char *format, ...)
{
	va_list ap;

	if (level == LOG_DEBUG && !log_to.debug)
		return;
	va_start(ap, format);
	log_write(level, format, ap);
	va_end(ap);
}

bool log_is_journal(void)
{
	return log_to.journal;
}
