# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw gen --fleet: a folder of rule sets, what changes in it and what does not, and members that fail."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402
from fleets import MANIFEST, Fleet, check, children, gateway, said, site, wait_until  # noqa: E402
from program import BACKEND, DIFFERS, INVALID, OK, SYSTEM, USAGE, flowfw  # noqa: E402

# Root reads and writes everything; without these two capabilities it is like any other owner of its files.
WITHOUT_RIGHTS = () if os.geteuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def marks(folder):
    """What would tell that a file was touched."""
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in [folder, *folder.iterdir()]}


# ---- what is written ----


def writes_each():
    """each member gets for each backend what gen alone makes of it, and the list names all files"""
    fleet = Fleet("north", "south")
    said(fleet.gen("-q", "-b", "nftables,iptables", "-b", "ip6tables", "-b", "pf"), OK)
    tap.equal(fleet.names(), sorted(f"{n}.{s}" for n in ("north", "south") for s in ("nft", "v4", "v6", "conf")))
    for backend, suffix in (("nftables", "nft"), ("iptables", "v4"), ("ip6tables", "v6"), ("pf", "conf")):
        alone = program.compiled("gen", "-q", "-b", backend, "sites/north.yaml", cwd=fleet.folder)
        tap.equal((fleet.out / f"north.{suffix}").read_text(), alone, backend)
    tap.equal(fleet.listed(), fleet.names())
    said(fleet.gen(), OK, "fleet 'city': 0 files written, 2 unchanged")


def options_and_frames():
    """-O and --frame count for the backends that know them; sets are files of their own; --set is for all"""
    fleet = Fleet("north", "south")
    cameras = "groups.cameras=[" + ",".join(f"10.1.0.{i}" for i in range(1, 30, 2)) + "]"
    said(fleet.gen("-q", "-b", "nftables,iptables", "-O", "ipset", "-O", "kernel=5.6", "--frame", "standalone",
                   "--set", cameras), OK)
    tap.equal(fleet.names(), sorted(f"{n}.{s}" for n in ("north", "south") for s in ("nft", "v4", "v4.ipset")))
    files = fleet.files()
    tap.equal("10.1.0.29" in files["south.v4.ipset"], True)
    tap.equal("10.1.0.29" in files["south.nft"], True)
    tap.equal("flush ruleset" in files["north.nft"], True)
    tap.equal("Replaces the whole filter table" in files["north.v4"], True)


def own_names():
    """a member may have another name than its file, and any that is a file's name"""
    fleet = Fleet("north")
    fleet.city("sites: [{file: sites/north.yaml, name: 'Straße 17 č.2'}]\n")
    said(fleet.gen("-q"), OK)
    tap.equal(fleet.names(), ["Straße 17 č.2.nft"])


def odd_paths():
    """patterns count from the fleet's folder, whatever that is called; absolute paths are taken as they are"""
    fleet = Fleet("north", "south")
    odd = fleet.folder / "a [b] *c\\d"
    odd.mkdir()
    (odd / "east.yaml").write_text(site("east"))
    (odd / "west").write_text(site("west"))
    (odd / "-").write_text(site("minus"))
    (odd / "city.yaml").write_text("flowfw: 1\nfleet: city\nsites:\n  - east*.yaml\n  - west\n"
                                   f"  - {fleet.folder}/sites/n*.yaml\n  - {{file: '-', name: minus}}\n")
    said(flowfw("gen", "-q", "--fleet", odd / "city.yaml", "--output-dir", "out", cwd=fleet.folder), OK)
    tap.equal(fleet.names(), ["east.nft", "minus.nft", "north.nft", "west.nft"])
    said(flowfw("gen", "-q", "--fleet", "city.yaml", "--output-dir", "../out", cwd=odd), OK)


def aliased_lists():
    """lists behind an anchor are lists as well, and a list of one may be a word"""
    fleet = Fleet("north", "south")
    fleet.city("sites: &all\n  - sites/north.yaml\ngroups: {clients: &all2 [10.0.0.0/8]}\n")
    said(fleet.gen("-q"), OK)
    fleet.city("sites: sites/south.yaml\n")
    said(fleet.gen("-q"), OK)
    tap.equal(fleet.names(), ["north.nft", "south.nft"])


