# SPDX-License-Identifier: GPL-2.0-only
#
# Cordon. `make deps` once, then `make`; `make help` lists the rest. Whatever
# is generated goes to $(B). V=1 shows the commands, JOBS=1 builds serially.

B ?= build
BTF ?= /sys/kernel/btf/vmlinux
CLANG ?= clang
BPFTOOL ?= bpftool
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
# Parts of tests/kernel that `make test` runs; none named: all of them.
TEST_PARTS ?=

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS) --no-print-directory
endif
export PATH := $(PATH):/usr/sbin:/sbin
export B

BUILD_DEPS := bpftool clang gcc libbpf-dev libc6-dev libelf-dev \
	libjansson-dev libmicrohttpd-dev libnats-dev libncurses-dev \
	libseccomp-dev libsodium-dev libsqlite3-dev libsystemd-dev libyaml-dev linux-libc-dev llvm make \
	pkg-config zlib1g-dev
TEST_DEPS := clang-format-14 clang-tidy-14 cppcheck curl git iproute2 \
	jq libclang-rt-14-dev libcmocka-dev liburing-dev mandoc minisign \
	nats-server openssl python3 python3-prometheus-client shellcheck
VM_DEPS = $(shell sed '/^[^a-z]/d' tests/vm/host-packages)

# gcc takes it that errno can be 0 after a failure, and what the callee then
# did not return for used; the analysis of `make lint` knows better.
WARN := -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Werror -Wno-maybe-uninitialized -Wno-unknown-warning-option
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2
CPPFLAGS := -D_GNU_SOURCE -I$(B) -Ibpf -Iuser
CFLAGS ?= -O2 -g
ALL_CFLAGS = -std=c17 $(WARN) -fPIE $(HARDEN) $(CFLAGS)
LDFLAGS := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Werror -D__TARGET_ARCH_x86 \
	-I$(B) -Ibpf

# SANITIZE=address,undefined makes another build, in a $(B) of its own.
ifdef SANITIZE
HARDEN := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
endif

