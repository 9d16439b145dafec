# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2086,SC2154 # plain words; lib.sh
#
# The loader through its life, without an agent.

loader_cases()
{
	local word text

	agent_gone
	while read -r word text; do
		case $word in
		ok) ok "loader: $text" ;;
		FAIL) fail "loader: $text" "see the log" ;;
		*) echo "# $word $text" ;;
		esac
	done < <(on_one "$bin/tests/kernel/guard_smoke" auto 2>&1)
	check "loader: nothing is left" "$pins" [ ! -e $pins ]
	umount -l /root/d
}
