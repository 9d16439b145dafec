# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that speak to the loader without an agent; they run in the VM bench.

KERNEL := $(patsubst %.c,$(B)/%,$(wildcard tests/kernel/*.c))

$(KERNEL): $(B)/%: $(B)/%.o $(call objects,$(wildcard user/guard*.c)) \
		$(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(AGENT_LIBS)

# What tests/run-kernels takes into the bench beside the product; tests/channel
# and tests/flow add theirs.
kernel-programs: $(KERNEL) ## what tests/kernel runs in the VM bench

run-tests: kernel-programs

matrix: deps ## every part on every kernel in both ways of attaching
	$(Q)$(MAKE) kernel-matrix

kernel-matrix: all kernel-programs
	$(Q)tests/run-kernels --all; r=$$?; tests/matrix/table && exit $$r

.PHONY: kernel-programs matrix kernel-matrix
