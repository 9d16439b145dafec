# SPDX-License-Identifier: GPL-2.0-only
#
# The cost bench. Its programs are static: what they cost themselves is then
# the same in every guest.

BENCH := $(addprefix $(B)/tests/bench/,ops fanotify programs)

$(BENCH): $(B)/tests/bench/%: $(B)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -static -o $@ $^

bench-programs: $(BENCH) $(B)/tests/makeset

# In this order: nothing can be built before its packages are there.
bench: deps ## what the guard costs, in instructions
	$(Q)$(MAKE) all bench-programs
	$(Q)tests/bench/run

.PHONY: bench bench-programs
