// SPDX-License-Identifier: GPL-2.0-only
/* Ways out over connected streams. */
#include "probe_stream.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/dccp.h>
#include <linux/errqueue.h>
#include <linux/tls.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define PIPE_BYTES     61440 /* an empty pipe takes that for sure */
#define PIECES	       8
#define ACCEPT_WAIT_MS 10000
#define SMALL_BUFFER   8192

#ifndef IPPROTO_MPTCP
#	define IPPROTO_MPTCP 262
#endif
#ifndef AF_SMC
#	define AF_SMC 43
#endif
#ifndef TCP_ULP
#	define TCP_ULP 31
#endif
#ifndef SOL_TLS
#	define SOL_TLS 282
#endif
#ifndef SOL_DCCP
#	define SOL_DCCP 269
#endif

static ssize_t result(ssize_t r)
{
	return r < 0 ? -errno : r;
}

/* ---- connecting ---- */

static int connect_socket(int fd, const struct sockaddr_storage *to, int len)
{
	int r = net_connect(fd, to, len);

	if (r == 0)
		return fd;
	(void)close(fd);
	return r;
}

static int connect_port(struct probe *p, bool want6, int offset, int protocol,
			const char *missing)
{
	struct sockaddr_storage to;
	int fd, len;

	len = net_address(p, want6, (uint16_t)(p->port + offset), &to);
	if (len < 0)
		return len;
	fd = net_socket(p, to.ss_family, SOCK_STREAM, protocol, missing);
	return fd < 0 ? fd : connect_socket(fd, &to, len);
}

int connect_tcp(struct probe *p)
{
	return connect_port(p, false, WIRE_PLAIN, 0, "IPv4");
}

int connect_tcp6(struct probe *p)
{
	return connect_port(p, true, WIRE_PLAIN, 0, "IPv6");
}

int connect_mptcp(struct probe *p)
{
	return connect_port(p, false, WIRE_MPTCP, IPPROTO_MPTCP, "MPTCP");
}

int connect_sctp(struct probe *p)
{
	return connect_port(p, false, WIRE_PLAIN, IPPROTO_SCTP, "SCTP");
}

int connect_mapped(struct probe *p)
{
	struct sockaddr_storage to;
	int fd, len;

	len = net_mapped(p, p->port, &to);
	if (len < 0)
		return len;
	fd = net_socket(p, AF_INET6, SOCK_STREAM, 0, "IPv6");
	return fd < 0 ? fd : connect_socket(fd, &to, len);
}

/* AF_SMC takes TCP addresses and falls back to TCP with such a peer. */
int connect_smc(struct probe *p)
{
	struct sockaddr_storage to;
	int fd, len;

	len = net_address(p, false, p->port, &to);
	if (len < 0)
		return len;
	fd = net_socket(p, AF_SMC, SOCK_STREAM, 0, "SMC");
	return fd < 0 ? fd : connect_socket(fd, &to, len);
}

int connect_dccp(struct probe *p)
{
	uint32_t service = htonl(42);
	struct sockaddr_storage to;
	int fd, len;

	len = net_address(p, false, p->port, &to);
	if (len < 0)
		return len;
	fd = net_socket(p, AF_INET, SOCK_DCCP, IPPROTO_DCCP, "DCCP");
	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_DCCP, DCCP_SOCKOPT_SERVICE, &service,
		       sizeof(service)) < 0) {
		(void)close(fd);
		return probe_missing(p, "DCCP");
	}
	return connect_socket(fd, &to, len);
}

/*
 * Without the loopback transport the kernel hands a connection to the local
 * CID to the hypervisor, which is none of our business. Binding tells.
 */
static bool have_vsock_loopback(void)
{
	struct sockaddr_vm own = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_LOCAL,
		.svm_port = VMADDR_PORT_ANY,
	};
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool have;

	if (fd < 0)
		return false;
	have = bind(fd, (struct sockaddr *)&own, sizeof(own)) == 0;
	(void)close(fd);
	return have;
}