# Only the loader, guard*.c, knows libbpf; the command is not linked with it,
# nor the agent with an HTTP server, which only cmd_metrics.c knows. Only the
# link, a process without privileges, speaks to the network of a fleet.
AGENT := user/cordond.c $(wildcard user/guard*.c)
COMMAND := user/cordon.c $(wildcard user/cmd_*.c)
LINK := $(wildcard user/cordon_link*.c)
LIBRARY := $(filter-out $(AGENT) $(COMMAND) $(LINK),$(wildcard user/*.c))
UNIT := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/test_*.c))
# What calls the command, speaks as these do, and reads what it writes.
UNIT_SCRIPTS := tests/unit/test_command tests/unit/test_terminal \
	tests/unit/test_report_page tests/metrics/check tests/export/check \
	tests/golden/check tests/sign/check
# With a real broker; a minute each, mostly of waiting.
FLEET_SCRIPTS := tests/fleet/check-link tests/fleet/check-force \
	tests/fleet/check-host
LIBS := -lyaml -ljansson -lsodium -lsqlite3 -lz -lresolv
AGENT_LIBS := -lbpf -lelf -lsystemd
LINK_LIBS := -lnats -ljansson -lseccomp
COMMAND_LIBS := -lmicrohttpd -lncursesw -lsystemd -ltinfo

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n' $(1) $(2)
endif

objects = $(patsubst %.c,$(B)/%.o,$(1))

all: $(B)/cordond $(B)/cordon $(B)/cordon-link ## build the agent, the guard and the command

$(B)/cordond: $(call objects,$(AGENT)) $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(AGENT_LIBS)

$(B)/cordon: $(call objects,$(COMMAND)) $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) $(COMMAND_LIBS)

$(B)/cordon-link: $(call objects,$(LINK)) $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $^ $(LINK_LIBS)

$(B)/libcordon.a: $(call objects,$(LIBRARY))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(filter $(B)/tests/unit/test_agent_%,$(UNIT)): $(B)/tests/unit/agent_host.o

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) \
		$(filter %.a,$^) $(LIBS) -lcmocka

$(B)/%.o: %.c Makefile
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# The guard is one translation unit, which includes the other files of bpf/.
$(B)/guard.bpf.o: bpf/guard.bpf.c $(B)/vmlinux.h Makefile
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/guard.skel.h: $(B)/guard.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name guard >$@.new && mv $@.new $@

$(call objects,$(AGENT)): $(B)/guard.skel.h

# Unchanged types keep the old file: the BTF looks new after every boot.
$(B)/vmlinux.h: $(BTF)
	$(call say,BTF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) btf dump file $< format c >$@.new
	$(Q)if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BTF):
	@echo "$@: no such file: the guard is built from the types of a" \
		"kernel. Boot a kernel with CONFIG_DEBUG_INFO_BTF=y (every" \
		"kernel of Debian has it), or name the vmlinux of any kernel" \
		"from 6.1 on: make BTF=/path/to/vmlinux" >&2; exit 1

deps: ## install the Debian packages that building and testing need
	$(Q).ci/deps $(BUILD_DEPS) $(TEST_DEPS) $(VM_DEPS)
	$(Q).ci/promtool $(B)/promtool

# For what boots no kernel.
deps-sources:
	$(Q).ci/deps $(BUILD_DEPS) $(TEST_DEPS)

# In this order: nothing can be built before its packages are there.
test: deps ## unit tests, then the guard on real kernels
	$(Q)$(MAKE) run-tests

run-tests: all $(UNIT)
	$(Q)rm -rf $(B)/results && mkdir -p $(B)/results
	$(Q)tests/part unit tests/unit/run unit $(UNIT) $(UNIT_SCRIPTS)
	$(Q){ tests/part powercuts tests/run-powercuts; \
		tests/part reboot tests/run-reboot; \
		tests/part fleet tests/unit/run fleet $(FLEET_SCRIPTS); } \
		>$(B)/beside-kernels.log 2>&1 & tests/part kernels tests/run-kernels \
		--two-after $$! $(TEST_PARTS:%=--part %); wait; \
		cat $(B)/beside-kernels.log
	$(Q)tests/tally

unit: $(UNIT) $(B)/cordon ## the unit tests alone: no root, no clang, no kernel
	$(Q)tests/unit/run unit $(UNIT) $(UNIT_SCRIPTS) $(FLEET_SCRIPTS)

sanitize: deps-sources ## the unit tests under AddressSanitizer and UBSan
	$(Q)$(MAKE) B=$(B)/sanitize SANITIZE=address,undefined unit-programs
	$(Q)tests/unit/run sanitize $(UNIT:$(B)/%=$(B)/sanitize/%)

unit-programs: $(UNIT)

mutate: ## break the arithmetic in many places: do the tests notice?
	$(Q)tests/unit/mutate

fuzz: deps-sources ## every parser of untrusted bytes, FUZZ_SECONDS (60) each
	$(Q)$(MAKE) B=$(B)/fuzz CC=$(CLANG) \
		SANITIZE=fuzzer-no-link,address,undefined fuzz-programs
	$(Q)tests/fuzz/run $(FUZZ_SECONDS)

fuzz-programs: $(patsubst %.c,$(B)/%,$(wildcard tests/fuzz/fuzz_*.c))

$(B)/tests/fuzz/%: $(B)/tests/fuzz/%.o $(B)/libcordon.a
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS)

lint: deps-sources ## form and static analysis of all sources
	$(Q)$(MAKE) $(B)/guard.skel.h
	$(Q)tests/lint

clean: ## remove what was built, but not the kernels of the VM bench
	$(Q)find $(B) -mindepth 1 -maxdepth 1 ! -name vm -exec rm -rf {} +

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile \
		$(wildcard tests/*/build.mk) | expand -t 20

# Each may add programs, targets, and to what `test` needs: test: $(MINE)
-include $(wildcard tests/*/build.mk)
-include $(shell [ ! -d $(B) ] || find $(B) -path $(B)/vm -prune -o -name '*.d' -print)

.PHONY: all deps deps-sources test run-tests unit unit-programs sanitize mutate fuzz \
	fuzz-programs lint clean help
.DELETE_ON_ERROR:
.SECONDARY:
