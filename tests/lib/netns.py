# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts for tests: worker processes, each in a network namespace of its own.

The namespaces have no names. They end with their processes, and those end with the test, however it ends; the
machine's own namespace is never touched. Without root they live in a user namespace, where that is allowed.
"""

import atexit
import ctypes
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import traceback

import tap

CLONE_NEWUSER, CLONE_NEWNET, PR_SET_PDEATHSIG = 0x10000000, 0x40000000, 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(AssertionError):
    """A command or function that failed inside a host."""


def unshare(flags):
    if LIBC.unshare(flags) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def enter():
    """Call it first: gets the right to make namespaces. Raises tap.Skip where that is not to be had.

    True: with root's own rights, not those of a user namespace, where a transaction of nft must stay small.
    """
    root = os.geteuid() == 0
    for tool in ("ip", "nft"):
        if not shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            raise tap.Skip(f"{tool} is not installed")
    try:
        if not root:
            user, group = os.geteuid(), os.getegid()
            unshare(CLONE_NEWUSER)
            for file, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
                with open(f"/proc/self/{file}", "w", encoding="ascii") as out:
                    out.write(text)
        Host("probe").stop()
    except OSError as error:
        raise tap.Skip(f"no namespaces: {error.strerror}") from error
    return root


class Host:
    """A process in a network namespace of its own, which runs functions there."""

    def __init__(self, name):
        self.name = name
        self.pipe, theirs = multiprocessing.Pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self.pipe.close()
            self._serve(theirs, parent)
        theirs.close()
        atexit.register(self.stop)
        error = self.pipe.recv()
        if error is not None:
            self.stop()
            raise error

    def _serve(self, pipe, parent):
        """The worker: functions in, their values out, until the pipe closes. Never returns."""
        status = 1
        try:
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            try:
                unshare(CLONE_NEWNET)
                limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
                resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 65536), limit))
                run(("ip", "link", "set", "lo", "up"))
                pipe.send(None)
            except OSError as error:
                pipe.send(error)
                os._exit(1)
            while True:
                function, arguments = pipe.recv()
                try:
                    pipe.send((True, function(*arguments)))
                except Exception as error:  # told to the caller, whatever it is
                    text = str(error) if isinstance(error, Failed) else traceback.format_exc()
                    pipe.send((False, f"on {self.name}: {text}"))
        except EOFError:
            status = 0
        finally:
            os._exit(status)

    def start(self, function, *arguments):
        """Begins a call; result() waits for it. One at a time."""
        self.pipe.send((function, arguments))

    def outcome(self):
        """As result(), but (whether the function returned, its value or what it failed of)."""
        return self.pipe.recv()

    def result(self):
        done, value = self.outcome()
        if not done:
            raise Failed(value)
        return value

    def call(self, function, *arguments):
        """Runs a function of a module inside the host and returns its value."""
        self.start(function, *arguments)
        return self.result()

    def run(self, *command, text=None, check=True):
        """Runs a command inside the host; (exit status, stdout, stderr)."""
        return self.call(run, command, text, check)

    def stop(self):
        """Ends the process, and the namespace with it."""
        if self.pid:
            self.pipe.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
            atexit.unregister(self.stop)


def run(command, text=None, check=True):
    """Runs a command in this process's namespace; (exit status, stdout, stderr)."""
    process = subprocess.run(
        [str(word) for word in command],
        **({"stdin": subprocess.DEVNULL} if text is None else {"input": text}),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        timeout=120,
        check=False,
    )
    if check and process.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit status {process.returncode}\n{process.stderr}")
    return process.returncode, process.stdout, process.stderr


def write(path, text):
    """Sets a kernel variable of the host's namespace."""
    with open(path, "w", encoding="ascii") as out:
        out.write(text)


class Switch(Host):
    """A host with a bridge that the others are plugged into."""

    def __init__(self):
        super().__init__("switch")
        self.run("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self.run("ip", "link", "set", "br0", "up")
        self.ports = 0

    def plug(self, host, addresses, name="eth0"):
        """Gives a host an interface with these addresses (with prefix lengths) on the bridge."""
        self.ports += 1
        port = f"port{self.ports}"
        self.run("ip", "link", "add", port, "type", "veth", "peer", "name", name, "netns", host.pid)
        self.run("ip", "link", "set", port, "master", "br0", "up")
        bring_up(host, name, addresses)


def cable(one, one_name, one_addresses, other, other_name, other_addresses):
    """Joins two hosts by interfaces of these names, with these addresses (with prefix lengths)."""
    one.run("ip", "link", "add", one_name, "type", "veth", "peer", "name", other_name, "netns", other.pid)
    bring_up(one, one_name, one_addresses)
    bring_up(other, other_name, other_addresses)


def bring_up(host, name, addresses):
    """Sets an interface up with addresses that may be used at once."""
    host.call(write, f"/proc/sys/net/ipv6/conf/{name}/accept_dad", "0")
    for address in addresses:
        family, more = ("-6", ["nodad"]) if ":" in address else ("-4", [])
        host.run("ip", family, "address", "add", address, "dev", name, *more)
    host.run("ip", "link", "set", name, "up")
