# SPDX-License-Identifier: GPL-2.0
# Programs of the channel matrix. Include it from the top-level Makefile, or
# build them alone, from the top directory: make -f tests/channel/build.mk
#
# They are static, so that one binary runs in every guest, and without PIE, so
# that "exec" has an image to show.

CHANNEL_DIR := tests/channel
CHANNEL_OUT ?= build/tests
CHANNEL_CC ?= gcc
CHANNEL_CFLAGS ?= -std=gnu17 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror \
	-fno-pie
CHANNEL_LDFLAGS ?= -static -no-pie

CHANNEL_PROBE_SRCS := probe.c probe_life.c probe_open.c probe_read.c \
	probe_uring.c probe_release.c probe_stream.c probe_dgram.c \
	probe_link.c probe_net.c record.c
CHANNEL_PROBE_LIBS := -l:liburing.a -lpthread
CHANNEL_SINK_SRCS := sink.c sink_count.c record.c
CHANNEL_SINK_LIBS :=
CHANNEL_MAKESET_SRCS := makeset.c record.c
CHANNEL_MAKESET_LIBS :=

CHANNEL_BINS := $(addprefix $(CHANNEL_OUT)/,probe sink makeset)
CHANNEL_HEADERS := $(wildcard $(CHANNEL_DIR)/*.h)

channel_objs = $(addprefix $(CHANNEL_OUT)/channel/,$(1:.c=.o))

.PHONY: channel channel-selftest
channel: $(CHANNEL_BINS)

channel-selftest: channel
	$(CHANNEL_DIR)/native-selftest $(CHANNEL_OUT)

$(CHANNEL_OUT)/channel/%.o: $(CHANNEL_DIR)/%.c $(CHANNEL_HEADERS)
	@mkdir -p $(@D)
	$(CHANNEL_CC) $(CHANNEL_CFLAGS) -c -o $@ $<

$(CHANNEL_OUT)/probe: $(call channel_objs,$(CHANNEL_PROBE_SRCS))
	$(CHANNEL_CC) $(CHANNEL_LDFLAGS) -o $@ $^ $(CHANNEL_PROBE_LIBS)

$(CHANNEL_OUT)/sink: $(call channel_objs,$(CHANNEL_SINK_SRCS))
	$(CHANNEL_CC) $(CHANNEL_LDFLAGS) -o $@ $^ $(CHANNEL_SINK_LIBS)

$(CHANNEL_OUT)/makeset: $(call channel_objs,$(CHANNEL_MAKESET_SRCS))
	$(CHANNEL_CC) $(CHANNEL_LDFLAGS) -o $@ $^ $(CHANNEL_MAKESET_LIBS)
