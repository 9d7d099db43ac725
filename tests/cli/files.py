# SPDX-License-Identifier: GPL-2.0-or-later
"""flowfw and the world: files that are written whole or not at all, full disks, folders without rights, closed pipes.

Diagnostics are looked for by their ids, since the system's own words differ.
"""

import os
import stat
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402
from program import DIFFERS, INVALID, OK, SYSTEM, USAGE, flowfw  # noqa: E402

# Root reads and writes everything; without these two capabilities it is like any other owner of its files.
WITHOUT_RIGHTS = () if os.geteuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
GEN = ("gen", "--quiet", "--profile", "enterprise")


def said(process, status, *texts):
    """The exit status, and words that must be on stderr."""
    tap.equal(process.returncode, status, f"exit status (stderr: {process.stderr.strip()!r})")
    for text in texts:
        if text not in process.stderr:
            raise AssertionError(f"stderr lacks {text!r}:\n{process.stderr}")


def alone(folder, *names):
    """Nothing but these is in a folder: no temporary file stayed."""
    tap.equal(sorted(path.name for path in folder.iterdir()), sorted(names), "the folder")


def output_file():
    """-o writes what stdout would show, and nothing to stdout"""
    folder = program.scratch()
    process = flowfw(*GEN, "-o", folder / "rules.nft")
    said(process, OK)
    tap.equal(process.stdout, "")
    tap.equal((folder / "rules.nft").read_text(encoding="utf-8"), program.compiled(*GEN))
    alone(folder, "rules.nft")


def unchanged_file():
    """-o leaves a file with the same content untouched, and its time of change too"""
    file = program.scratch() / "rules.nft"
    said(flowfw(*GEN, "-o", file), OK)
    os.utime(file, (1_000_000_000, 1_000_000_000))
    before = file.stat()
    said(flowfw(*GEN, "-o", file), OK)
    after = file.stat()
    tap.equal((after.st_mtime_ns, after.st_ino), (before.st_mtime_ns, before.st_ino))
    said(flowfw(*GEN, "--set", "base.echo=off", "-o", file), OK)
    if file.stat().st_mtime_ns == before.st_mtime_ns:
        raise AssertionError("a changed rule set was not written")


def replaced_file():
    """-o keeps the mode of a file that it replaces, and follows a symbolic link"""
    folder = program.scratch()
    (folder / "real").mkdir()
    real = folder / "real/rules.nft"
    real.write_text("old\n", encoding="utf-8")
    real.chmod(0o640)
    (folder / "link.nft").symlink_to("real/rules.nft")
    said(flowfw(*GEN, "-o", "link.nft", cwd=folder), OK)
    tap.equal((folder / "link.nft").is_symlink(), True)
    tap.equal(real.read_text(encoding="utf-8"), program.compiled(*GEN))
    tap.equal(stat.S_IMODE(real.stat().st_mode), 0o640)


def new_file_mode():
    """-o makes a new file with the mode that the umask leaves"""
    folder = program.scratch()
    flowfw(*GEN, "-o", folder / "rules.nft", umask=0o027)
    tap.equal(stat.S_IMODE((folder / "rules.nft").stat().st_mode), 0o640)


def check_option():
    """--check says 1 for a file that would change, 0 for one that would not, and writes nothing"""
    folder = program.scratch()
    file = folder / "rules.nft"
    said(flowfw(*GEN, "-o", file, "--check"), DIFFERS, "rules.nft")
    alone(folder)
    said(flowfw(*GEN, "-o", file), OK)
    said(flowfw(*GEN, "-o", file, "--check"), OK)
    file.write_text("other\n", encoding="utf-8")
    said(flowfw(*GEN, "-o", file, "--check"), DIFFERS, "rules.nft")
    tap.equal(file.read_text(encoding="utf-8"), "other\n")


def mistake_leaves_file():
    """a profile with a mistake leaves the old file as it is"""
    folder = program.scratch()
    (folder / "rules.nft").write_text("old\n", encoding="utf-8")
    (folder / "site.yaml").write_text("flowfw: 1\nsite: x\nextends: nowhere\n", encoding="utf-8")
    said(flowfw("gen", "--profile", "./site.yaml", "-o", "rules.nft", cwd=folder), INVALID)
    tap.equal((folder / "rules.nft").read_text(encoding="utf-8"), "old\n")
    alone(folder, "rules.nft", "site.yaml")


def full_device():
    """a full device as stdout or as -o is a failure of the system"""
    with open("/dev/full", "w", encoding="utf-8") as full:
        said(flowfw(*GEN, stdout=full), SYSTEM, "[write-failed]")
    said(flowfw(*GEN, "-o", "/dev/full"), SYSTEM, "[write-failed]", "/dev/full")