def shared_groups():
    """shared groups lie on the profile and under what a site, or what it extends, says itself"""
    fleet = Fleet("north", "south", "west", head="groups: {clients: [10.20.0.0/16], cameras: [10.1.0.7]}\n")
    (fleet.folder / "base.yaml").write_text(site("base", "groups: {clients: [10.66.0.0/16]}\n"))
    fleet.put("south", "groups: {clients: [10.99.0.0/16]}\n")
    fleet.put("west", text="flowfw: 1\nsite: west\nextends: ../base.yaml\n")
    said(fleet.gen("-q"), OK)
    for name, clients in (("north", "10.20.0.0/16"), ("south", "10.99.0.0/16"), ("west", "10.66.0.0/16")):
        rules = (fleet.out / f"{name}.nft").read_text()
        found = [c for c in ("10.20.0.0/16", "10.99.0.0/16", "10.66.0.0/16") if c in rules]
        tap.equal(found, [clients], name)
        tap.equal("10.1.0.7" in rules, True, f"{name}: the cameras")


def second_run():
    """a second run touches no file and no folder, and one changed member is one changed file"""
    fleet = Fleet("north", "south")
    said(fleet.gen("-q"), OK)
    before = marks(fleet.out)
    time.sleep(0.02)
    said(fleet.gen(), OK, "0 files written, 2 unchanged")
    tap.equal(marks(fleet.out), before)
    fleet.put("south", "groups: {cameras: [10.1.0.7]}\n")
    said(fleet.gen(), OK, "1 file written, 1 unchanged")
    after = marks(fleet.out)
    tap.equal({name for name in before if before[name] != after[name]}, {"south.nft", "out"})
    tap.equal(set(after), set(before))


def keeps_modes():
    """a new file has the mode that the umask leaves, a replaced one that of the old"""
    fleet = Fleet("north", "south")
    old = os.umask(0o027)
    said(fleet.gen("-q"), OK)
    os.umask(old)
    tap.equal((fleet.out / "north.nft").stat().st_mode & 0o777, 0o640)
    (fleet.out / "north.nft").chmod(0o604)
    fleet.put("north", "groups: {cameras: [10.1.0.7]}\n")
    said(fleet.gen("-q"), OK)
    tap.equal((fleet.out / "north.nft").stat().st_mode & 0o777, 0o604)


def checks():
    """--check writes nothing, names what would change, and says so in the exit status"""
    fleet = Fleet("north", "south")
    said(fleet.gen("-q", "--check"), DIFFERS, "'out/north.nft' would be created", "'out/south.nft' would be created")
    tap.equal(fleet.out.exists(), False, "the folder")
    said(fleet.gen("-q"), OK)
    before = marks(fleet.out)
    said(fleet.gen("-q", "--check"), OK)
    fleet.put("south", "groups: {cameras: [10.1.0.7]}\n")
    said(fleet.gen("--check"), DIFFERS, "'out/south.nft' would change", "1 file would change, 1 unchanged",
         without=["north.nft"])
    tap.equal(marks(fleet.out), before)


# ---- who leaves ----


def leaving():
    """files of a member that left are named, and removed with --prune, and no others"""
    fleet = Fleet("north", "south", "east")
    said(fleet.gen("-q", "-b", "nftables,pf"), OK)
    (fleet.out / "notes.nft").write_text("mine\n")
    (fleet.folder / "sites/east.yaml").unlink()
    process = fleet.gen("-b", "nftables")
    said(process, OK, "'out/east.nft' belongs to no member any more; --prune removes it", "'out/east.conf'",
         without=["notes", "north.conf"])
    said(fleet.gen("-q"), OK, without=["east"])
    said(fleet.gen("-q", "--prune", "--check"), DIFFERS, "'out/east.nft' would be removed")
    tap.equal((fleet.out / "east.nft").exists(), True)
    said(fleet.gen("--prune"), OK, "2 removed")
    tap.equal(fleet.names(), ["north.conf", "north.nft", "notes.nft", "south.conf", "south.nft"])
    tap.equal(fleet.listed(), ["north.conf", "north.nft", "south.conf", "south.nft"])
    said(fleet.gen(), OK, without=["east", "removed"])


def many_leave():
    """of many files without a member the first few are named"""
    fleet = Fleet(*(f"n{i:02}" for i in range(40)))
    said(fleet.gen("-q"), OK)
    for path in sorted((fleet.folder / "sites").iterdir())[1:]:
        path.unlink()
    process = fleet.gen()
    said(process, OK, "'out/n01.nft' belongs", "and so are 19 more", without=["n30"])
    said(fleet.gen("--prune"), OK, "39 removed")
    tap.equal(fleet.names(), ["n00.nft"])


