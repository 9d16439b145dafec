# SPDX-License-Identifier: GPL-2.0-only
#
# The programs of the channel matrix. They are static, so that one binary runs
# in every guest, and without PIE, so that "exec" has an image to show.

CHANNEL_PROBE := $(wildcard tests/channel/probe*.c) tests/channel/record.c
CHANNEL_SINK := $(wildcard tests/channel/sink*.c) tests/channel/record.c
CHANNEL_MAKESET := tests/channel/makeset.c tests/channel/record.c
CHANNEL := $(addprefix $(B)/tests/,probe sink makeset attack)

$(B)/tests/probe: $(call objects,$(CHANNEL_PROBE))
$(B)/tests/probe: CHANNEL_LIBS := -l:liburing.a -lpthread
$(B)/tests/sink: $(call objects,$(CHANNEL_SINK))
$(B)/tests/makeset: $(call objects,$(CHANNEL_MAKESET))
$(B)/tests/attack: $(call objects,tests/channel/attack.c tests/channel/record.c)
$(B)/tests/attack: CHANNEL_LIBS := -lpthread

$(CHANNEL):
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -static -no-pie -o $@ $^ $(CHANNEL_LIBS)

channel: $(CHANNEL) ## the probes of the channel matrix, their sink, a set

kernel-programs: $(CHANNEL)

channel-selftest: $(CHANNEL) ## the probes without a guard: bytes arrive
	$(Q)tests/channel/native-selftest $(B)/tests

.PHONY: channel channel-selftest
