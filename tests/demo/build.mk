# SPDX-License-Identifier: GPL-2.0-only
#
# The demonstration. printd stands for the application that may read and send;
# it is static so that it runs in every guest.

$(B)/tests/demo/printd: $(B)/tests/demo/printd.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -static -no-pie -o $@ $^

# In this order: nothing can be built before its packages are there.
demo: deps ## bulk grabs in a VM, without and with the guard (DEMO_KERNEL=6.12)
	@echo "demo: building"
	$(Q)$(MAKE) all channel $(B)/tests/demo/printd
	$(Q)tests/demo/run

.PHONY: demo
