// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Makes new flows to one address and port and prints the nanoseconds they took: of the clock, and
 * of the processor. The other end is in another network namespace, where every address is local;
 * both ends are in this one process, so that no switch between two is counted. A packet over a veth
 * is received while it is sent.
 */

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 64,
	FIRST_PORT = 1024,
	COUNT_MAX = 60000, /* flows of one round: source ports from the first */
	BACKLOG = 128,
};

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	char data[8];
};

static void check(int result, const char *what) {
	if (result < 0) {
		perror(what);
		exit(EXIT_FAILURE);
	}
}

static int open_socket(int type, int protocol) {
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, protocol);
	check(fd, "socket");
	return fd;
}

/* A socket that takes what comes to the port of any address there. */
static int other_end(const char *pid, int type, const struct sockaddr_in *to) {
	char path[64];
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = to->sin_port};

	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	check(here, "/proc/self/ns/net");
	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	check(there, path);
	check(setns(there, CLONE_NEWNET), "setns");
	int fd = open_socket(type, 0);
	check(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "SO_REUSEADDR");
	check(bind(fd, (const struct sockaddr *)&any, sizeof(any)), "bind");
	check(setns(here, CLONE_NEWNET), "setns");
	close(there);
	close(here);
	return fd;
}

/* What nobody reads: the first few fill the other end's queue, and the others are dropped there. */
static void send_datagrams(const struct sockaddr_in *to, struct in_addr from, int count) {
	struct datagram datagrams[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];
	struct sockaddr_in address = *to;

	memset(datagrams, 0, sizeof(datagrams));
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < BATCH; i++) {
		datagrams[i].ip = (struct iphdr){.version = 4,
			.ihl = 5,
			.tot_len = htons(sizeof(struct datagram)),
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.saddr = from.s_addr,
			.daddr = to->sin_addr.s_addr};
		datagrams[i].udp = (struct udphdr){.dest = to->sin_port,
			.len = htons(sizeof(struct datagram) - sizeof(struct iphdr))};
		parts[i] = (struct iovec){&datagrams[i], sizeof(struct datagram)};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &address,
			.msg_namelen = sizeof(address),
			.msg_iov = &parts[i],
			.msg_iovlen = 1};
	}
	/* With headers of our own: a socket for each source port would cost more than the packet.
	 */
	int fd = open_socket(SOCK_RAW, IPPROTO_RAW);
	for (int sent = 0; sent < count;) {
		int length = count - sent < BATCH ? count - sent : BATCH;
		for (int i = 0; i < length; i++) {
			datagrams[i].udp.source = htons((uint16_t)(FIRST_PORT + sent + i));
		}
		int taken = sendmmsg(fd, messages, (unsigned)length, 0);
		check(taken, "sendmmsg");
		sent += taken;
	}
	close(fd);
}

/* Each is ended at once, without a state that stays. */
static void connect_all(const struct sockaddr_in *to, int listener, int count) {
	const struct linger at_once = {.l_onoff = 1};

	check(listen(listener, BACKLOG), "listen");
	for (int i = 0; i < count; i++) {
		int fd = open_socket(SOCK_STREAM, 0);
		check(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
			"SO_LINGER");
		check(connect(fd, (const struct sockaddr *)to, sizeof(*to)), "connect");
		int accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		check(accepted, "accept");
		close(fd);
		close(accepted);
	}
}

static long long nanoseconds(clockid_t clock) {
	struct timespec now;
	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

int main(int argc, char *argv[]) {
	if (argc != 7 || atoi(argv[6]) < 1 || atoi(argv[6]) > COUNT_MAX) {
		fputs("usage: flood udp|tcp PID-THERE FROM TO PORT COUNT\n", stderr);
		return EXIT_FAILURE;
	}
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[5]))};
	struct in_addr from;
	if (inet_pton(AF_INET, argv[3], &from) != 1 ||
		inet_pton(AF_INET, argv[4], &to.sin_addr) != 1) {
		fputs("flood: not an address\n", stderr);
		return EXIT_FAILURE;
	}
	int tcp = strcmp(argv[1], "tcp") == 0;
	int other = other_end(argv[2], tcp ? SOCK_STREAM : SOCK_DGRAM, &to);
	long long start = nanoseconds(CLOCK_MONOTONIC);
	long long start_here = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
	if (tcp) {
		connect_all(&to, other, atoi(argv[6]));
	} else {
		send_datagrams(&to, from, atoi(argv[6]));
	}
	printf("%lld %lld\n", nanoseconds(CLOCK_MONOTONIC) - start,
		nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - start_here);
	return EXIT_SUCCESS;
}
