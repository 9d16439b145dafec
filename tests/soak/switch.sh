# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # guest; 67-switch.sh
#
# Policies that take turns, as in tests/kernel/67-switch.sh, for a minute.

# shellcheck source=tests/kernel/67-switch.sh
. tests/kernel/67-switch.sh

sw_seconds=60

step_switch()
{
	switch_prepare
	switch_cases
}
