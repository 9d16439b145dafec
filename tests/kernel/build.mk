# SPDX-License-Identifier: GPL-2.0-only
#
# Programs that speak to the loader without an agent; they run in the VM bench.

KERNEL := $(patsubst %.c,$(B)/%,$(wildcard tests/kernel/*.c))

$(KERNEL): $(B)/%: $(B)/%.o $(call objects,$(wildcard user/guard*.c)) \
		$(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(AGENT_LIBS)

kernel-programs: $(KERNEL) ## what tests/kernel runs in the VM bench

# What tests/run-kernels takes into the bench.
run-tests: $(KERNEL) $(addprefix $(B)/tests/,probe sink makeset)

matrix: deps ## every part on every kernel in both ways of attaching
	$(Q)$(MAKE) kernel-matrix

kernel-matrix: all $(KERNEL) $(addprefix $(B)/tests/,probe sink makeset)
	$(Q)tests/run-kernels --all; r=$$?; tests/matrix/table && exit $$r

.PHONY: kernel-programs matrix kernel-matrix
