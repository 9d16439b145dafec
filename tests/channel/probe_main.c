// SPDX-License-Identifier: GPL-2.0-only
/* Apart from the rest, which other programs are linked with too. */
#include "probe.h"

int main(int argc, char **argv)
{
	return probe_command(argc, argv);
}
