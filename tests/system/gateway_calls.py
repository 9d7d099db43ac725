# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that are answered: each says who answered it, and whom that one took for the caller.

So a test sees where a packet went behind a translation, what it looked like there, and that the answer found back. The
functions run inside hosts (see netns.Host.call); a thread of each worker answers.
"""

import errno
import select
import socket
import struct
import threading
import time

import probes

SETTLE = 0.15  # what was not stopped has long been answered: there is no distance
BATCH = 100  # calls between two looks at the answers, so that no buffer runs over
TRANSPARENT = {socket.AF_INET: (socket.IPPROTO_IP, 19), socket.AF_INET6: (socket.IPPROTO_IPV6, 75)}
PACKET_INFO = {socket.AF_INET: (socket.IPPROTO_IP, 8), socket.AF_INET6: (socket.IPPROTO_IPV6, 50)}
ASK_FOR_INFO = {socket.AF_INET: (socket.IPPROTO_IP, 8), socket.AF_INET6: (socket.IPPROTO_IPV6, 49)}
PICTURE = b"pixels! " * 40000  # many full segments
SYN, ACK = 2, 16  # flags of TCP
PATIENCE = 5.0  # of both ends of a conversation

heard = []  # (caller's words, what was seen) of each datagram, and of what watch() is for
talkative = set()  # ports whose connections stay open for a conversation
watching = []  # this host's name, while it listens to first packets of connections
held = []  # the caller's end of conversations


def seen(name, source, destination, port):
    """What a host of this name says of a packet."""
    return f"{name} hears {source} at {destination} port {port}"


def serve(name, ports):
    """Answers {(protocol, port)} from now on, in both families."""
    probes.listen(ports)
    poll, by_descriptor = select.epoll(), {}
    for (family, protocol, port), sock in probes.receivers.items():
        if protocol == "udp":
            sock.setsockopt(*ASK_FOR_INFO[family], 1)
        by_descriptor[sock.fileno()] = sock, protocol, port
        poll.register(sock.fileno(), select.EPOLLIN)
    threading.Thread(target=answer_all, args=(name, poll, by_descriptor), daemon=True).start()


def talk_on(port):
    """From now on connections to this port stay open for a conversation."""
    talkative.add(port)


def answer_all(name, poll, by_descriptor):
    answer = {"tcp": answer_connection, "udp": answer_datagram}
    while True:
        for descriptor, _ in poll.poll():
            sock, protocol, port = by_descriptor[descriptor]
            try:
                answer[protocol](name, sock, port)
            except OSError:  # the caller has gone, or a filter of our own says no
                pass


def answer_connection(name, sock, port):
    connection, peer = sock.accept()
    connection.send(seen(name, peer[0], connection.getsockname()[0], port).encode())
    if port in talkative:
        threading.Thread(target=converse, args=(connection,), daemon=True).start()
    else:
        connection.close()


def converse(connection):
    """Repeats what it hears, and sends a picture where that is asked for."""
    with connection:
        while True:
            try:
                if not (word := connection.recv(64)):
                    return
                connection.sendall(PICTURE if word == b"picture" else word)
            except OSError:
                return


def answer_datagram(name, sock, port):
    """From the address that was called: of several the kernel would choose any."""
    data, (info,), _, peer = sock.recvmsg(512, 128)
    if sock.family == socket.AF_INET:
        _, local, called = struct.unpack("=I4s4s", info[2])
        back = struct.pack("=I4s4s", 0, local, called)
    else:
        called = info[2][:16]
        back = struct.pack("=16sI", called, 0)
    text = seen(name, peer[0], socket.inet_ntop(sock.family, called), port)
    heard.append((data.decode(), text))
    sock.sendmsg([text.encode()], [(*PACKET_INFO[sock.family], back)], 0, peer)


def collect():
    """What datagrams were heard since the last time, as {caller's words: what was seen}."""
    found = dict(heard)
    heard.clear()
    return found


class Caller:
    """Many calls at once, all from one source port, which must be new to this test: connection tracking must know none
    of these flows."""

    def __init__(self, source_port):
        self.source_port = source_port
        self.poll = select.epoll()
        self.connections, self.datagrams = {}, {}
        self.sent = {}  # of datagrams: (socket's descriptor, address, port) -> probe
        self.answers = {}

    def call(self, probe):
        if probe.protocol == "tcp":
            self.connect(probe)
        else:
            self.send(probe)

    def connect(self, probe):
        sock = probes.bind(probe.family, "tcp", probe.source, self.source_port)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        result = sock.connect_ex((probe.destination, probe.port))
        if result not in (0, errno.EINPROGRESS, errno.EPERM):
            raise OSError(result, f"{probe}")
        self.connections[sock.fileno()] = sock, probe
        self.poll.register(sock.fileno(), select.EPOLLIN)

    def send(self, probe):
        key = probe.family, probe.source
        if key not in self.datagrams:
            sock = self.datagrams[key] = probes.bind(probe.family, "udp", probe.source, self.source_port)
            self.poll.register(sock.fileno(), select.EPOLLIN)
        sock = self.datagrams[key]
        self.sent[sock.fileno(), probe.destination, probe.port] = probe
        try:
            sock.sendto(str(probe).encode(), (probe.destination, probe.port))
        except PermissionError:  # a filter of our own output
            pass

    def look(self, seconds=0.0):
        """Takes the answers that are there, after a wait for the first."""
        for descriptor, _ in self.poll.poll(seconds):
            if descriptor in self.connections:
                sock, probe = self.connections[descriptor]
                self.poll.unregister(descriptor)
                try:
                    self.answers[probe] = sock.recv(512).decode()
                except OSError as error:
                    self.answers[probe] = errno.errorcode[error.errno]
            else:
                self.take_datagrams(descriptor)

    def take_datagrams(self, descriptor):
        sock = next(sock for sock in self.datagrams.values() if sock.fileno() == descriptor)
        while True:
            try:
                data, peer = sock.recvfrom(512)
            except BlockingIOError:
                return
            probe = self.sent.get((descriptor, *peer[:2]))
            if probe is not None:  # else from an address that was not called
                self.answers[probe] = data.decode()

    def close(self):
        for sock, _ in self.connections.values():
            sock.close()
        for sock in self.datagrams.values():
            sock.close()
        self.poll.close()


def call(attempts, awaited, source_port, seconds=2.0):
    """{probe: answer} of all attempts that are answered; waits for those that are awaited."""
    caller = Caller(source_port)
    for number, probe in enumerate(attempts):
        caller.call(probe)
        if number % BATCH == 0:
            caller.look()
    end = time.monotonic() + seconds
    while not awaited <= caller.answers.keys() and time.monotonic() < end:
        caller.look(0.05)
    end = time.monotonic() + SETTLE
    while (left := end - time.monotonic()) > 0:
        caller.look(left)
    caller.close()
    return caller.answers


def begin(source, destination, port):
    """Opens a connection to a talkative port and keeps it; who answers."""
    sock = socket.create_connection((destination, port), timeout=PATIENCE, source_address=(source, 0))
    held.append(sock)
    return sock.recv(512).decode()


def repeat(word):
    """Says a word over the last connection; what comes back."""
    held[-1].sendall(word)
    return held[-1].recv(64)


def picture():
    """Asks for a picture over the last connection; how much of it comes."""
    held[-1].sendall(b"picture")
    count = 0
    try:
        while count < len(PICTURE):
            count += len(held[-1].recv(1 << 16))
    except TimeoutError:
        pass
    return count


def forge(attempts, source_port):
    """Sends datagrams, and the first packets of connections, from addresses that are other hosts'."""
    open_sockets = []
    for probe in attempts:
        sock = socket.socket(probe.family, probes.KINDS[probe.protocol])
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setsockopt(*TRANSPARENT[probe.family], 1)
        sock.bind((probe.source, source_port))
        if probe.protocol == "tcp":
            sock.connect_ex((probe.destination, probe.port))
            open_sockets.append(sock)
        else:
            sock.sendto(str(probe).encode(), (probe.destination, probe.port))
            sock.close()
    time.sleep(SETTLE)
    for sock in open_sockets:
        sock.close()


def damaged(probe, source_port):
    """Sends the first packet of a connection with a checksum that is wrong, which connection tracking calls invalid."""
    header = struct.pack("!HHIIBBHHH", source_port, probe.port, 1, 0, 5 << 4, SYN, 1024, 0xBAD, 0)
    with socket.socket(probe.family, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
        sock.bind((probe.source, 0))
        sock.sendto(header, (probe.destination, 0))


def watch(name):
    """From now on, until watch_no_more(), first packets of connections are heard as datagrams are."""
    watching.append(name)
    for family in probes.FAMILIES.values():
        sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP)
        sock.setsockopt(*ASK_FOR_INFO[family], 1)
        sock.settimeout(SETTLE)
        threading.Thread(target=watch_with, args=(name, sock), daemon=True).start()


def watch_no_more():
    watching.clear()


def watch_with(name, sock):
    with sock:
        while watching:
            try:
                data, (info,), _, peer = sock.recvmsg(256, 128)
            except TimeoutError:
                continue
            header = data[(data[0] & 15) * 4 :] if sock.family == socket.AF_INET else data
            called = info[2][8:12] if sock.family == socket.AF_INET else info[2][:16]
            if header[13] & (SYN | ACK) == SYN:
                (port,) = struct.unpack("!H", header[2:4])
                called = socket.inet_ntop(sock.family, called)
                words = str(probes.Probe("tcp", peer[0], called, port))
                heard.append((words, seen(name, peer[0], called, port)))
