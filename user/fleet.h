/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fleet directory of a force (cordon-fleet(7)): the hosts that it has
 * approved, what it has pushed to them, and what came from each.
 *
 *	fleet.yaml		whose fleet it is, and where its broker is
 *	trust.yaml		the trust anchors of its hosts
 *	seal.key		what opens reports; of mode 0600
 *	link/			ca.pem, cert.pem and key.pem, for the broker
 *	hosts/HOST/		enrolment.yaml, what was approved; evidence/,
 *				its log as it came; received.json,
 *				attested.json and looked.json
 *	pushed/			what was pushed, by group and by host, and
 *				every version of the trust anchors
 *	aside/			messages that were no host's
 *	lock, receive.lock	who changes it, and who receives
 *
 * Names from the network are compared with the names of hosts, and never become
 * a part of a path.
 */
#ifndef CORDON_FLEET_H
#define CORDON_FLEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrolment.h"
#include "evidence_copy.h"
#include "fleet_message.h"
#include "policy.h"
#include "seal.h"
#include "sign.h"

#define CORDON_FLEET_DIR "/var/lib/cordon-fleet"

#define FLEET_FILE	 "fleet.yaml"
#define FLEET_TRUST_FILE "trust.yaml"
#define FLEET_SEAL_FILE	 "seal.key"
#define FLEET_ENROLMENT	 "enrolment.yaml" /* of hosts/HOST */
/*
 * A host writes what it likes, and the disk is one for all. Ten times what its
 * own log may have, and a year of a line each second: who comes there is worth
 * a look.
 */
#define FLEET_HOST_BYTES (10ULL << 30)
#define FLEET_DIR_MAX	 1024 /* of its path, with the NUL */
#define FLEET_PATH_MAX	 (FLEET_DIR_MAX + 512)

/* What came of one host (received.json). Moments are seconds since the epoch;
 * 0: never. */
struct fleet_received {
	int64_t last_s;	   /* when the last report was taken */
	uint64_t seq;	   /* of the last line that is there */
	uint64_t reports;  /* taken */
	uint64_t again;	   /* not taken, for all of it was there */
	uint64_t not_its;  /* messages on its subject that it has not signed */
	int64_t not_its_s; /* the last of them */
	int64_t behind_s;  /* since when it had sent more than came; 0: not */
	uint64_t begins;   /* its copy's first line, where that is not 1 */
	int64_t gap_s;	   /* since when there has been a gap; 0: none */
	uint64_t gap_from; /* these lines are missing, and none behind them */
	uint64_t gap_to;   /* are taken before they have come */
	uint64_t gap_asks; /* how often they were asked for */
	/* With what it began, in a segment, since the last time and before; and
	 * how often it was the same. */
	uint64_t gap_first;
	uint64_t gap_before;
	uint64_t gap_same;
	uint64_t lost;	  /* lines that never came, and are not on the host */
	int64_t lost_s;	  /* the last of them */
	int64_t broken_s; /* when lines last did not follow each other, */
	uint64_t broken;  /* and which did not */
	int64_t other_s;  /* when other lines came than those before, */
	uint64_t other;	  /* and up to which */
	int64_t full_s;	  /* since when no more is taken; 0: it is */
	uint64_t room;	  /* bytes: what it may have, then */
	int64_t later_s;  /* by then all that was put off has come again */
};

struct fleet_host {
	char name[FLEET_NAME_CHARS_MAX + 1];  /* as policies call it */
	char token[FLEET_NAME_CHARS_MAX + 1]; /* in subjects */
	char id[FLEET_ID_CHARS_MAX];
	struct sign_public key; /* that was approved */
	uint64_t serial;	/* of its enrolment */
	char (*groups)[FLEET_NAME_CHARS_MAX + 1];
	size_t n_groups;
	/* For who receives: */
	struct fleet_received received;
	bool changed;		   /* since fleet_received_put() */
	struct evidence_copy copy; /* where its evidence ends */
	uint64_t copy_bytes;	   /* of all its evidence, on the disk */
	bool copy_known;
};

