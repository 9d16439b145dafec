# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A part of its own; see 82-chains.sh.
