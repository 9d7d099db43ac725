// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket, and one batch at a time through it. The kernel walks a batch inside the system call
 * that sends it, so all its answers are queued when that call returns: reading never waits.
 */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "netlink/netlink.h"

/* A batch is one datagram. A million addresses take 20 to 80 MB; the kernel doubles the number. */
enum { SEND_BUFFER = 64 << 20 };
/* What af_netlink.c keeps back from the send buffer. */
enum { SEND_OVERHEAD = 32 };
/* An answer holds the header of what was sent, not its content. */
enum { ANSWER_MAX = 4096 };

/* ---- failures ---- */

static void fail(struct fw_diags *diags, int error, const char *what) {
	switch (error) {
	case EPERM:
	case EACCES:
		fw_diag_hint(diags,
			fw_failure(diags, "kernel-permission", error,
				"cannot ask the kernel about its packet filter"),
			"run this as root, or in a network namespace of your own: "
			"'unshare -rn flowfw check --kernel ...'");
		break;
	case EPROTONOSUPPORT:
	case EAFNOSUPPORT:
	case EOPNOTSUPP:
		fw_diag_hint(diags,
			fw_failure(diags, "kernel-missing", error,
				"the running kernel has no nf_tables"),
			"it is built with CONFIG_NF_TABLES, as the module nf_tables");
		break;
	default:
		fw_failure(diags, "kernel-netlink", error, "cannot %s", what);
		break;
	}
}

/* ---- socket ---- */

static void set_option(const struct fw_netlink *netlink, int level, int option, int value) {
	setsockopt(mnl_socket_get_fd(netlink->socket), level, option, &value, sizeof(value));
}

/*
 * Without privilege over the machine, as in a user namespace, the send buffer ends at
 * net.core.wmem_max, and longer batches have to be cut.
 */
static size_t send_limit(const struct fw_netlink *netlink) {
	int size = 0;
	socklen_t length = sizeof(size);

	set_option(netlink, SOL_SOCKET, SO_SNDBUF, SEND_BUFFER);
	set_option(netlink, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER);
	getsockopt(mnl_socket_get_fd(netlink->socket), SOL_SOCKET, SO_SNDBUF, &size, &length);
	return size > SEND_OVERHEAD ? (size_t)size - SEND_OVERHEAD : 0;
}

bool fw_netlink_open(struct fw_netlink *netlink, struct fw_diags *diags) {
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket == NULL) {
		fail(diags, errno, "open a netlink socket to the packet filter");
		return false;
	}
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		fail(diags, errno, "bind a netlink socket to the packet filter");
		mnl_socket_close(socket);
		return false;
	}
	*netlink = (struct fw_netlink){.socket = socket, .sequence = 1};
	/* Refusals without the message they are about, or a long one would crowd out the rest. */
	set_option(netlink, SOL_NETLINK, NETLINK_CAP_ACK, 1);
	netlink->limit = send_limit(netlink);
	return true;
}

void fw_netlink_close(struct fw_netlink *netlink) {
	if (netlink == NULL || netlink->socket == NULL) {
		return;
	}
	mnl_socket_close(netlink->socket);
	*netlink = (struct fw_netlink){0};
}

/* ---- building ---- */

/* Room that is zero: older versions of libmnl leave the padding of attributes as they find it. */
static void *reserve(struct fw_batch *batch) {
	size_t end = batch->bytes.length + FW_MESSAGE_MAX;
	char *room = fw_buf_reserve(&batch->bytes, FW_MESSAGE_MAX);

	if (batch->cleared < end) {
		size_t start =
			batch->cleared > batch->bytes.length ? batch->cleared : batch->bytes.length;

		memset(batch->bytes.data + start, 0, end - start);
		batch->cleared = end;
	}
	return room;
}

static struct nlmsghdr *put_header(
	struct fw_batch *batch, uint16_t type, uint8_t family, uint16_t flags, uint16_t resource) {
	struct nlmsghdr *header;
	struct nfgenmsg *extra;

	batch->last = batch->bytes.length;
	header = mnl_nlmsg_put_header(reserve(batch));
	header->nlmsg_type = type;
	header->nlmsg_flags = NLM_F_REQUEST | flags;
	header->nlmsg_seq = batch->netlink->sequence++;
	extra = mnl_nlmsg_put_extra_header(header, sizeof(*extra));
	extra->nfgen_family = family;
	extra->version = NFNETLINK_V0;
	extra->res_id = htons(resource);
	return header;
}

static struct nlmsghdr *header_at(const struct fw_batch *batch, size_t offset) {
	return (struct nlmsghdr *)(void *)(batch->bytes.data + offset);
}

