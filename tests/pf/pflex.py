# SPDX-License-Identifier: GPL-2.0-or-later
"""Text of a pf.conf to tokens: words, strings, numbers, operators and line ends; macros are expanded here.

As pfctl does it: a backslash before a line end joins lines, in comments too; line ends inside quotes vanish; macros
are expanded outside quotes and not again inside what they expand to; quotes make a reserved word an ordinary string.
"""

import re
from dataclasses import dataclass

from pfnames import KEYWORDS

WORD, STRING, NUMBER, OPERATOR, NEWLINE, END = "word", "string", "number", "operator", "newline", "end"

_IN_STRING = re.compile(r"""[A-Za-z0-9"$%&'*+\-.:;?@\[\]^_`|~]+""")
_BEGINS_STRING = re.compile(r"[A-Za-z0-9:_]")
_MACRO_NAME = re.compile(r"[A-Za-z0-9_]*")
_DIGITS = re.compile(r"-?[0-9]+")
_AFTER_NUMBER = " \t\n\r\v\f),/}="
_TWO = {"openbsd": ("!=", "<>", "<=", "><", ">="), "freebsd": ("<>", "><", "->")}
_ONE = frozenset("(){}<>!=/,-")


class PfError(Exception):
    """What pfctl would refuse, or what nobody has taught this reader; either way the rule set does not count."""

    def __init__(self, where, message):
        super().__init__(f"{where[0]}:{where[1]}: {message}")
        self.line, self.column, self.message = *where, message


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    where: tuple  # (line, column), both from 1

    def __str__(self):
        return {NEWLINE: "the end of the line", END: "the end of the file"}.get(self.kind, f"'{self.text}'")


class Lexer:
    def __init__(self, text, dialect):
        self.text = text
        self.dialect = dialect
        self.macros = {}
        self.at = 0
        self.expanded_to = 0  # a macro's text ends here, and no macro begins before
        self.origin = None  # of each character, once macros have moved them; until then they are where they were
        self.line_starts = [0] + [match.end() for match in re.finditer("\n", text)]
        self.after_newline = True

    def where(self, at):
        origin = at if self.origin is None else self.origin[at] if at < len(self.origin) else self.end_of_origin
        low, high = 0, len(self.line_starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.line_starts[middle] <= origin else (low, middle)
        return low + 1, origin - self.line_starts[low] + 1

    def fail(self, at, message):
        raise PfError(self.where(at), message)

    def joined(self, at):
        """The index at or behind `at` that is not the middle of a joined line."""
        while self.text.startswith("\\\n", at):
            at += 2
        return at

    def next(self):
        token = self._next()
        self.after_newline = token.kind == NEWLINE
        return token

    def _next(self):
        self.skip_blanks()
        at = self.at
        if at >= len(self.text):
            if not self.after_newline:
                self.fail(at, "no newline at the end of the file")
            return Token(END, "", self.where(at))
        character = self.text[at]
        if character == "\n":
            self.at += 1
            return Token(NEWLINE, "\n", self.where(at))
        if character == "$" and at >= self.expanded_to:
            self.expand()
            return self._next()
        if character in "\"'":
            return self.quoted(character)
        for operator in _TWO[self.dialect]:
            if self.text.startswith(operator, at):
                self.at += 2
                return Token(OPERATOR, operator, self.where(at))
        number = self.number()
        if number is not None:
            return number
        if _BEGINS_STRING.match(character):
            return self.word()
        if character in _ONE:
            self.at += 1
            return Token(OPERATOR, character, self.where(at))
        return self.fail(at, f"unexpected character {character!r}")

    def skip_blanks(self):
        while True:
            self.at = self.joined(self.at)
            if self.text.startswith((" ", "\t"), self.at):
                self.at += 1
            elif self.text.startswith("#", self.at):
                while self.at < len(self.text) and self.text[self.at] != "\n":
                    self.at += 2 if self.text[self.at] == "\\" else 1
            else:
                return

    def expand(self):
        begin = self.at
        name = _MACRO_NAME.match(self.text, begin + 1).group()
        if name not in self.macros:
            self.fail(begin, f"macro '{name}' is not defined")
        value, end = self.macros[name], begin + 1 + len(name)
        if self.origin is None:
            self.origin = list(range(len(self.text)))
            self.end_of_origin = len(self.text)
        self.text = self.text[:begin] + value + self.text[end:]
        self.origin[begin:end] = [self.origin[begin]] * len(value)
        self.expanded_to = begin + len(value)

    def quoted(self, quote):
        begin, at, found = self.at, self.at + 1, []
        while True:
            if at >= len(self.text):
                self.fail(begin, "the file ends inside quotes")
            character = self.text[at]
            if character == quote:
                break
            if character == "\0":
                self.fail(at, "a NUL inside quotes")
            if character == "\\" and self.text[at + 1 : at + 2] in (quote, "\n"):
                at += 1
                character = self.text[at]
            if character != "\n":
                found.append(character)
            at += 1
        self.at = at + 1
        return Token(STRING, "".join(found), self.where(begin))

    def number(self):
        match = _DIGITS.match(self.text, self.at)
        if match is None:
            return None
        behind = self.joined(match.end())
        if behind < len(self.text) and self.text[behind] not in _AFTER_NUMBER:
            return None
        begin, self.at = self.at, match.end()
        return Token(NUMBER, match.group(), self.where(begin))

    def word(self):
        begin, found = self.at, []
        while True:
            match = _IN_STRING.match(self.text, self.at)
            if match is not None:
                found.append(match.group())
                self.at = match.end()
            end = self.joined(self.at)
            if end == self.at:
                break
            self.at = end
        text = "".join(found)
        return Token(WORD if text in KEYWORDS[self.dialect] else STRING, text, self.where(begin))