int connect_vsock(struct probe *p)
{
	struct sockaddr_storage to = {0};
	struct sockaddr_vm *vm = (void *)&to;
	int fd;

	if (p->cid == VMADDR_CID_LOCAL && !have_vsock_loopback())
		return probe_missing(p, "vsock loopback");
	vm->svm_family = AF_VSOCK;
	vm->svm_cid = p->cid;
	vm->svm_port = p->port;
	fd = net_socket(p, AF_VSOCK, SOCK_STREAM, 0, "vsock");
	if (fd < 0)
		return fd;
	fd = connect_socket(fd, &to, sizeof(*vm));
	if (fd == -ENODEV || fd == -EADDRNOTAVAIL)
		return probe_missing(p, "a vsock transport to --cid");
	return fd;
}

/* A connection without a byte: asks the sink to come and pull. */
static int knock(struct probe *p)
{
	int fd;

	if (p->no_knock)
		return 0;
	fd = connect_port(p, false, WIRE_KNOCK, 0, "IPv4");
	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

int connect_accepted(struct probe *p)
{
	struct sockaddr_in own = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)(p->port + WIRE_PULL)),
	};
	struct pollfd wait = {.events = POLLIN};
	int one = 1, fd, r;

	wait.fd = net_socket(p, AF_INET, SOCK_STREAM, 0, "IPv4");
	if (wait.fd < 0)
		return wait.fd;
	(void)setsockopt(wait.fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(wait.fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    listen(wait.fd, 1) < 0) {
		r = -errno;
		goto out;
	}
	r = knock(p);
	if (r < 0)
		goto out;
	if (poll(&wait, 1, ACCEPT_WAIT_MS) != 1) {
		r = -ETIMEDOUT;
		goto out;
	}
	fd = accept4(wait.fd, NULL, NULL, SOCK_CLOEXEC);
	r = fd < 0 ? -errno : fd;
out:
	(void)close(wait.fd);
	return r;
}

/*
 * Gets the cookie with a connection that carries nothing, so that the next
 * one can have data in its SYN. That one is opened by the first send.
 */
int connect_fastopen(struct probe *p)
{
	struct sockaddr_storage to;
	int one = 1, fd, len;

	len = net_address(p, false, p->port, &to);
	if (len < 0)
		return len;
	fd = net_socket(p, AF_INET, SOCK_STREAM, 0, "IPv4");
	if (fd < 0)
		return fd;
	if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one,
		       sizeof(one)) < 0) {
		(void)close(fd);
		return probe_missing(p, "TCP fast open");
	}
	fd = connect_socket(fd, &to, len);
	if (fd < 0)
		return fd;
	(void)close(fd);
	return net_socket(p, AF_INET, SOCK_STREAM, 0, "IPv4");
}

int connect_tls(struct probe *p)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info.version = TLS_1_2_VERSION,
		.info.cipher_type = TLS_CIPHER_AES_GCM_128,
	};
	char ready;
	int fd, r;

	fd = connect_port(p, false, WIRE_TLS, 0, "IPv4");
	if (fd < 0)
		return fd;
	/* The sink's word that it is ready: it cannot be after our end. */
	(void)recv(fd, &ready, 1, 0);
	if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0) {
		r = errno == ENOENT || errno == ENOPROTOOPT
			    ? probe_missing(p, "kernel TLS")
			    : -errno;
		goto fail;
	}
	memcpy(keys.key, WIRE_TLS_KEY, sizeof(keys.key));
	memcpy(keys.iv, WIRE_TLS_IV, sizeof(keys.iv));
	memcpy(keys.salt, WIRE_TLS_SALT, sizeof(keys.salt));
	memcpy(keys.rec_seq, WIRE_TLS_SEQ, sizeof(keys.rec_seq));
	if (setsockopt(fd, SOL_TLS, TLS_TX, &keys, sizeof(keys)) == 0)
		return fd;
	r = -errno;
fail:
	(void)close(fd);
	return r;
}

/* What is queued in repair mode leaves as if it were sent a second time. */
int connect_repair(struct probe *p)
{
	int fd = connect_tcp(p), on = TCP_REPAIR_ON, queue = TCP_SEND_QUEUE, r;

	if (fd < 0)
		return fd;
	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) == 0 &&
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue,
		       sizeof(queue)) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r == -ENOPROTOOPT ? probe_missing(p, "TCP_REPAIR") : r;
}