def gone_files():
    """what somebody else removed is forgotten, and what is no file any more is not removed"""
    fleet = Fleet("north", "south", "east")
    said(fleet.gen("-q"), OK)
    (fleet.folder / "sites/east.yaml").unlink()
    (fleet.out / "east.nft").unlink()
    said(fleet.gen(), OK, without=["east"])
    tap.equal(fleet.listed(), ["north.nft", "south.nft"])
    (fleet.folder / "sites/south.yaml").unlink()
    (fleet.out / "south.nft").unlink()
    (fleet.out / "south.nft").mkdir()
    said(fleet.gen("--prune"), SYSTEM, "[remove-failed]", "south.nft")
    tap.equal((fleet.out / "south.nft").is_dir(), True)


def foreign_folders():
    """a folder of another fleet, or with a list that was tampered with, is left alone"""
    fleet = Fleet("north")
    said(fleet.gen("-q"), OK)
    before = marks(fleet.out)
    fleet.put("north", "groups: {cameras: [10.1.0.7]}\n")
    (fleet.folder / "city.yaml").write_text("flowfw: 1\nfleet: town\nsites: [sites/*.yaml]\n")
    said(fleet.gen("-q"), SYSTEM, "[foreign-folder]", "'city'", "'town'")
    tap.equal(marks(fleet.out), before)
    fleet.city("sites: [sites/*.yaml]\n")
    (fleet.folder / "victim.nft").write_text("mine\n")
    for line in ("../victim.nft\tvictim", "../victim.nft\t../victim", ".hidden\t.h", "x.nft", "x.nft\t", "x\0.nft\tx",
                 "a.nft\tb"):
        (fleet.out / MANIFEST).write_text(f"# flowfw fleet: city\n{line}\n")
        said(fleet.gen("-q", "--prune"), SYSTEM, "[bad-manifest]")
    (fleet.out / MANIFEST).write_text("something else\n")
    said(fleet.gen("-q"), SYSTEM, "[bad-manifest]")
    tap.equal((fleet.folder / "victim.nft").read_text(), "mine\n")


def foreign_files():
    """a file that flowfw did not write is never replaced; one that gen -o wrote is"""
    fleet = Fleet("north", "south", "east", "west")
    fleet.out.mkdir()
    (fleet.out / "north.nft").write_text("table inet mine\n")
    (fleet.out / "east.nft").symlink_to("../victim.nft")
    (fleet.out / "west.nft").mkdir()
    program.compiled("gen", "-q", "enterprise", "-o", fleet.out / "south.nft")
    process = fleet.gen("-q")
    said(process, SYSTEM, "[foreign-file]", "'out/north.nft' is there and not of flowfw's making",
         "'out/east.nft' is no regular file", "'out/west.nft' is no regular file", "3 of 4 members failed")
    tap.equal((fleet.out / "north.nft").read_text(), "table inet mine\n")
    tap.equal((fleet.out / "south.nft").read_text(), program.compiled("gen", "-q", "sites/south.yaml", cwd=fleet.folder))
    tap.equal(fleet.listed(), ["south.nft"])
    tap.equal((fleet.folder / "victim.nft").exists(), False)
    (fleet.out / "south.nft").write_text("written over by hand\n")
    said(fleet.gen("-q"), SYSTEM, without=["south"])
    tap.equal((fleet.out / "south.nft").read_text().startswith("# flowfw: "), True)
    (fleet.out / "south.nft").chmod(0)
    said(fleet.gen("-q", wrapper=WITHOUT_RIGHTS), SYSTEM, "cannot read 'out/south.nft': Permission denied",
         without=["write-failed"])


# ---- who fails ----


def one_broken():
    """one broken member of 300 does not spoil the others' files, whatever the number of processes"""
    fleet = Fleet(*(f"n{i:03}" for i in range(300)))
    fleet.put("n150", "groups: {cameras: [10.0.0.300]}\n")
    outputs = []
    for processes in (1, 2, 4):
        fleet.out = fleet.folder / f"out{processes}"
        process = flowfw("gen", "--fleet", "city.yaml", "--output-dir", f"out{processes}", "-j", processes,
                         "-b", "nftables,pf", cwd=fleet.folder)
        said(process, INVALID, "n150.yaml:4:20: error:", "[bad-address]", "flowfw: 'n150' failed: 1 error",
             "598 files written, 0 unchanged; 1 of 300 members failed")
        outputs.append((process.stderr, fleet.files(), (fleet.out / MANIFEST).read_bytes()))
    tap.equal(len(outputs[0][1]), 598)
    tap.equal(outputs[1] == outputs[0] and outputs[2] == outputs[0], True, "all are the same")


