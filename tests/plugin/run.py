# SPDX-License-Identifier: GPL-2.0-or-later
"""Backends from outside: what they add, and what is refused before and behind the loading.

A plug-in must lie where nobody else could have written, all the way up, so a folder in /tmp is no good. Root mounts
a file system of its own, in a mount namespace of its own; everybody else needs a home folder that is nobody else's.
"""

import atexit
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402
from program import BACKEND, OK, SYSTEM, USAGE, flowfw  # noqa: E402

HERE = Path(__file__).resolve().parent
SOURCE = (HERE / "example.c").read_text(encoding="utf-8")
EXAMPLE = Path(os.environ.get("EXAMPLE") or program.SOURCE / "build/tests/plugin/example.so")
BUILD = Path(os.environ.get("FLOWFW_BUILD") or program.SOURCE / "build")
CC = shlex.split(os.environ.get("CC", "cc"))
FLAGS = ["-std=gnu17", "-Wall", "-Wextra", "-Wno-missing-field-initializers", "-Werror", "-shared", "-fPIC"]
MOUNTED = "FLOWFW_TEST_MOUNTED"
NOBODY = 65534

SITE = """flowfw: 1
site: junction-17
extends: enterprise
groups:
  clients: [10.20.0.0/16]
base: {echo: off, mld: off}
services:
  ssh: {title: maintenance, direction: input, ports: 22/tcp, from: clients, limit: 10/minute}
"""


# ---- a place that is safe ----


def mount_point():
    """A folder of root's that hides nothing that the tests need."""
    needed = [program.BINARY, program.SOURCE, BUILD, EXAMPLE, Path(tempfile.gettempdir())]
    for point in map(Path, ("/mnt", "/media", "/srv", "/opt")):
        if point.is_dir() and not any(path.is_relative_to(point) for path in needed):
            return point
    raise tap.Skip("there is no folder to mount on")


