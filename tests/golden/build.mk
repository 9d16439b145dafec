# SPDX-License-Identifier: GPL-2.0-only
#
# What the golden files are compared with: a log of evidence, and the command
# for which it is always the same moment.

GOLDEN := $(addprefix $(B)/tests/golden/,log cordon)

$(B)/tests/golden/log: $(B)/tests/golden/log.o
$(B)/tests/golden/cordon: $(call objects,$(COMMAND))

$(GOLDEN): $(B)/tests/golden/clock.o $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
		$(B)/libcordon.a $(LIBS) $(COMMAND_LIBS)

unit run-tests: $(GOLDEN)

golden: $(UNIT) $(B)/cordon $(GOLDEN) ## write the golden files again
	$(Q)tests/golden/check --write

.PHONY: golden
