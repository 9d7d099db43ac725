# SPDX-License-Identifier: GPL-2.0-or-later
"""What the manual, the README, the starter file and the schema say is what flowfw does.

Examples are found in the sources of the pages, by the comment before each display:

flowfw-profile.5   .\\" example: valid [PATH] | warning ID | error ID | file PATH | fleet
flowfw.1           .\\" example: run [STATUS] | file PATH
README.md          <!-- file: PATH --> before a block, whose text goes into that file; and ```console blocks, whose
                   lines with `$ ` are run and whose other lines are the output. A line with `...` alone stands for
                   any number of lines. The library is shown where installing puts it.

--update writes the output in the README anew, for a person to read.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402

PAGE_1 = program.SOURCE / "man/flowfw.1"
PAGE_5 = program.SOURCE / "man/flowfw-profile.5"
README = program.SOURCE / "README.md"
SCHEMA = program.SOURCE / "profiles/flowfw-profile.schema.json"
COMMANDS = ("gen", "check", "explain", "diff", "verify", "list", "init")

EXAMPLE = re.compile(r'^\.\\" example: ([^\n]*)\n\.Bd [^\n]*\n(.*?)^\.Ed$', re.M | re.S)


# ---- pages ----


def examples(page):
    """(what the comment says, the text as it is shown, its line) of each example."""
    source = page.read_text(encoding="utf-8")
    for match in EXAMPLE.finditer(source):
        text = match[2].replace(r"\(dq", '"').replace(r"\&", "").replace(r"\-", "-").replace(r"\e", "\\")
        yield match[1], text, source.count("\n", 0, match.start()) + 1


def with_head(text):
    """A whole site file from a fragment."""
    head = "".join(
        line + "\n"
        for line in ("flowfw: 1", "site: example", "extends: enterprise")
        if not re.search(rf"^{line.partition(':')[0]}:", text, re.M)
    )
    return text if re.search("^(profile|role|fleet):", text, re.M) else head + text


def check_example(kind, text, folder):
    word, _, rest = kind.partition(" ")
    if word == "file":
        path = folder / rest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return
    path = folder / (rest if word == "valid" and rest else "example.yaml")
    path.write_text(with_head(text), encoding="utf-8")
    how = ("gen", "--output-dir", "out", "--fleet") if word == "fleet" else ("check",)
    process = program.flowfw(*how, path.name, cwd=folder)
    said = f"{process.stdout}{process.stderr}"
    status = program.DIFFERS if rest == "expect-failed" else program.INVALID
    assert process.returncode == (status if word == "error" else program.OK), said
    if word in ("warning", "error"):
        assert re.search(rf"^\S+ {word}: .*\[{rest}\]$", process.stderr, re.M), said
    if word != "error":
        follow_schema(path)


def page_examples(checks):
    folder = program.scratch()
    for kind, text, line in examples(PAGE_5):
        checks.run(f"flowfw-profile.5:{line}: {kind}", check_example, kind, text, folder)


def run_commands(text, folder, status):
    for command in text.replace("\\\n", " ").splitlines():
        words = shlex.split(command)
        assert words[0] == "flowfw", command
        process = program.flowfw(*words[1:], cwd=folder)
        assert process.returncode == status, f"{command}: {process.returncode}\n{process.stderr}"


def page_commands(checks):
    folder = program.scratch()
    for kind, text, line in examples(PAGE_1):
        word, _, rest = kind.partition(" ")
        if word == "file":
            (folder / rest).write_text(text, encoding="utf-8")
        else:
            checks.run(f"flowfw.1:{line}: commands", run_commands, text, folder, int(rest or program.OK))


def lint_page(page):
    try:
        process = subprocess.run(
            ["mandoc", "-Tlint", str(page)], capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError as missing:
        raise tap.Skip("there is no mandoc") from missing
    # The pages refer to each other, and neither need be installed.
    found = [line for line in process.stdout.splitlines() if "referenced manual not found" not in line]
    assert not found, "\n".join(found)


def items(page, macro):
    """Words of list heads, such as `.It Ic ports : …`; one head may have several."""
    words = set()
    for head in re.findall(rf"^\.It {macro} (.*)$", page.read_text(encoding="utf-8"), re.M):
        words.update(re.split(r" , ", head.partition(" : ")[0]))
    return words


# ---- the schema ----


def schema():
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def schema_keys(node):
    keys = set(node.get("properties", {})) if isinstance(node, dict) else set()
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        keys |= schema_keys(child)
    return keys


def keys_are_described():
    """every key of the schema has its entry in flowfw-profile.5, and no other has one"""
    described = {word for head in items(PAGE_5, "Ic") for word in head.split(".")}
    tap.equal("\n".join(sorted(described)), "\n".join(sorted(schema_keys(schema()))), "keys")


VALIDATOR = None


def follow_schema(path):
    """Fails where the schema refuses what flowfw takes."""
    global VALIDATOR
    try:
        import jsonschema
        import yaml
    except ImportError as missing:
        raise tap.Skip(str(missing)) from missing
    if VALIDATOR is None:
        VALIDATOR = jsonschema.Draft202012Validator(schema())
    document = yaml.safe_load(path.read_bytes())
    mistakes = [f"{'/'.join(map(str, error.path))}: {error.message}" for error in VALIDATOR.iter_errors(document)]
    assert not mistakes, "\n".join(mistakes)


def schema_is_sound():
    """the schema follows its own schema"""
    try:
        import jsonschema
    except ImportError as missing:
        raise tap.Skip(str(missing)) from missing
    jsonschema.Draft202012Validator.check_schema(schema())


def schema_files(checks):
    for path in sorted((program.SOURCE / "profiles").rglob("*.yaml")):
        checks.run(f"schema: {path.relative_to(program.SOURCE)}", follow_schema, path)
    for case in sorted((program.SOURCE / "tests/golden").iterdir()):
        site = case / "site.yaml"
        if site.exists() and (case / "nftables.out").exists() and not (case / "exit").exists():
            checks.run(f"schema: golden {case.name}", follow_schema, site)


# ---- ids ----


def ids_of_sources():
    """Every id that some call may put into a diagnostic."""
    ids = set()
    call = r"\b(?:fw_(?:error|finding|warning|refusal|failure|failure_at|usage)|report)\s*\([^;\"]*\"([a-z][a-z0-9-]*)\"\s*,"
    row = r"\[FW_NET_\w+\] = \{\"([a-z][a-z0-9-]*)\""
    for path in sorted((program.SOURCE / "src").rglob("*.c")):
        text = path.read_text(encoding="utf-8")
        ids.update(re.findall(call, text) + re.findall(row, text))
    return ids


def ids_are_described():
    """every diagnostic that the sources know has its entry in flowfw-profile.5, and no other has one"""
    described = items(PAGE_5, "Li")
    text = "".join(path.read_text(encoding="utf-8") for path in (program.SOURCE / "src").rglob("*.c"))
    assert not ids_of_sources() - described, f"not described: {sorted(ids_of_sources() - described)}"
    gone = sorted(name for name in described if f'"{name}"' not in text)
    assert not gone, f"described, but not in the sources: {gone}"


# ---- help ----


def options_are_described():
    """every long option of --help is in flowfw.1, and no other is"""
    page = PAGE_1.read_text(encoding="utf-8").partition(".Sh OPTIONS")[2].partition(".Sh THE FIRST LOAD")[0]
    described = {option for head in re.findall(r"^\.It (.*Fl .*)$", page, re.M) for option in re.findall(r"Fl \\-((?:[a-z]|\\-)+)", head)}
    described = {option.replace("\\-", "-") for option in described}
    helped = {"version"}
    for command in COMMANDS:
        process = program.flowfw(command, "--help")
        tap.equal(process.returncode, program.OK, f"{command} --help")
        helped |= set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", process.stdout, re.M))
    tap.equal("\n".join(sorted(described)), "\n".join(sorted(helped)), "options")


def help_fits():
    """no line of --help is wider than 80 columns"""
    for command in ((), *((command,) for command in COMMANDS)):
        text = program.flowfw(*command, "--help").stdout
        wide = [line for line in text.splitlines() if len(line) > 80]
        assert text and not wide, f"{command}: {wide}"


# ---- the starters ----


def starter(profile, *arguments, name="junction-17.yaml", folder=None):
    path = (folder or program.scratch()) / name
    process = program.flowfw("init", "--profile", profile, *arguments, path)
    assert process.returncode == program.OK and process.stdout == "", process.stdout + process.stderr
    return path


def check_starter(path):
    process = program.flowfw("check", path)
    assert process.returncode == program.OK, process.stderr
    follow_schema(path)
    return process.stderr


# What is said of a starter before anything in it is changed: nobody may come in, or nothing is there.
UNCHANGED = {"gateway": "[no-devices]"}


def starter_without_admins(profile):
    warnings = check_starter(starter(profile))
    assert UNCHANGED.get(profile, "[no-admin-access]") in warnings, warnings


def starter_with_admins(profile):
    warnings = check_starter(starter(profile, "--admins", "10.20.5.10-10.20.5.20, 2001:db8:20::/48"))
    assert "[no-admin-access]" not in warnings, warnings
    assert "[unused-group]" not in warnings, warnings


def uncomment(text):
    """Every example in use: lines whose text behind the # is YAML and not prose."""
    lines = []
    for line in text.splitlines():
        match = re.match(r"( *)# ( *(?:[a-z-]+:|- ).*)$", line)
        lines.append(match[1] + match[2] if match else line)
    return "\n".join(lines) + "\n"