void fw_batch_message_end(struct fw_batch *batch) {
	size_t length = header_at(batch, batch->last)->nlmsg_len;

	assert(length <= FW_MESSAGE_MAX && length % NLMSG_ALIGNTO == 0);
	fw_buf_grew(&batch->bytes, length);
}

void fw_batch_begin(struct fw_batch *batch, struct fw_netlink *netlink) {
	batch->netlink = netlink;
	batch->bytes.length = 0;
	batch->cleared = 0;
	put_header(batch, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
	fw_batch_message_end(batch);
}

void fw_batch_fini(struct fw_batch *batch) {
	if (batch != NULL) {
		fw_buf_fini(&batch->bytes);
	}
}

struct nlmsghdr *fw_batch_message(
	struct fw_batch *batch, uint16_t type, uint8_t family, uint16_t flags) {
	return put_header(batch, (NFNL_SUBSYS_NFTABLES << 8) | type, family, flags, 0);
}

/* ---- sending ---- */

/** What came back for one batch. */
struct outcome {
	uint32_t first, last; /* sequence numbers: of the batch's begin, of its last message */
	struct fw_netlink_answer *answers;
	int count;
	int error;     /* of the batch as a whole */
	bool finished; /* the kernel got as far as the last message */
};

static void take_answer(struct outcome *outcome, const struct nlmsghdr *header) {
	const struct nlmsgerr *answer = mnl_nlmsg_get_payload(header);
	uint32_t sequence;

	if (header->nlmsg_type != NLMSG_ERROR ||
		mnl_nlmsg_get_payload_len(header) < sizeof(*answer)) {
		return;
	}
	sequence = answer->msg.nlmsg_seq;
	if (sequence == outcome->last) {
		outcome->finished = true;
	}
	if (answer->error == 0) {
		return;
	}
	if (sequence == outcome->first) {
		outcome->error = -answer->error;
	} else if (outcome->count < FW_ANSWERS_MAX) {
		outcome->answers[outcome->count++] =
			(struct fw_netlink_answer){sequence, -answer->error};
	}
}

/* Not mnl_cb_run(): it stops at the first error, and a batch may have many. */
static void take_answers(struct outcome *outcome, const struct nlmsghdr *header, int length) {
	while (mnl_nlmsg_ok(header, length)) {
		take_answer(outcome, header);
		header = mnl_nlmsg_next(header, &length);
	}
}

/** Returns 0 when all that was queued has been read, or an errno value. */
static int receive(const struct fw_netlink *netlink, struct outcome *outcome) {
	union {
		struct nlmsghdr header;
		char bytes[ANSWER_MAX];
	} buffer;

	for (;;) {
		ssize_t length = mnl_socket_recvfrom(netlink->socket, &buffer, sizeof(buffer));

		if (length > 0) {
			take_answers(outcome, &buffer.header, (int)length);
		} else if (length == 0 || errno == EAGAIN) {
			return 0;
		} else if (errno != EINTR && errno != ENOBUFS) {
			/* ENOBUFS: refusals past what the socket holds were dropped. */
			return errno;
		}
	}
}

static int exchange(struct fw_batch *batch, struct outcome *outcome) {
	const struct mnl_socket *socket = batch->netlink->socket;
	int error;

	if (mnl_socket_sendto(socket, batch->bytes.data, batch->bytes.length) < 0) {
		return errno;
	}
	error = receive(batch->netlink, outcome);
	if (error != 0) {
		return error;
	}
	if (outcome->error == 0 && outcome->count == 0 && !outcome->finished) {
		return EBADMSG; /* a batch that is not well formed is dropped without a word */
	}
	return outcome->error;
}

static int run(struct fw_batch *batch, bool commit, struct fw_netlink_answer *answers,
	struct fw_diags *diags) {
	struct outcome outcome = {
		.first = header_at(batch, 0)->nlmsg_seq,
		.last = header_at(batch, batch->last)->nlmsg_seq,
		.answers = answers,
	};
	int error;

	header_at(batch, batch->last)->nlmsg_flags |= NLM_F_ACK;
	if (commit) {
		put_header(batch, NFNL_MSG_BATCH_END, AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
		fw_batch_message_end(batch);
	}
	error = exchange(batch, &outcome);
	if (error != 0) {
		fail(diags, error, "hand the rules to the kernel");
		return -1;
	}
	return outcome.count;
}

int fw_batch_check(struct fw_batch *batch, struct fw_netlink_answer answers[static FW_ANSWERS_MAX],
	struct fw_diags *diags) {
	return run(batch, false, answers, diags);
}

int fw_batch_commit(struct fw_batch *batch, struct fw_netlink_answer answers[static FW_ANSWERS_MAX],
	struct fw_diags *diags) {
	return run(batch, true, answers, diags);
}
