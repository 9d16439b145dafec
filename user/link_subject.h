/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The subjects by which hosts and their force speak through the broker. They
 * are its permissions too (`cordon fleet users', policies/fleet): what is
 * changed here has to be changed there, or hosts are locked out.
 *
 * Behind each that ends with a dot stands the name of a host or of a group, as
 * fleet_name() has it.
 */
#ifndef CORDON_LINK_SUBJECT_H
#define CORDON_LINK_SUBJECT_H

#define LINK_POLICIES "CORDON_POLICY"  /* a stream, */
#define LINK_REPORTS  "CORDON_REPORTS" /* another one, */
#define LINK_CONSUMER "force"	       /* and who takes from it */

#define LINK_POLICY_ANY	     "cordon.policy.>"
#define LINK_POLICY_OF_HOST  "cordon.policy.host."
#define LINK_POLICY_OF_GROUP "cordon.policy.group."
#define LINK_REPORT_OF	     "cordon.report."
#define LINK_ATTEST_OF	     "cordon.attest."
#define LINK_ASK_ALL	     "cordon.ask.all"
#define LINK_ASK_OF	     "cordon.ask.host."

/* Where answers go; tokens of the link's choice follow. */
#define LINK_INBOX_OF_HOST  "_INBOX.host."
#define LINK_INBOX_OF_FORCE "_INBOX.force"

/* Before the subject of a policy: the last that was pushed there. */
#define LINK_GET "$JS.API.DIRECT.GET." LINK_POLICIES "."

#endif
