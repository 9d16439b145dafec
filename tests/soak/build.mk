# SPDX-License-Identifier: GPL-2.0-only
#
# What is too long for `make test`: a million records, a long run,
# and random flows.

$(B)/tests/soak/crowd: $(B)/tests/soak/crowd.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -static -no-pie -o $@ $^

# In this order: nothing can be built before its packages are there.
soak: deps ## a million records, SOAK_MINUTES (5) of load and of flows, a hundred resets, a day's budget
	$(Q)$(MAKE) all channel flow kernel-programs $(B)/tests/soak/crowd
	$(Q)tests/soak/run
	$(Q)tests/run-powercuts 100
	$(Q)tests/run-windows

.PHONY: soak
