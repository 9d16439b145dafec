# SPDX-License-Identifier: GPL-2.0-only
#
# The fuzzer of flows. It is linked with what the probe is made of, and static
# without PIE as that is, so that all its processes have things at one place.

FLOW := $(wildcard tests/flow/*.c) $(filter-out tests/channel/probe_main.c, \
	$(wildcard tests/channel/probe*.c)) tests/channel/record.c

$(B)/tests/flow/flow: $(call objects,$(FLOW))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -static -no-pie -o $@ $^ -l:liburing.a \
		-l:libz.a -lpthread

flow: $(B)/tests/flow/flow ## the fuzzer of flows, for the VM bench

kernel-programs: $(B)/tests/flow/flow

.PHONY: flow
