// SPDX-License-Identifier: GPL-2.0
/* Ways out below IP. */
#include "probe.h"