/*
 * A peer that announces the largest of windows makes a socket that is
 * disconnected continue 1 GiB further on: 32 times 64 KiB would do as well.
 * Here TCP_REPAIR sets the number.
 */
static int jump_ahead(struct probe *p, int fd)
{
	struct sockaddr off = {.sa_family = AF_UNSPEC};
	int on = TCP_REPAIR_ON, none = TCP_REPAIR_OFF, queue = TCP_SEND_QUEUE;
	struct sockaddr_storage to;
	unsigned int seq;
	socklen_t size = sizeof(seq);
	int len = net_address(p, false, p->port, &to);

	if (len < 0)
		return len;
	if (connect(fd, &off, sizeof(off)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue,
		       sizeof(queue)) < 0 ||
	    getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &size) < 0)
		return -errno;
	seq += 0x80000001u;
	if (setsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, sizeof(seq)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &none, sizeof(none)) < 0)
		return -errno;
	return net_connect(fd, &to, len);
}

/* The first byte goes before the jump, so that the socket is known. */
ssize_t step_reconnected(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r;

	if (p->stage)
		return step_send(p, fd, d, n);
	r = step_send(p, fd, d, 1);
	if (r < 0)
		return r;
	for (int left = 1; left > 0; (void)poll(NULL, 0, 1))
		if (ioctl(fd, TIOCOUTQ, &left) < 0)
			return -errno;
	p->stage = 1;
	r = jump_ahead(p, fd);
	return r < 0 ? r : 1;
}

int connect_zerocopy(struct probe *p)
{
	int fd = connect_tcp(p), one = 1;

	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)) < 0) {
		(void)close(fd);
		return probe_missing(p, "SO_ZEROCOPY");
	}
	return fd;
}

/* It takes a part of what it is given, and waits for the rest. */
int connect_small(struct probe *p)
{
	int fd = connect_tcp(p), small = SMALL_BUFFER;

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small,
				 sizeof(small));
	return fd;
}

int connect_partial(struct probe *p)
{
	int fd = connect_small(p), r;

	if (fd < 0)
		return fd;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
		return fd;
	r = -errno;
	(void)close(fd);
	return r;
}

/* ---- sending ---- */

ssize_t step_write(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	return result(write(fd, d, n));
}

ssize_t step_writev(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iovec iov[2] = {
		{(void *)d, n / 2},
		{(void *)(d + n / 2), n - n / 2},
	};

	(void)p;
	return result(writev(fd, iov, 2));
}

ssize_t step_send(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	return result(send(fd, d, n, 0));
}

ssize_t step_sendto(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	return result(sendto(fd, d, n, 0, NULL, 0));
}

