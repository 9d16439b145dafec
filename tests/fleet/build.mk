# SPDX-License-Identifier: GPL-2.0-only
#
# A host without an agent, for the tests of its force.

$(B)/tests/fleet/host: $(B)/tests/fleet/host.o $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

fleet-programs: $(B)/tests/fleet/host $(B)/cordon-link

unit run-tests: fleet-programs

.PHONY: fleet-programs
