// SPDX-License-Identifier: GPL-2.0-or-later
#ifndef FW_NETLINK_NETLINK_H
#define FW_NETLINK_NETLINK_H
/*
 * A netfilter netlink socket (libmnl) and batches of nf_tables messages. What is in a message is
 * the caller's.
 */

#include "diag/diag.h"

struct mnl_socket;
struct nlmsghdr;

/** A zeroed struct is closed. */
struct fw_netlink {
	struct mnl_socket *socket;
	uint32_t sequence; /* of the next message */
	size_t limit;	   /* bytes: no batch may be longer; less without privilege */
};

/** False: an error is in the list. */
bool fw_netlink_open(struct fw_netlink *netlink, struct fw_diags *diags);
void fw_netlink_close(struct fw_netlink *netlink);

/** What the kernel refused in a batch: the message with this sequence number, and why. */
struct fw_netlink_answer {
	uint32_t sequence;
	int error; /* errno */
};

/** More refusals of one batch than these are dropped; the first ones are the causes. */
enum { FW_ANSWERS_MAX = 64 };

/** Bytes that any one message may take. */
enum { FW_MESSAGE_MAX = 128 * 1024 };

/** A transaction being built. A zeroed struct is not begun. */
struct fw_batch {
	struct fw_netlink *netlink;
	struct fw_buf bytes;
	size_t last;	/* where the message that was begun last starts */
	size_t cleared; /* behind what was written, bytes up to here are zero */
};

/** Begins a batch, also in place of one that was built before. */
void fw_batch_begin(struct fw_batch *batch, struct fw_netlink *netlink);
void fw_batch_fini(struct fw_batch *batch);
/**
 * Begins a message: `type` is an NFT_MSG_ constant, `family` an NFPROTO_ one, `flags` NLM_F_ bits.
 * Its attributes are appended to the header that is returned, which is valid up to the call of
 * fw_batch_message_end() and holds the sequence number.
 */
struct nlmsghdr *fw_batch_message(
	struct fw_batch *batch, uint16_t type, uint8_t family, uint16_t flags);
void fw_batch_message_end(struct fw_batch *batch);

/**
 * Sends the batch without its end. The kernel then walks all of it, as it would to load it, and
 * throws the outcome away (nfnetlink_rcv_batch in net/netfilter/nfnetlink.c); a kernel with modules
 * may load some that are asked for. Each message that it refused is in `answers`, in order; returns
 * how many. -1: the batch could not be walked at all (no permission, no nf_tables, no memory); an
 * error is in the list.
 */
int fw_batch_check(struct fw_batch *batch, struct fw_netlink_answer answers[static FW_ANSWERS_MAX],
	struct fw_diags *diags);
/** The same, but when nothing was refused the kernel now runs what the batch says. */
int fw_batch_commit(struct fw_batch *batch, struct fw_netlink_answer answers[static FW_ANSWERS_MAX],
	struct fw_diags *diags);

#endif
