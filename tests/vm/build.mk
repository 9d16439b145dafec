# SPDX-License-Identifier: GPL-2.0-only
#
# The virtual machines. In this order: nothing can be built before its packages
# are there.

vm-selftest: deps ## try the VM bench itself: each kernel boots within 15 s
	$(Q)tests/vm/selftest

.PHONY: vm-selftest