struct fleet {
	char dir[FLEET_DIR_MAX];
	char *issuer;
	char servers[LINK_SERVERS_MAX][LINK_SERVER_CHARS_MAX + 1];
	size_t n_servers;
	char ca[FLEET_PATH_MAX]; /* for the broker */
	char cert[FLEET_PATH_MAX];
	char key[FLEET_PATH_MAX];
	uint64_t replicas; /* of the broker's streams */
	struct seal_key seal;
	struct fleet_host *hosts; /* by their tokens */
	size_t n_hosts;
	uint64_t hosts_changed_ns; /* of the directory they were read from */
	uint64_t host_bytes;	   /* room for the evidence of one host */
	int lock_fd;
	int receive_fd;
	uint64_t aside; /* messages that were set aside, since it was opened */
};

/*
 * A new fleet in dir, which is made if it is missing: fleet.yaml and seal.key.
 * -EEXIST: one is there; -EINVAL: an issuer or server that is none; as mkdir(2)
 * and write(2) say.
 */
int fleet_init(const char *dir, const char *issuer, const char *const *servers,
	       size_t n_servers);

enum fleet_open {
	FLEET_READ,    /* for who opens no reports: no secret is needed */
	FLEET_OPENING, /* with the secret part of .seal */
};

/*
 * Opens the one in dir, for fleet_close(). A host whose enrolment cannot be
 * read is left out, with an entry in errs, and all others are there.
 *
 * 0; -EINVAL: fleet.yaml is none, errs has an entry; -ENOENT: there is no fleet
 * in dir; -ENOMEM; as seal_key_load(), open(2) and read(2) say, with an entry
 * in errs that names the file.
 */
int fleet_open(const char *dir, enum fleet_open how, struct fleet **ret_fleet,
	       struct policy_errors *errs);

/* Takes NULL. */
void fleet_close(struct fleet *fleet);

/* Reads the hosts again if any was approved meanwhile. As fleet_open(). */
int fleet_reload(struct fleet *fleet, struct policy_errors *errs);

/* Keeps others from changing it; waits until nobody does. 0 or -errno. Who must
 * not wait gets -EBUSY. */
int fleet_lock(struct fleet *fleet);
int fleet_try_lock(struct fleet *fleet);
void fleet_unlock(struct fleet *fleet);

/* Who receives is one process. -EBUSY: there is one; 0 or -errno. Until
 * fleet_close(). */
int fleet_lock_receiving(struct fleet *fleet);

/* Does anybody receive now? */
bool fleet_is_receiving(const struct fleet *fleet);

/* ---- hosts -------------------------------------------------------------- */

/* May a host be called so? As fleet_name(), and its name can be that of a
 * directory. */
bool fleet_is_host(const char *name);

/* By its name, or by that in subjects; NULL: none that is approved. */
struct fleet_host *fleet_find(struct fleet *fleet, const char *name);
struct fleet_host *fleet_find_token(struct fleet *fleet, const char *token);

bool fleet_host_in(const struct fleet_host *host, const char *group);

/* A path below a host's directory; part "" is that itself. */
void fleet_host_path(const struct fleet *fleet, const char *host,
		     const char *part, char ret_path[FLEET_PATH_MAX]);

enum fleet_approval {
	FLEET_APPROVED, /* and a new host */
	FLEET_RENEWED,	/* with other groups or servers, or the same */
	FLEET_REKEYED,	/* its evidence so far was moved away */
};

struct fleet_approving {
	const struct enrolment_request *request;
	const char *const *groups; /* that it belongs to from now on */
	size_t n_groups;
	bool rekey; /* it may have another key than before */
	/* What becomes of it: */
	enum fleet_approval approval;
	char *text; /* of enrolment.yaml, for free() */
	/* Whose subject it has, or what is wrong: until the next
	 * fleet_reload(). */
	const char *why;
};

