# SPDX-License-Identifier: GPL-2.0-or-later
"""What each backend can express: the tables in README.md and flowfw.1 say what the program says.

Both stand between two marks, and --update writes them anew from `flowfw list backends --long`.
"""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import program  # noqa: E402
import tap  # noqa: E402


def matrix():
    """Rows of cells: the heads, then a row for each feature with its name first and what it is last."""
    text = program.compiled("list", "backends", "--long")
    rows = [re.split("  +", line) for line in text[text.index("FEATURE ") :].splitlines()]
    assert len(rows) > 1 and all(len(row) == len(rows[0]) for row in rows), text
    return rows


def markdown(rows):
    head, *rest = ([f"`{cell}`" for cell in row[:1]] + row[1:] for row in rows)
    head = ["feature", *head[1:-1], "what it is"]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rest))


def mdoc(rows):
    head, *rest = (row[:-1] for row in rows)
    widths = [max(len(row[i]) for row in rest) for i in range(len(head))]
    widths = [max(width, len(cell.partition(" ")[0])) for width, cell in zip(widths, head)]
    lines = [".Bl -column " + " ".join(f'"{"x" * width}"' for width in widths)]
    lines.append(".It " + " Ta ".join(f'Em "{cell}"' for cell in ("Feature", *head[1:])))
    lines += [".It " + " Ta ".join(row) for row in rest]
    return "\n".join([*lines, ".El\n"])


PAGES = {
    "README.md": (markdown, "<!-- matrix -->\n", "<!-- end of matrix -->\n"),
    "man/flowfw.1": (mdoc, '.\\" matrix\n', '.\\" end of matrix\n'),
}


def with_matrix(page, rows):
    """(the page as it is, the page as it should be)."""
    render, begin, end = PAGES[page]
    text = (program.SOURCE / page).read_text(encoding="utf-8")
    assert text.count(begin) == 1 and text.count(end) == 1, f"{page} has no place for the table"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return text, before + begin + render(rows) + end + after


def check(page, rows):
    tap.equal(*with_matrix(page, rows), page)


def main():
    rows = matrix()
    if sys.argv[1:] == ["--update"]:
        for page in PAGES:
            text, wanted = with_matrix(page, rows)
            if text != wanted:
                (program.SOURCE / page).write_text(wanted, encoding="utf-8")
                print(f"{page}: written")
        return 0
    checks = tap.Tap()
    for page in PAGES:
        checks.run(f"{page}: what each backend can express", check, page, rows)
    return checks.done()


if __name__ == "__main__":
    sys.exit(main())