def starter_in_use(profile, key):
    """the starter is valid with every example in it uncommented"""
    path = starter(profile)
    starter("xroads", "--admins", "10.20.5.10", name="junction-18.yaml", folder=path.parent)
    text = uncomment(path.read_text(encoding="utf-8"))
    assert f"{key}:" in re.sub("#.*", "", text)
    path.write_text(text, encoding="utf-8")
    warnings = check_starter(path)
    assert "[unset-group]" not in warnings, warnings


def fleet_in_use():
    """the starter of a fleet compiles with every example in it uncommented"""
    path = program.scratch() / "city.yaml"
    process = program.flowfw("init", "--fleet", path)
    assert process.returncode == program.OK and process.stdout == "", process.stdout + process.stderr
    path.write_text(uncomment(path.read_text(encoding="utf-8")), encoding="utf-8")
    follow_schema(path)
    (path.parent / "sites").mkdir()
    starter("xroads", name="sites/junction-17.yaml", folder=path.parent)
    starter("insights", name="control-room.yaml", folder=path.parent)
    starter("gateway", name="city-gateway.yaml", folder=path.parent)
    process = program.flowfw("gen", "--fleet", path, "--output-dir", path.parent / "out")
    assert process.returncode == program.OK, process.stderr
    found = sorted(file.name for file in (path.parent / "out").glob("*.nft"))
    tap.equal(found, ["city-gateway.nft", "control-room-pc.nft", "junction-17.nft"])