def failing_keeps():
    """a member that fails keeps the files that it had, of all backends, and its place in the list"""
    fleet = Fleet("north", "south")
    said(fleet.gen("-q", "-b", "nftables,pf"), OK)
    before = fleet.files()
    fleet.put("south", "services:\n  slow: {direction: input, ports: 9/udp, from: 10.0.0.0/8, limit: 5/second}\n")
    said(fleet.gen("-q", "-b", "nftables,pf"), BACKEND, "[not-expressible]", "'south' failed")
    tap.equal(fleet.files(), before)
    tap.equal(fleet.listed(), fleet.names())


def gravest():
    """the gravest failure of all members decides the exit status"""
    fleet = Fleet("a", "b", "c")
    said(fleet.gen("-q", "-b", "pf"), OK)
    fleet.put("a", "groups: {cameras: [10.1.0.7]}\n")
    said(fleet.gen("-q", "-b", "pf", "--check"), DIFFERS)
    fleet.put("b", "services: {nothing: off}\n")
    said(fleet.gen("-q", "-b", "pf", "--check"), INVALID)
    fleet.put("c", "services:\n  slow: {direction: input, ports: 9/udp, from: 10.0.0.0/8, limit: 5/second}\n")
    said(fleet.gen("-q", "-b", "pf", "--check"), BACKEND)
    fleet.put("d").chmod(0)
    said(fleet.gen("-q", "-b", "pf", "--check", wrapper=WITHOUT_RIGHTS), SYSTEM, "[unreadable-file]", "'d' failed")
    said(fleet.gen("-q", "-b", "pf", "--only", "nothing"), USAGE)


def shared_mistakes():
    """a mistake that members share is shown once, and all who have it are named"""
    fleet = Fleet(*(f"n{i:02}" for i in range(30)))
    (fleet.folder / "base.yaml").write_text(site("base", "services: {vidoe: off}\n"))
    for i in range(30):
        fleet.put(f"n{i:02}", text=f"flowfw: 1\nsite: n{i}\nextends: ../base.yaml\n")
    process = fleet.gen()
    said(process, INVALID, "'n00' failed: 1 error", "'n19' failed", "10 more failed", "30 of 30 members failed")
    tap.equal(process.stderr.count("[unknown-service]"), 1)
    tap.equal(fleet.names(), [])
    fleet.city("sites: [sites/*.yaml]\ngroups: {clients: [10.0.0.300]}\n")
    process = fleet.gen()
    said(process, INVALID, "city.yaml:4:20", "[bad-address]", without=["failed", "unknown-service"])
    process = fleet.gen("--set", "services.vidoo=off")
    tap.equal(process.stderr.count("[bad-address]"), 1)


def unwritable_folder():
    """a folder that may not be written is told once, and nothing is left in it"""
    fleet = Fleet(*(f"n{i:02}" for i in range(30)))
    said(fleet.gen("-q"), OK)
    before = marks(fleet.out)
    fleet.out.chmod(0o500)
    said(fleet.gen("-q", wrapper=WITHOUT_RIGHTS), OK)
    for i in range(30):
        fleet.put(f"n{i:02}", "groups: {cameras: [10.1.0.7]}\n")
    process = fleet.gen("-q", wrapper=WITHOUT_RIGHTS)
    fleet.out.chmod(0o755)
    said(process, SYSTEM, "cannot write into the folder 'out': Permission denied", "30 of 30 members failed")
    tap.equal(process.stderr.count("[write-failed]"), 1)
    tap.equal({**marks(fleet.out), "out": 0}, {**before, "out": 0})


def folders():
    """the folder is made, but not what it would be in; a file is no folder"""
    fleet = Fleet("north")
    said(flowfw("gen", "--fleet", "city.yaml", "--output-dir", "no/out", cwd=fleet.folder), SYSTEM, "no/out")
    (fleet.folder / "out").write_text("mine\n")
    said(fleet.gen(), SYSTEM, "[unreadable-folder]", "Not a directory")
    (fleet.folder / "out").unlink()
    (fleet.folder / "sites").chmod(0)
    process = fleet.gen(wrapper=WITHOUT_RIGHTS)
    (fleet.folder / "sites").chmod(0o700)
    said(process, SYSTEM, "city.yaml:3:9", "[unreadable-folder]", "Permission denied")
    tap.equal(fleet.out.exists(), False)


