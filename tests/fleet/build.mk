# SPDX-License-Identifier: GPL-2.0-only
#
# The fleet's programs for tests: one who has a link, a host without an agent,
# one with an agent, and what somebody tries who has the link.

FLEET := $(addprefix $(B)/tests/fleet/,host peer)

$(FLEET): $(B)/tests/fleet/%: $(B)/tests/fleet/%.o $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/tests/fleet/sandbox: $(B)/tests/fleet/sandbox.o \
		$(B)/user/cordon_link_sandbox.o
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ -lseccomp

# There is no kernel that it could guard.
$(B)/tests/fleet/agent: $(B)/tests/fleet/agent.o $(B)/tests/unit/agent_host.o \
		$(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

fleet-programs: $(FLEET) $(B)/tests/fleet/agent $(B)/tests/fleet/sandbox \
	$(B)/cordon-link

unit run-tests: fleet-programs

.PHONY: fleet-programs