/*
 * Approves the host of a request, under fleet_lock(): enrolment.yaml, and a
 * place for its evidence. .why is for where it fails, .approval and .text for
 * where not.
 *
 * 0; -EEXIST: another host has the same name in subjects; -EKEYREJECTED: it is
 * approved with another key; -EINVAL: its name, or a group's; -ENOMEM; as
 * write(2) says.
 */
int fleet_approve(struct fleet *fleet, struct fleet_approving *approving);

/* ---- what came ---------------------------------------------------------- */

/* Reads what is known of a host; without a file all is 0. -EUCLEAN: it is
 * damaged; -ENOMEM; as open(2) and read(2) say. */
int fleet_received_get(const struct fleet *fleet, const char *host,
		       struct fleet_received *ret_received);

/* Writes it, of each host that has changed. The first -errno, or 0. */
int fleet_received_put(struct fleet *fleet);

/* What of a host had happened by then, somebody has looked into. 0: nothing. */
int64_t fleet_looked_get(const struct fleet *fleet, const char *host);
int fleet_looked_put(const struct fleet *fleet, const char *host,
		     int64_t looked_s);

/* The last word of a host, and when it came. */
struct fleet_word {
	int64_t heard_s; /* 0: never */
	struct fleet_attest attest;
};

/* Likewise; under fleet_lock() for who writes. */
int fleet_word_get(const struct fleet *fleet, const char *host,
		   struct fleet_word *ret_word);
int fleet_word_put(const struct fleet *fleet, const char *host,
		   const struct fleet_word *word);

/* ---- what was pushed ---------------------------------------------------- */

enum fleet_target {
	FLEET_TO_GROUP,
	FLEET_TO_HOST,
};

struct fleet_pushed {
	uint64_t serial; /* 0: none */
	char sha256[SIGN_HASH_CHARS_MAX];
	uint64_t trust_version; /* 0: none went with it */
	char trust_sha256[SIGN_HASH_CHARS_MAX];
	/* Of the last break-glass (cordon-act(5)); "": none. */
	char lift_sha256[SIGN_HASH_CHARS_MAX];
	int64_t pushed_s; /* when it was given to the broker */
	int64_t taken_s;  /* and it has said that it has it; 0: not yet */
};

/* name is a group, or a host's in subjects. -ENOENT: nothing yet; -EUCLEAN; as
 * read(2) says. */
int fleet_pushed_get(const struct fleet *fleet, enum fleet_target target,
		     const char *name, struct fleet_pushed *ret_pushed);

/* And the message itself, as it was sent; for free(). */
int fleet_pushed_message(const struct fleet *fleet, enum fleet_target target,
			 const char *name, char **ret_text, size_t *ret_len);

/* Both, the message first; without text only what it is. Under fleet_lock().
 * 0 or -errno. */
int fleet_pushed_put(const struct fleet *fleet, enum fleet_target target,
		     const char *name, const struct fleet_pushed *pushed,
		     const char *text, size_t len);

/* A version of the trust anchors, kept for hosts that miss it. Under
 * fleet_lock(). 0 or -errno. */
int fleet_trust_put(const struct fleet *fleet, uint64_t version,
		    const struct trust_bundle *bundle);
bool fleet_trust_is_kept(const struct fleet *fleet, uint64_t version);

/*
 * Those up to and with that version, at most FLEET_TRUST_MAX and without a gap,
 * into the message: its trust, for fleet_policy_release(), is none before.
 * 0; -EUCLEAN: one is damaged; -ENOMEM; as open(2) and read(2) say.
 */
int fleet_trust_get(const struct fleet *fleet, uint64_t version,
		    struct fleet_policy *message);

/* What a host should have: the highest serial of what was pushed to it and its
 * groups, and what it alone was allowed. -ENOENT: nothing. */
int fleet_pushed_for(const struct fleet *fleet, const struct fleet_host *host,
		     struct fleet_pushed *ret_pushed);

#endif
