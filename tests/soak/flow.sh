# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034,SC2154 # guest; 86-flow.sh
#
# Random flows as in tests/kernel/86-flow.sh, but other ones each time, for as
# long as the run may take. A guard tells 4,094 origins apart, so it is another
# guard after some hundred programs.

# shellcheck source=tests/kernel/86-flow.sh
. tests/kernel/86-flow.sh

flow_each=400
flow_most=$((60 * minutes + 120))

step_flow()
{
	local seed=$((RANDOM << 15 | RANDOM)) end=$((SECONDS + 60 * minutes))
	local how=() which

	flow_prepare
	while ((SECONDS < end)); do
		guard_start < <(flow_policy)
		which=one_step_after_another
		((!${#how[@]})) || which=steps_run_together
		flow_runs 0 "${how[@]}" --seed "$seed" --programs $flow_each \
			--seconds $((end > SECONDS ? end - SECONDS : 1))
		check "flow/$seed/holds_when_$which" "exit $rc: $got" [ "$rc" = 0 ]
		((seed += flow_each))
		if ((${#how[@]})); then
			how=()
		else
			how=(--together)
		fi
	done
}