# ---- the README ----

BLOCK = re.compile(r"(?:<!-- file: (\S+) -->\n+)?```(\w*)\n(.*?)^```$", re.M | re.S)


def transcript(text):
    """[command, expected output] of each command of a console block."""
    steps = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            steps.append([line[2:].rstrip("\n"), ""])
        else:
            steps[-1][1] += line
    return steps


def run_line(command, folder):
    """What a terminal shows, standard error behind standard output."""
    words = shlex.split(command)
    words = words[2:] if words[:2] == ["./dev", "run"] else words[1:]
    process = program.flowfw(*words, cwd=folder)
    return (process.stdout + process.stderr).replace(f"{program.SOURCE}/", "/usr/local/share/flowfw/")


def matches(got, expected):
    pattern = "".join("(?:.*\n)*" if line == "...\n" else re.escape(line) for line in expected.splitlines(keepends=True))
    return re.fullmatch(pattern, got) is not None


def check_step(command, expected, folder):
    got = run_line(command, folder)
    if not matches(got, expected):
        tap.equal(got, expected, command)


def readme_blocks():
    folder = program.scratch()
    for match in BLOCK.finditer(README.read_text(encoding="utf-8")):
        if match[1]:
            (folder / match[1]).write_text(match[3], encoding="utf-8")
        elif match[2] == "console":
            yield match, folder


def readme(checks):
    for match, folder in readme_blocks():
        for command, expected in transcript(match[3]):
            checks.run(f"README.md: {command}", check_step, command, expected, folder)


def readme_update():
    """Output without a `...` in it is written anew."""
    text = README.read_text(encoding="utf-8")
    for match, folder in readme_blocks():
        block = ""
        for command, expected in transcript(match[3]):
            got = run_line(command, folder)
            block += f"$ {command}\n" + (expected if "...\n" in expected else got)
        text = text.replace(f"```console\n{match[3]}```", f"```console\n{block}```")
    README.write_text(text, encoding="utf-8")


def readme_links():
    """every file that the README points to is there"""
    text = README.read_text(encoding="utf-8")
    missing = [link for link in re.findall(r"\]\(([^)#:]+)\)", text) if not (program.SOURCE / link).exists()]
    assert not missing, missing


def main():
    if sys.argv[1:] == ["--update"]:
        readme_update()
        return 0
    checks = tap.Tap()
    for page in (PAGE_1, PAGE_5):
        checks.run(f"mandoc finds nothing in {page.name}", lint_page, page)
    page_examples(checks)
    page_commands(checks)
    for check in (keys_are_described, schema_is_sound, ids_are_described, options_are_described, help_fits):
        checks.run(check.__doc__, check)
    schema_files(checks)
    for profile in program.PROFILES:
        checks.run(f"init: {profile}", starter_without_admins, profile)
        checks.run(f"init: {profile}, with administrators", starter_with_admins, profile)
    for profile, key in (("enterprise", "cameras"), ("gateway", "devices"), ("insights", "devices")):
        checks.run(f"init: {profile}: {starter_in_use.__doc__}", starter_in_use, profile, key)
    checks.run(fleet_in_use.__doc__, fleet_in_use)
    readme(checks)
    checks.run(readme_links.__doc__, readme_links)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
