/* SPDX-License-Identifier: GPL-2.0-only */
/* Ways out over connected streams: the parts that the table names. */
#ifndef CORDON_TESTS_PROBE_STREAM_H
#define CORDON_TESTS_PROBE_STREAM_H

#include "probe.h"

int connect_tcp(struct probe *p);
int connect_tcp6(struct probe *p);
int connect_mapped(struct probe *p);
int connect_mptcp(struct probe *p);
int connect_sctp(struct probe *p);
int connect_smc(struct probe *p);
int connect_dccp(struct probe *p);
int connect_vsock(struct probe *p);
int connect_accepted(struct probe *p);
int connect_fastopen(struct probe *p);
int connect_tls(struct probe *p);
int connect_repair(struct probe *p);
int connect_zerocopy(struct probe *p);
int connect_partial(struct probe *p);
int connect_small(struct probe *p);

ssize_t step_write(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_writev(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_send(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_sendto(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_sendmsg(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_sendmmsg(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_oob(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_zerocopy(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_sendfile(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_splice(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_vmsplice(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_reconnected(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_fastopen(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_tls(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_tls_sendfile(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_aio(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_dccp(struct probe *p, int fd, const uint8_t *d, size_t n);
ssize_t step_partial(struct probe *p, int fd, const uint8_t *d, size_t n);

int run_sendfile_dataset(struct probe *p, int fd);
int run_splice_dataset(struct probe *p, int fd);

int finish_stream(struct probe *p, int fd);
int finish_repair(struct probe *p, int fd);
int finish_linger(struct probe *p, int fd);

#endif