def full_disk():
    """a full disk leaves the old file whole and no temporary one"""
    script = """
        mount -t tmpfs -o size=64k tmpfs "$1" || exit 77
        cd "$1" && echo old >rules.nft && head -c 1M /dev/zero >filler 2>/dev/null
        "$2" gen --quiet --profile enterprise -o rules.nft
        echo "$?" "$(cat rules.nft)" *
    """
    command = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else []), "sh", "-c", script, "sh"]
    process = subprocess.run(
        [*command, program.scratch(), program.BINARY],
        env=program.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode != 0:
        raise tap.Skip(f"no file system of its own: {process.stderr.strip()}")
    tap.equal(process.stdout, f"{SYSTEM} old filler rules.nft\n")
    if "[write-failed]" not in process.stderr:
        raise AssertionError(process.stderr)


def folder_without_rights():
    """a folder that may not be written leaves the old file whole"""
    folder = program.scratch()
    (folder / "rules.nft").write_text("old\n", encoding="utf-8")
    folder.chmod(0o500)
    process = flowfw(*GEN, "-o", folder / "rules.nft", wrapper=WITHOUT_RIGHTS)
    folder.chmod(0o700)
    said(process, SYSTEM, "[write-failed]", "rules.nft")
    tap.equal((folder / "rules.nft").read_text(encoding="utf-8"), "old\n")
    alone(folder, "rules.nft")


def folder_as_output():
    """-o with a folder, or below a folder that is not there, is a failure of the system"""
    folder = program.scratch()
    said(flowfw(*GEN, "-o", folder), SYSTEM, "[write-failed]")
    said(flowfw(*GEN, "-o", folder / "none/rules.nft"), SYSTEM, "[write-failed]")
    said(flowfw(*GEN, "-o", folder, "--check"), SYSTEM, "[read-failed]")
    alone(folder)


def unreadable_files():
    """a site, a parent, a frame that may not be read: named, with the reason"""
    folder = program.scratch()
    site = folder / "site.yaml"
    site.write_text("flowfw: 1\nsite: x\nextends: parent.yaml\n", encoding="utf-8")
    parent = folder / "parent.yaml"
    parent.write_text("flowfw: 1\nsite: y\nextends: enterprise\n", encoding="utf-8")
    parent.chmod(0)
    process = flowfw("gen", "--profile", "./site.yaml", cwd=folder, wrapper=WITHOUT_RIGHTS)
    said(process, SYSTEM, "parent.yaml", "Permission denied", "site.yaml:3:10", "[unreadable-file]")
    site.chmod(0)
    process = flowfw("gen", "--profile", "./site.yaml", cwd=folder, wrapper=WITHOUT_RIGHTS)
    said(process, SYSTEM, "site.yaml", "Permission denied", "[unreadable-file]")
    process = flowfw(*GEN, "--template", site, wrapper=WITHOUT_RIGHTS)
    said(process, SYSTEM, "site.yaml", "Permission denied", "[unreadable-file]")


def huge_file():
    """a file over the limit is refused at once, without its bytes in memory"""
    site = program.scratch() / "huge.yaml"
    with open(site, "wb") as out:
        out.truncate(300 << 20)
    process = flowfw("gen", "--profile", site, wrapper=("prlimit", f"--as={1 << 30}") if not sanitized() else ())
    said(process, SYSTEM, "huge.yaml", "[file-too-large]")


def sanitized():
    """Whether the binary has AddressSanitizer in it, which reserves address space in terabytes."""
    return b"__asan_init" in program.BINARY.read_bytes()


def standard_input():
    """a site may come from standard input"""
    folder = program.scratch()
    text = "flowfw: 1\nsite: x\nextends: node\n"
    (folder / "x.yaml").write_text(text, encoding="utf-8")
    from_file = program.compiled("gen", "-q", "--profile", "./x.yaml", cwd=folder)
    tap.equal(program.compiled("gen", "-q", "--profile", "/dev/stdin", input=text.encode()), from_file)


def closed_pipe():
    """a reader that goes away early is no crash"""
    read, write = os.pipe()
    os.close(read)
    process = flowfw(*GEN, stdout=write)
    os.close(write)
    said(process, SYSTEM, "Broken pipe")


def closed_stdout():
    """a closed standard output is a failure, and no other file gets the rules"""
    process = flowfw(*GEN, wrapper=("sh", "-c", 'exec "$@" >&-', "sh"))
    said(process, SYSTEM, "[write-failed]")


def profile_search():
    """profiles are looked for in ./profiles, the user's folder, and the installed one, in that order"""
    folder = program.scratch()

    def put(path, title):
        path.mkdir(parents=True)
        text = f"flowfw: 1\nprofile: mine\ntitle: {title}\nroles: [node]\n"
        (path / "mine.yaml").write_text(text, encoding="utf-8")

    def listed(**variables):
        process = flowfw("list", "profiles", cwd=folder, env=program.environment(**variables))
        tap.equal(process.returncode, OK, process.stderr)
        found = [line for line in process.stdout.splitlines() if line.split()[:1] == ["mine"]]
        return " ".join(found)

    tap.equal(listed(), "")
    put(folder / "home/.config/flowfw/profiles", "of the home folder")
    home = {"HOME": str(folder / "home")}
    tap.equal("of the home folder" in listed(**home), True)
    put(folder / "config/flowfw/profiles", "of the configuration folder")
    home["XDG_CONFIG_HOME"] = str(folder / "config")
    tap.equal("of the configuration folder" in listed(**home), True)
    put(folder / "profiles", "of this folder")
    tap.equal("of this folder" in listed(**home), True)
    program.compiled("gen", "-q", "--profile", "mine", cwd=folder)


def init_writes():
    """init writes a site that check takes, for every profile, with and without admins"""
    for profile in program.PROFILES:
        for admins in ((), ("--admins", "10.20.5.10-10.20.5.20,2001:db8:5::/64")):
            folder = program.scratch()
            said(flowfw("init", "--profile", profile, *admins, "junction-17.yaml", cwd=folder), OK)
            alone(folder, "junction-17.yaml")
            process = flowfw("check", "./junction-17.yaml", cwd=folder)
            said(process, OK)
            if "error:" in process.stderr:
                raise AssertionError(process.stderr)
            rules = program.compiled("gen", "-q", "--profile", "./junction-17.yaml", cwd=folder)
            inside = bool(admins) and profile != "gateway"  # whose input is left alone
            tap.equal("10.20.5.10-10.20.5.20" in rules, inside, f"{profile}: the admins are in the rules")


def init_refuses():
    """init overwrites nothing, and writes nothing for a profile or admins that are wrong"""
    folder = program.scratch()
    file = folder / "junction-17.yaml"
    file.write_text("mine\n", encoding="utf-8")
    said(flowfw("init", "--profile", "xroads", file), SYSTEM, "junction-17.yaml", "File exists")
    tap.equal(file.read_text(encoding="utf-8"), "mine\n")
    (folder / "dangling.yaml").symlink_to("nowhere.yaml")
    said(flowfw("init", "--profile", "xroads", folder / "dangling.yaml"), SYSTEM, "File exists")
    said(flowfw("init", "--profile", "xroad", folder / "new.yaml"), USAGE, "did you mean 'xroads'?")
    said(flowfw("init", "--profile", "xroads", "--admins", "10.0.0.1/8", folder / "new.yaml"), USAGE, "10.0.0.0/8")
    said(flowfw("init", "--profile", "xroads", folder / "none/new.yaml"), SYSTEM, "No such file")
    alone(folder, "junction-17.yaml", "dangling.yaml")


def init_names():
    """init takes any file name without letting it become YAML"""
    folder = program.scratch()
    for number, name in enumerate(('quo"te', "on", "2024", "a: b", "two\nlines", "x" * 200, "křižovatka", "\udcff")):
        file = folder / str(number) / f"{name}.yaml"
        file.parent.mkdir()
        said(flowfw("init", "--profile", "node", file), OK)
        said(flowfw("check", file), OK)


def missing_data():
    """an installation without its data is a failure of the system, and says how to help it"""
    nowhere = program.scratch() / "nowhere"
    environment = program.environment(FLOWFW_DATADIR=str(nowhere))
    said(flowfw("check", "enterprise", env=environment), SYSTEM, "[no-library]", "FLOWFW_DATADIR")
    said(flowfw("gen", "--profile", "enterprise", env=environment), SYSTEM, str(nowhere))


def kernel_without_rights():
    """check --kernel without the right to ask the kernel says so"""
    wrapper = () if os.geteuid() else ("setpriv", "--bounding-set=-net_admin")
    said(flowfw("check", "-q", "--kernel", "node", wrapper=wrapper), SYSTEM, "[kernel-permission]")


CHECKS = [
    output_file, unchanged_file, replaced_file, new_file_mode, check_option, mistake_leaves_file, full_device,
    full_disk, folder_without_rights, folder_as_output, unreadable_files, huge_file, standard_input, closed_pipe,
    closed_stdout, profile_search, init_writes, init_refuses, init_names, missing_data,
    kernel_without_rights,
]

if __name__ == "__main__":
    sys.exit(tap.main(CHECKS))
