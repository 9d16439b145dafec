# SPDX-License-Identifier: GPL-2.0-only
#
# The cost bench. Its programs are static: what they cost themselves is then
# the same in every guest.

BENCH := $(addprefix $(B)/tests/bench/,ops fanotify programs verdicts)
LONGLOG := $(B)/tests/bench/longlog
HOSTS := $(B)/tests/bench/hosts

$(BENCH): $(B)/tests/bench/%: $(B)/tests/bench/%.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -static -o $@ $^

$(LONGLOG) $(HOSTS): $(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

bench-programs: $(BENCH) $(LONGLOG) $(HOSTS) $(B)/tests/makeset \
		$(B)/tests/kernel/switching

# In this order: nothing can be built before its packages are there.
bench: deps ## what the guard costs, in instructions, and agent and fleet, in time
	$(Q)$(MAKE) all bench-programs
	$(Q)tests/bench/run
	$(Q)tests/bench/evidence
	$(Q)tests/bench/fleet

.PHONY: bench bench-programs