ssize_t step_sendmsg(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iovec iov[2] = {
		{(void *)d, n / 2},
		{(void *)(d + n / 2), n - n / 2},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	(void)p;
	return result(sendmsg(fd, &msg, 0));
}

ssize_t step_sendmmsg(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct mmsghdr msgs[PIECES] = {0};
	struct iovec iov[PIECES];
	size_t each = n / PIECES;
	ssize_t sum = 0;
	int r;

	(void)p;
	for (size_t i = 0; i < PIECES; i++) {
		iov[i].iov_base = (void *)(d + i * each);
		iov[i].iov_len = i + 1 < PIECES ? each : n - i * each;
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	r = sendmmsg(fd, msgs, PIECES, 0);
	if (r < 0)
		return -errno;
	/* A short message ends the call: the rest comes with the next. */
	for (int i = 0; i < r; i++) {
		sum += msgs[i].msg_len;
		if (msgs[i].msg_len < iov[i].iov_len)
			break;
	}
	return sum;
}

ssize_t step_oob(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	(void)p;
	return result(send(fd, d, n, MSG_OOB));
}

/* Takes the kernel's notices that it has let go of the pages. */
static void drain_notices(int fd)
{
	char control[256];
	struct msghdr msg;

	do {
		msg = (struct msghdr){
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
	} while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
}

ssize_t step_zerocopy(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct pollfd wait = {.fd = fd};
	ssize_t r = send(fd, d, n, MSG_ZEROCOPY);

	if (r < 0 && errno == ENOBUFS) {
		(void)poll(&wait, 1, (int)p->wait_ms);
		drain_notices(fd);
		r = send(fd, d, n, MSG_ZEROCOPY);
	}
	r = result(r);
	drain_notices(fd);
	return r;
}

ssize_t step_sendfile(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	off_t off = 0;
	ssize_t r;
	int copy;

	(void)p;
	copy = memfd_create("probe-out", MFD_CLOEXEC);
	if (copy < 0)
		return -errno;
	r = write(copy, d, n);
	if (r > 0)
		r = sendfile(fd, copy, &off, (size_t)r);
	r = result(r);
	(void)close(copy);
	return r;
}

/* Empties ends[0] into the socket. How many bytes, or -errno. */
static ssize_t pipe_to_socket(const int ends[2], int fd, size_t n)
{
	ssize_t sum = 0;

	while (n) {
		ssize_t r = splice(ends[0], NULL, fd, NULL, n, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return sum ? sum : -errno;
		if (r == 0)
			break;
		sum += r;
		n -= (size_t)r;
	}
	return sum;
}

static void close_both(const int ends[2])
{
	(void)close(ends[0]);
	(void)close(ends[1]);
}

ssize_t step_splice(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	int ends[2];
	ssize_t r;

	(void)p;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = result(write(ends[1], d, n));
	if (r > 0)
		r = pipe_to_socket(ends, fd, (size_t)r);
	close_both(ends);
	return r;
}

ssize_t step_vmsplice(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iovec iov = {(void *)d, n};
	int ends[2];
	ssize_t r;

	(void)p;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	r = result(vmsplice(ends[1], &iov, 1, SPLICE_F_NONBLOCK));
	if (r > 0)
		r = pipe_to_socket(ends, fd, (size_t)r);
	close_both(ends);
	return r;
}

ssize_t step_fastopen(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	static bool opened;
	struct sockaddr_storage to;
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	ssize_t r;
	int to_len;

	if (opened)
		return result(send(fd, d, n, 0));
	to_len = net_address(p, false, p->port, &to);
	if (to_len < 0)
		return to_len;
	r = result(sendto(fd, d, n, MSG_FASTOPEN, (struct sockaddr *)&to,
			  (socklen_t)to_len));
	if (r == -EOPNOTSUPP)
		return probe_missing(p, "TCP fast open");
	if (r < 0)
		return r;
	opened = true;
	/* Without it this is "send" once more. */
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
	    !(info.tcpi_options & TCPI_OPT_SYN_DATA))
		return probe_missing(p, "data in the SYN");
	return r;
}

static void count_tls(struct probe *p, ssize_t sent)
{
	if (sent > 0)
		p->wire_bytes += WIRE_TLS_OVERHEAD *
				 (((size_t)sent + WIRE_TLS_RECORD - 1) /
				  WIRE_TLS_RECORD);
}

ssize_t step_tls(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r = result(send(fd, d, n, 0));

	count_tls(p, r);
	return r;
}

ssize_t step_tls_sendfile(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r = step_sendfile(p, fd, d, n);

	count_tls(p, r);
	return r;
}

/* An asynchronous write, which a socket does at once. */
ssize_t step_aio(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	struct iocb cb = {
		.aio_lio_opcode = IOCB_CMD_PWRITE,
		.aio_fildes = (uint32_t)fd,
		.aio_buf = (uintptr_t)d,
		.aio_nbytes = n,
	};
	struct iocb *list[] = {&cb};
	struct io_event done;
	aio_context_t ctx = 0;
	ssize_t r;

	if (syscall(SYS_io_setup, 1, &ctx) < 0)
		return errno == ENOSYS ? probe_missing(p, "aio") : -errno;
	if (syscall(SYS_io_submit, ctx, 1, list) != 1 ||
	    syscall(SYS_io_getevents, ctx, 1, 1, &done, NULL) != 1)
		r = -errno;
	else
		r = (ssize_t)done.res;
	(void)syscall(SYS_io_destroy, ctx);
	return r;
}

/* A full queue is refused at once, even by a blocking socket. */
ssize_t step_dccp(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r = send(fd, d, n, 0);

	for (unsigned int ms = 0; r < 0 && errno == EAGAIN; ms++) {
		if (ms == p->wait_ms)
			return -EAGAIN;
		(void)poll(NULL, 0, 1);
		r = send(fd, d, n, 0);
	}
	return result(r);
}

/* Fills the buffer until it is full, then waits for room. */
ssize_t step_partial(struct probe *p, int fd, const uint8_t *d, size_t n)
{
	ssize_t r = send(fd, d, n, 0);

	if (r >= 0 || errno != EAGAIN)
		return result(r);
	p->full++;
	if (!net_wait(fd, POLLOUT, p->wait_ms))
		return -ETIMEDOUT;
	return 0;
}

/* ---- straight from the dataset ---- */

/* How much of the span --bytes still allows. */
static size_t allowed(const struct probe *p, struct span span)
{
	uint64_t left;

	if (!p->send_bytes_set)
		return span.len;
	left = p->send_bytes - p->sent_bytes;
	return left < span.len ? (size_t)left : span.len;
}

static size_t stream_piece(const struct probe *p, size_t left, size_t most)
{
	if (p->chunk && p->chunk < most)
		most = p->chunk;
	return left < most ? left : most;
}

static int sendfile_one(struct probe *p, int file, struct span span, void *arg)
{
	size_t left = allowed(p, span);
	off_t off = span.off;

	while (left) {
		ssize_t r = sendfile(*(int *)arg, file, &off,
				     stream_piece(p, left, STREAM_CHUNK));

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return r < 0 ? -errno : -EIO;
		p->sent_bytes += (uint64_t)r;
		left -= (size_t)r;
	}
	return 0;
}

int run_sendfile_dataset(struct probe *p, int fd)
{
	return probe_each_file(p, sendfile_one, &fd);
}

static int splice_one(struct probe *p, int file, struct span span, void *arg)
{
	size_t left = allowed(p, span);
	off_t off = span.off;
	int ends[2], r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	while (left) {
		ssize_t n = splice(file, &off, ends[1], NULL,
				   stream_piece(p, left, PIPE_BYTES), 0);

		if (n <= 0) {
			r = n < 0 ? -errno : -EIO;
			break;
		}
		n = pipe_to_socket(ends, *(int *)arg, (size_t)n);
		if (n < 0) {
			r = (int)n;
			break;
		}
		p->sent_bytes += (uint64_t)n;
		left -= (size_t)n;
	}
	close_both(ends);
	return r;
}

int run_splice_dataset(struct probe *p, int fd)
{
	return probe_each_file(p, splice_one, &fd);
}

/* ---- the end ---- */

/*
 * Waits until the sink has read everything: it closes after our end of file.
 * Where the guard drops segments that never happens, which is no error here.
 */
int finish_stream(struct probe *p, int fd)
{
	char byte;

	if (shutdown(fd, SHUT_WR) < 0)
		return 0; /* never connected, or reset */
	for (;;) {
		ssize_t n;

		if (!net_wait(fd, POLLIN, p->wait_ms)) {
			p->note = "receiver did not confirm";
			return 0;
		}
		n = recv(fd, &byte, 1, MSG_DONTWAIT);
		if (n == 0)
			return 0;
		if (n < 0 && errno == EAGAIN) {
			drain_notices(fd);
			continue;
		}
		if (n < 0) {
			p->note = "connection broke";
			return 0;
		}
	}
}

int finish_repair(struct probe *p, int fd)
{
	int off = TCP_REPAIR_OFF;

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
		return -errno;
	return finish_stream(p, fd);
}

/* SCTP and DCCP give no sign of their end, but close(2) can wait for it. */
int finish_linger(struct probe *p, int fd)
{
	struct linger wait = {1, (int)(p->wait_ms + 999) / 1000};

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &wait, sizeof(wait)) < 0)
		return -errno;
	return 0;
}