# ---- processes ----


def reads(pid, name):
    """Whether a process waits for a member that is a pipe, rather than for something to do."""
    try:
        return "fifo" in Path(f"/proc/{pid}/wchan").read_text() or any(
            os.readlink(link).endswith(name) for link in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def stuck_fleet():
    """A fleet with a member that nobody finishes: a pipe that is open and empty."""
    fleet = Fleet(*(f"n{i:02}" for i in range(40)))
    (fleet.folder / "sites/n05.yaml").unlink()
    os.mkfifo(fleet.folder / "sites/n05.yaml")
    writer = os.open(fleet.folder / "sites/n05.yaml", os.O_RDWR)
    return fleet, writer


def find_stuck(process):
    return wait_until("a process reads the pipe", lambda: next(
        (pid for pid in children(process.pid) if reads(pid, "n05.yaml")), None))


def killed_worker():
    """a process that is killed fails the member that it compiled, and no other"""
    for processes in (1, 3):
        fleet, writer = stuck_fleet()
        process = fleet.start("-q", "-j", processes)
        os.kill(find_stuck(process), signal.SIGKILL)
        stderr = process.communicate(timeout=60)[1]
        os.close(writer)
        tap.equal(process.returncode, SYSTEM, stderr)
        for text in ("city.yaml:3:9: error:", "signal 9", "[process-lost]", "'n05' failed", "1 of 40 members failed"):
            tap.equal(text in stderr, True, f"{text} in {stderr}")
        tap.equal(fleet.names(), [f"n{i:02}.nft" for i in range(40) if i != 5])
        tap.equal(sorted(p.name for p in fleet.out.iterdir()), sorted([*fleet.names(), MANIFEST]))


def interrupted():
    """SIGINT and SIGTERM end all processes, change no file and leave no temporary one"""
    for number, wanted in ((signal.SIGINT, ["old.nft"]), (signal.SIGTERM, ["old.nft"]), (signal.SIGHUP, ["old.nft"])):
        fleet, writer = stuck_fleet()
        fleet.out.mkdir()
        (fleet.out / "old.nft").write_text("mine\n")
        # Whatever runs these tests may ignore signals, as nohup does.
        process = fleet.start("-q", "-j", "3", start_new_session=True,
                              preexec_fn=lambda number=number: signal.signal(number, signal.SIG_DFL))
        find_stuck(process)
        wait_until("others are done", lambda: any(
            len(list(path.iterdir())) > 10 for path in fleet.out.iterdir() if path.is_dir()))
        workers = children(process.pid)
        os.killpg(process.pid, number)
        stderr = process.communicate(timeout=60)[1]
        os.close(writer)
        tap.equal((process.returncode, stderr), (-number, ""))
        tap.equal(sorted(path.name for path in fleet.out.iterdir()), wanted)
        tap.equal([pid for pid in workers if Path(f"/proc/{pid}").exists()], [])


def killed_program():
    """a program that is killed takes its processes with it"""
    fleet, writer = stuck_fleet()
    process = fleet.start("-q", "-j", "2")
    find_stuck(process)
    workers = children(process.pid)
    process.kill()
    process.communicate(timeout=60)
    wait_until("all are gone", lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    os.close(writer)


def no_processes():
    """where no process can be started, nothing is written"""
    fleet = Fleet("north", "south")
    said(fleet.gen("-q", wrapper=("prlimit", "--nofile=6")), SYSTEM, "[no-process]")
    tap.equal(fleet.out.exists() and list(fleet.out.iterdir()), [])


def ignored_children():
    """it does not matter what the caller does with its own children"""
    fleet = Fleet("north", "south")
    said(fleet.gen("-q", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)), OK)


# ---- what a person sees ----


def on_terminal(fleet, *arguments, columns=80, term="xterm"):
    """What a terminal of that width shows on standard error, and the exit status."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [str(program.BINARY), *fleet.command(*arguments)], cwd=fleet.folder, env=program.environment(TERM=term),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave)
    os.close(slave)
    text = b""
    while True:
        select.select([master], [], [])
        try:
            got = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not got:
            break
        text += got
    os.close(master)
    return text.decode(), process.wait()


def progress_bar():
    """a terminal shows how far it is, in one line that fits and is gone in the end; nothing else does"""
    fleet = Fleet(*(f"n{i:04}" for i in range(1500)))
    said(fleet.gen("-q", "-b", "nftables,pf,iptables", "-j", "1"), OK, without=["\r", "["])
    for columns in (80, 30, 12, 3):
        text, status = on_terminal(fleet, "-b", "nftables,pf,iptables", "-q", "-j", "1", columns=columns)
        tap.equal(status, OK)
        lines = [line.removeprefix("\x1b[K") for line in text.split("\r")]
        tap.equal(lines[-1], "", "what is left of it")
        tap.equal([line for line in lines if len(line) >= columns], [], f"lines wider than {columns}")
        shown = [line for line in lines if re.fullmatch(r"(flowfw: \[=*>? *\] )?\d+ of 1500", line)]
        tap.equal(bool(shown), columns > 11, f"{columns} columns: {lines}")
    text, status = on_terminal(fleet, "-q", term="dumb")
    tap.equal((text, status), ("", OK))


def few_warnings():
    """a warning of many members is shown once with their number, twenty at most, and none with -q"""
    fleet = Fleet(*(f"n{i:02}" for i in range(30)))
    process = fleet.gen()
    said(process, OK, "note: 30 of 30 members have this")
    tap.equal(process.stderr.count("[no-admin-access]"), 1)
    for i in range(30):
        fleet.put(f"n{i:02}", "groups: {nobody: [10.0.0.1]}\n")
    process = fleet.gen()
    tap.equal(process.stderr.count(" warning: "), 20)
    tap.equal(re.search(r"\d+ more warnings not shown", process.stderr) is not None, True, process.stderr)
    said(fleet.gen("-q"), OK)
    tap.equal(fleet.gen("-q").stderr, "")


# ---- check --fleet ----


def ends_agree():
    """a gateway that has its devices from their own files agrees with them, whatever is forwarded"""
    fleet = Fleet()
    for name in ("north", "south"):
        fleet.put(name, text=f"flowfw: 1\nsite: {name}\nextends: xroads\n"
                  "groups: {clients: [203.0.113.0/24], cameras: [10.30.1.0/28]}\n"
                  "interfaces: {vpn: wg0}\n")
    gateway(fleet, north=", forward: {base: 18100, video: on}", south=", forward: {rest-api: 1, node: 2}")
    for jobs in ("-j1", "-j4"):
        process = check(fleet, "-q", jobs)
        tap.equal((process.returncode, process.stdout, process.stderr), (OK, "city: valid; 2 sites, 1 gateway\n", ""))


def hairpin_source():
    """a caller inside comes from the gateway's address, which the device must take"""
    fleet = Fleet()
    text = "flowfw: 1\nsite: north\nextends: xroads\ngroups: {clients: [10.8.0.128/25%s], viewers: [10.8.0.200], " \
           "admins: [10.8.0.200], subscribers: [10.8.0.200]}\n"
    hairpin = "inside: {address: 10.8.0.1, networks: [10.8.0.0/24]}\nhairpin: on\n"
    fleet.put("north", text=text % "")
    gateway(fleet, hairpin, north=", forward: {base: 18100}")
    said(check(fleet, "-q"), DIFFERS, "[device-closed]", "8088/tcp from 10.8.0.1 to 10.8.0.11")
    fleet.put("north", text=text % ", 10.8.0.1")
    tap.equal(check(fleet, "-q").returncode, OK)


def check_mistakes():
    """a member with a mistake does not keep the others from being looked at; options that have no use"""
    fleet = Fleet("north", "south")
    fleet.put("south", text="flowfw: 1\nsite: south\nextends: nothing\n")
    said(check(fleet, "-q"), INVALID, "[unknown-profile]", "1 of 2 members failed", without=("north",))
    said(flowfw("check", "-j2", "enterprise"), USAGE, "--jobs has no use without --fleet")
    said(check(fleet, "enterprise"), USAGE, "a profile has no use with --fleet")
    said(check(fleet, "--kernel"), USAGE, "--kernel has no use with --fleet")
    said(check(fleet, "-j0"), USAGE, "no number of processes")


CHECKS = [
    ends_agree, hairpin_source, check_mistakes,
    writes_each, options_and_frames, own_names, odd_paths, aliased_lists, shared_groups, second_run, keeps_modes, checks,
    leaving, many_leave, gone_files, foreign_folders, foreign_files,
    one_broken, failing_keeps, gravest, shared_mistakes, unwritable_folder, folders,
    killed_worker, interrupted, killed_program, no_processes, ignored_children,
    progress_bar, few_warnings,
]

if __name__ == "__main__":
    sys.exit(tap.main(CHECKS))