def enter_namespace():
    """Starts this program anew where it may mount."""
    script = 'mount -t tmpfs -o mode=0755 flowfw "$0" && exec "$@"'
    wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(mount_point())]
    try:
        possible = subprocess.run([*wrapper, "true"], capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError as missing:
        raise tap.Skip("there is no unshare") from missing
    if possible.returncode != 0:
        raise tap.Skip(f"nothing can be mounted: {possible.stderr.strip()}")
    os.environ[MOUNTED] = str(mount_point())
    os.execvp(wrapper[0], [*wrapper, sys.executable, *sys.argv])


def is_safe(folder):
    owners = {0, os.geteuid()}
    return all(
        status.st_uid in owners and not status.st_mode & 0o022
        for status in (path.stat() for path in (folder, *folder.parents))
    )


def safe_folder():
    if MOUNTED in os.environ:
        return Path(tempfile.mkdtemp(dir=os.environ[MOUNTED]))
    if os.geteuid() == 0:
        enter_namespace()
    if not is_safe(Path.home()):
        raise tap.Skip(f"others may write to {Path.home()} or above it")
    folder = Path(tempfile.mkdtemp(dir=Path.home(), prefix=".flowfw-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


class Place:
    """A safe folder, and the plug-ins that are built into folders below it."""

    def __init__(self, root):
        self.root = root
        self.count = 0

    def folder(self, *files):
        """An empty folder, or one with copies of these files."""
        self.count += 1
        folder = self.root / f"plugins-{self.count}"
        folder.mkdir(mode=0o755)
        for file in files:
            shutil.copy(file, folder / file.name)
            (folder / file.name).chmod(0o755)
        return folder

    def variant(self, name, *changes, flags=None):
        """The example as a folder's only file, with text in its source replaced."""
        source = SOURCE
        for old, new in changes:
            assert old in source, f"the example has no {old!r}"
            source = source.replace(old, new)
        folder = self.folder()
        build(source, folder / f"{name}.so", flags or [f"-I{program.SOURCE / 'src'}"])
        return folder


def build(source, target, flags):
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "plugin.c"
        file.write_text(source, encoding="utf-8")
        command = [*CC, *FLAGS, *flags, "-o", str(target), str(file)]
        process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stderr
    target.chmod(0o755)


def site(text=SITE):
    path = program.scratch() / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def gen(folder, *arguments, text=SITE, backend="csv"):
    return flowfw("gen", "-q", "-b", backend, "--plugin-dir", folder, *arguments, site(text))


def said(process, status, *texts):
    """The exit status, nothing on stdout unless it is fine, and words that must be on stderr."""
    tap.equal(process.returncode, status, f"exit status ({process.stderr.strip()!r})")
    assert status == OK or process.stdout == "", process.stdout
    for text in texts:
        assert text in process.stderr, f"stderr lacks {text!r}:\n{process.stderr}"


# ---- what a plug-in adds ----


def is_listed(place):
    """a plug-in is listed with its frames, its options and a column of its own"""
    folder = place.folder(EXAMPLE)
    process = flowfw("list", "backends", "--long", "--plugin-dir", folder)
    said(process, OK)
    assert re.search(r"^csv +the permissions as a table for a spreadsheet +\.csv$", process.stdout, re.M)
    assert "    frames: titled (default), bare\n" in process.stdout
    assert "    -O separator=comma|semicolon: what stands between two fields (default: comma)\n" in process.stdout
    assert re.search(r"^FEATURE .* csv +WHAT$", process.stdout, re.M)
    assert re.search(r"^except .* none +except$", process.stdout, re.M)
    process = flowfw("list", "frames", "--plugin-dir", folder)
    assert re.search(r"^csv +titled +With a line of titles\. +default$", process.stdout, re.M), process.stdout


def compiles(place):
    """a plug-in compiles a profile"""
    lines = gen(place.folder(EXAMPLE)).stdout.splitlines()
    tap.equal(lines[0], "hook,service,family,protocol,ports,source-ports,hop-limit,peers,local,interfaces,limit")
    for line in (
        '"input","rest-api","any","tcp","8088","any","any","clients","any","any","no limit"',
        '"input","ssh","any","tcp","22","any","any","clients","any","any","10/minute burst 5"',
        '"output","dns","any","udp","53","any","any","any","any","any","no limit"',
    ):
        assert line in lines, f"no {line} in\n" + "\n".join(lines)


def takes_options(place):
    """-O, --option and --frame reach a plug-in"""
    folder = place.folder(EXAMPLE)
    lines = gen(folder, "-O", "separator=semicolon", "--frame", "bare").stdout.splitlines()
    assert '"input";"ssh";"any";"tcp";"22";"any";"any";"clients";"any";"any";"10/minute burst 5"' in lines
    assert not any(line.startswith("hook") for line in lines)
    tap.equal(gen(folder, "--option", "separator=comma").stdout, gen(folder).stdout)
    said(gen(folder, "-O", "seperator=comma"), USAGE, "did you mean 'separator'?", "[unknown-option]")
    said(gen(folder, "-O", "separator=tab"), USAGE, "[option-value]")
    said(gen(folder, "--frame", "bar"), USAGE, "did you mean 'bare'?", "[unknown-frame]")


def takes_templates(place):
    """a template must have the placeholders of the frame that is named with it"""
    folder = place.folder(EXAMPLE)
    template = program.scratch() / "own.csv"
    template.write_text("# mine\n@table@\n", encoding="utf-8")
    said(gen(folder, "--template", template), 3, "[frame-placeholder-missing]")
    process = gen(folder, "--template", template, "--frame", "bare")
    said(process, OK)
    tap.equal(process.stdout, "# mine\n" + gen(folder, "--frame", "bare").stdout)


def refuses_what_it_lacks(place):
    """what a plug-in cannot say is refused at the service's line"""
    text = SITE + "  own: {title: own, direction: input, ports: 80/tcp, from: clients, except: 10.20.0.1}\n"
    line = text.count("\n")
    process = gen(place.folder(EXAMPLE), text=text)
    said(process, BACKEND, "backend 'csv' cannot express except, which service 'own' asks for [not-expressible]")
    assert re.search(rf"site\.yaml:{line}:\d+: error:", process.stderr), process.stderr


def may_not_fail_silently(place):
    """a plug-in that refuses without a reason does not look like success"""
    folder = place.variant("mute", ("bool fine = true;", "bool fine = false;"))
    said(gen(folder), BACKEND, "[refused]")


def several(place):
    """plug-ins of several folders, in the order of their names; hidden files and other files are left alone"""
    folder = place.variant("zebra", ('"csv"', '"zebra"'))
    build(SOURCE.replace('"csv"', '"ape"'), folder / "ape.so", [f"-I{program.SOURCE / 'src'}"])
    for name in (".hidden.so", "note.txt", "old.so.bak", ".so"):
        (folder / name).write_text("nothing to load", encoding="utf-8")
    process = flowfw("list", "backends", "--plugin-dir", folder, "--plugin-dir", place.folder(EXAMPLE))
    said(process, OK)
    names = [line.split()[0] for line in process.stdout.splitlines()]
    tap.equal(names[-3:], ["ape", "zebra", "csv"])


def second_file(place):
    """--ipset-output takes a second file, and is asked for where the options make one"""
    folder = place.variant(
        "two",
        ("static const struct fw_option_spec options[] = {",
         'static const char *const switches[] = {"off", "on", NULL};\n'
         "static const struct fw_option_spec options[] = {\n"
         '{"ipset", "a second file", switches},'),
        (".support = support,", '.support = support, .file = "ipset",'),
        ("fw_buf_add_char(head, '\\n');",
         "fw_buf_add_char(head, '\\n'); fw_buf_add_text(fw_outputs_section(out, \"ipset\"), \"sets\\n\");"),
    )
    output = program.scratch()
    rules, sets = output / "rules", output / "sets"
    said(gen(folder, "-O", "ipset"), USAGE, "name it with --ipset-output", "[option-conflict]")
    said(gen(folder, "--ipset-output", sets), USAGE, "writes no second file", "[option-conflict]")
    said(gen(folder, "-O", "ipset=off", "--ipset-output", sets), USAGE, "[option-conflict]")
    both = ("-O", "ipset", "-o", rules, "--ipset-output")
    (output / "link").symlink_to("rules")
    for same in (rules, output / "." / "rules", output / "link"):
        said(gen(folder, *both, same), USAGE, "the same place", "[option-conflict]")
    said(gen(folder, "-O", "ipset", "--ipset-output", "-"), USAGE, "the same place")
    said(gen(folder, "--check", *both, "-"), USAGE, "[option-conflict]")
    process = gen(folder, "--check", *both, sets)
    said(process, 1, f"'{rules}' would be created", f"'{sets}' would be created")
    said(gen(folder, *both, sets), OK)
    tap.equal(sets.read_text(encoding="utf-8"), "sets\n")
    tap.equal(rules.read_text(encoding="utf-8"), gen(folder).stdout)
    said(gen(folder, "--check", *both, sets), OK)
    sets.write_text("other\n", encoding="utf-8")
    said(gen(folder, "--check", *both, sets), 1, f"'{sets}' would change")
    tap.equal(sets.read_text(encoding="utf-8"), "other\n")
    tap.equal(gen(folder, *both, "-").stdout, "sets\n")
    tap.equal(gen(folder, "-O", "ipset", "--ipset-output", sets).stdout, gen(folder).stdout)
    rules.unlink()
    said(gen(folder, *both, "/nonexistent/sets"), SYSTEM, "[write-failed]")
    assert not rules.exists(), "there are rules without their sets"


# ---- what is not whole ----

FAULTS = {
    "name": ('.name = "csv",', ""),
    "name in capitals": ('.name = "csv"', '.name = "CSV"'),
    "name with a slash": ('.name = "csv"', '.name = "../csv"'),
    "summary": ('.summary = "the permissions as a table for a spreadsheet",', ""),
    "suffix": ('.suffix = ".csv",', ""),
    "suffix with a slash": ('".csv"', '"./csv"'),
    "frames": (".frames = frames,", ".frames = frames + 2,"),
    "frames: text": ('"#% The lines alone.\\n@table@\\n"', "NULL"),
    "frames: sections": ("without_head[] = {", "without_head[] = {NULL, "),
    "options": (".option_count = FW_LENGTH(options)", ".option_count = 99"),
    "options: summary": ('"what stands between two fields"', "NULL"),
    "options: values": ('separators[] = {', "separators[] = {NULL, "),
    "support": (".support = support,", ".support = NULL,"),
    "check": (".check = check_policy,", ".check = NULL,"),
    "emit": (".emit = emit_policy,", ".emit = NULL,"),
    "variants": (".support = support,", '.support = support, .variants = (const char *const[]){"a=b", NULL},'),
    "file": (".support = support,", '.support = support, .file = "ipset",'),
}


def is_incomplete(place, part):
    folder = place.variant("part", FAULTS[part], flags=[f"-I{program.SOURCE / 'src'}", "-Wno-unused"])
    said(gen(folder), SYSTEM, "plug-in 'part.so' has no valid", "[plugin-incomplete]")


def has_other_abi(place):
    """a plug-in for another version of the interface is refused"""
    folder = place.variant("old", ("FW_EMITTER_ABI", "FW_EMITTER_ABI + 1"))
    said(gen(folder), SYSTEM, "plug-in 'old.so' was built for version ", "[plugin-abi]")


def has_taken_name(place):
    """a plug-in cannot take the place of a backend that is there"""
    folder = place.variant("false", ('"csv"', '"nftables"'))
    said(gen(folder, backend="nftables"), SYSTEM, "calls itself 'nftables'", "[plugin-name]")
    folder = place.folder(EXAMPLE)
    shutil.copy(EXAMPLE, folder / "second.so")
    said(gen(folder), SYSTEM, "plug-in 'second.so' calls itself 'csv'", "[plugin-name]")


def too_many(place):
    """one run loads as many plug-ins as its limit says, and no more"""
    numbered = (place.variant("many", ('.name = "csv"', '.name = "number-00"')) / "many.so").read_bytes()
    assert numbered.count(b"number-00") == 1
    folder = place.folder()
    for number in range(65):
        if number == 64:
            said(gen(folder, backend="number-63"), OK)
        file = folder / f"{number:02}.so"
        file.write_bytes(numbered.replace(b"number-00", b"number-%02d" % number))
        file.chmod(0o755)
    said(gen(folder, backend="number-63"), SYSTEM, "more than 64 plug-ins", "[plugin-many]")


def cannot_be_loaded(place):
    """what the dynamic linker refuses is told with its reason"""
    folder = place.folder()
    (folder / "text.so").write_text("not an object\n", encoding="utf-8")
    process = gen(folder)
    said(process, SYSTEM, "cannot load plug-in 'text.so': ", "[plugin-load]")
    assert "/proc/" not in process.stderr, process.stderr
    folder = place.variant("open", ("fw_protocol_name", "fw_profile_name"), flags=[f"-I{program.SOURCE / 'src'}", "-w"])
    said(gen(folder), SYSTEM, "cannot load plug-in 'open.so': undefined symbol: fw_profile_name", "[plugin-load]")
    folder = place.variant("other", ("fw_plugin_emitter", "other"),
                           ("enum { FIELD_MAX", "extern const struct fw_emitter other;\nenum { FIELD_MAX"))
    said(gen(folder), SYSTEM, "plug-in 'other.so' has no symbol 'fw_plugin_emitter'", "[plugin-load]")


# ---- what others could have written ----


def refused(folder, *texts):
    said(gen(folder), SYSTEM, *(texts or ("[plugin-unsafe]",)))


def writable(place):
    """a folder, a file or a parent that others may write to is refused"""
    for mode in (0o775, 0o757, 0o777, 0o1777, 0o2775):
        folder = place.folder(EXAMPLE)
        folder.chmod(mode)
        refused(folder, f"'{folder}' may be written to by others", f"mode {mode:04o}", "[plugin-unsafe]")
    for mode in (0o775, 0o757):
        folder = place.folder(EXAMPLE)
        (folder / EXAMPLE.name).chmod(mode)
        refused(folder, f"'{folder / EXAMPLE.name}' may be written to by others", "[plugin-unsafe]")
    parent = place.folder()
    shutil.copytree(place.folder(EXAMPLE), parent / "plugins")
    said(gen(parent / "plugins"), OK)
    parent.chmod(0o1777)
    refused(parent / "plugins", f"'{parent}' may be written to by others", "[plugin-unsafe]")


def in_tmp(place):
    """a folder in /tmp is refused, though it is the caller's own"""
    del place
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shutil.copy(EXAMPLE, folder)
        refused(folder, "'/tmp' may be written to by others", "[plugin-unsafe]")


def access_lists(place):
    """a right to write that an access list gives counts"""
    if shutil.which("setfacl") is None:
        raise tap.Skip("there is no setfacl")
    folder = place.folder(EXAMPLE)
    process = subprocess.run(["setfacl", "-m", f"u:{NOBODY}:rwx", str(folder)], capture_output=True, check=False)
    if process.returncode != 0:
        raise tap.Skip("the file system knows no access lists")
    refused(folder)


def of_others(place):
    """a folder, file, link or parent that belongs to somebody else is refused"""
    if os.geteuid() != 0:
        raise tap.Skip("only root gives files away")
    for path in (place.folder(EXAMPLE), place.folder(EXAMPLE) / EXAMPLE.name):
        os.chown(path, NOBODY, -1)
        refused(path if path.is_dir() else path.parent, f"'{path}' belongs to neither root nor you", "[plugin-unsafe]")
    folder = place.folder()
    (folder / "link.so").symlink_to(place.folder(EXAMPLE) / EXAMPLE.name)
    said(gen(folder), OK)
    os.chown(folder / "link.so", NOBODY, -1, follow_symlinks=False)
    refused(folder, "link.so' belongs to neither root nor you", "[plugin-unsafe]")


def links(place):
    """a link is followed to a target that is as safe as the rest, and refused with any other"""
    good, bad, open_file = place.folder(EXAMPLE), place.folder(EXAMPLE), place.folder(EXAMPLE)
    bad.chmod(0o777)
    (open_file / EXAMPLE.name).chmod(0o666)
    for target in (good / EXAMPLE.name, f"../{good.name}/./{EXAMPLE.name}"):
        folder = place.folder()
        (folder / "link.so").symlink_to(target)
        said(gen(folder), OK)
    for target in (bad, open_file):
        for path in (target / EXAMPLE.name, f"../{target.name}/{EXAMPLE.name}"):
            folder = place.folder()
            (folder / "link.so").symlink_to(path)
            refused(folder)
    folder = place.folder()
    (folder / "link.so").symlink_to(f"../{bad.name}/../{good.name}/{EXAMPLE.name}")
    refused(folder, f"'{bad}' may be written to")
    folder = place.folder()
    (folder / "loop.so").symlink_to("loop.so")
    refused(folder, "cannot follow the link", "[plugin-read]")
    folder = place.folder()
    (folder / "none.so").symlink_to("nothing")
    refused(folder, "cannot open 'nothing'", "[plugin-read]")
    link = place.root / "link"
    link.symlink_to(bad.name)
    refused(link, f"'{bad}' may be written to")
    link.unlink()
    link.symlink_to(good)
    said(gen(link), OK)
    said(gen(f"{link}//../{link.name}/."), OK)


def no_files(place):
    """what has the name of a plug-in and is no regular file is refused"""
    folder = place.folder()
    (folder / "folder.so").mkdir()
    refused(folder, "plug-in 'folder.so' is no regular file", "[plugin-read]")
    folder = place.folder()
    os.mkfifo(folder / "pipe.so")
    refused(folder, "plug-in 'pipe.so' is no regular file", "[plugin-read]")


def folders(place):
    """a folder may be relative; one that is missing, a file or nothing at all is told"""
    folder = place.folder(EXAMPLE)
    path = site()
    for relative in (folder.name, f"./{folder.name}/", f"{folder.name}/../{folder.name}"):
        said(flowfw("gen", "-q", "-b", "csv", "--plugin-dir", relative, path, cwd=place.root), OK)
    said(flowfw("gen", "-q", "-b", "csv", "--plugin-dir", ".", path, cwd=folder), OK)
    for wrong in ("", "missing", f"{folder.name}/{EXAMPLE.name}"):
        said(flowfw("gen", "-b", "csv", "--plugin-dir", wrong, path, cwd=place.root), SYSTEM, "[plugin-read]")
    said(gen(place.folder()), USAGE, "no backend is named 'csv'", "[unknown-backend]")
    said(flowfw("list", "services", "--plugin-dir", folder, "enterprise"), USAGE, "[option-conflict]")


def more_rights(place):
    """a program with more rights than its caller loads nothing"""
    if MOUNTED not in os.environ:
        raise tap.Skip("only root makes such a program")
    binary = place.root / "flowfw"
    shutil.copy(program.BINARY, binary)
    os.chown(binary, NOBODY, -1)
    binary.chmod(0o755 | stat.S_ISUID)
    command = [binary, "list", "backends", "--plugin-dir", place.folder(EXAMPLE)]
    process = subprocess.run(command, capture_output=True, text=True, env=program.environment(), timeout=60, check=False)
    # A sanitizer's leak detector has no rights in such a process, and its exit status hides the program's.
    said(process, USAGE if "LeakSanitizer" not in process.stderr else process.returncode, "[plugin-setuid]")
    assert process.returncode != OK and process.stdout == "", process.stdout


# ---- the headers ----


def exported():
    """every name that the list of symbols promises is there, and no other is"""
    text = re.sub(r"/\*.*?\*/", "", (program.SOURCE / "src/cmd/plugin.list").read_text(encoding="utf-8"), flags=re.S)
    patterns = {name: re.compile(name.replace("*", r"\w+")) for name in re.findall(r"(fw_[\w*]+);", text)}
    process = subprocess.run(
        ["nm", "-D", "--defined-only", str(program.BINARY)], capture_output=True, text=True, timeout=60, check=True
    )
    names = set(re.findall(r" (fw_\w+)$", process.stdout, re.M))
    missing = [name for name, pattern in patterns.items() if not any(map(pattern.fullmatch, names))]
    others = [name for name in names if not any(pattern.fullmatch(name) for pattern in patterns.values())]
    assert not missing and not others, f"missing: {missing}; not listed: {others}"


def installed(place):
    """a plug-in is built against the installed headers, and the installed program loads it"""
    for tool in ("meson", "pkg-config"):
        if shutil.which(tool) is None:
            raise tap.Skip(f"there is no {tool}")
    root = program.scratch()
    command = ["meson", "install", "-C", str(BUILD), "--no-rebuild", "--quiet", "--destdir", str(root)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    config = next(root.rglob("flowfw.pc"))
    environment = {**os.environ, "PKG_CONFIG_SYSROOT_DIR": str(root), "PKG_CONFIG_PATH": str(config.parent)}
    process = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "flowfw"], env=environment, capture_output=True, text=True, check=True
    )
    folder = place.variant("installed", flags=shlex.split(process.stdout))
    binary = next(path for path in root.rglob("bin/flowfw") if path.is_file())
    data = next(root.rglob("share/flowfw"))
    process = subprocess.run(
        [binary, "gen", "-q", "-b", "csv", "--plugin-dir", folder, site()],
        env=program.environment(FLOWFW_DATADIR=str(data)), capture_output=True, text=True, timeout=60, check=False,
    )
    said(process, OK)
    tap.equal(process.stdout, gen(place.folder(EXAMPLE)).stdout)


def main():
    checks = tap.Tap()
    try:
        place = Place(safe_folder())
    except tap.Skip as skip:
        checks.skip("plug-ins", skip)
        return checks.done()
    for check in (
        is_listed, compiles, takes_options, takes_templates, refuses_what_it_lacks, may_not_fail_silently, several,
        second_file, has_other_abi, has_taken_name, too_many, cannot_be_loaded, writable, in_tmp,
        access_lists, of_others, links, no_files, folders, more_rights, installed,
    ):
        checks.run(check.__doc__, check, place)
    for part in FAULTS:
        checks.run(f"a plug-in without a valid part is refused: {part}", is_incomplete, place, part)
    checks.run(exported.__doc__, exported)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
