"""Rust source as the checks read it: without comments, strings and tests."""

import re

_TOKENS = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | b?r(?P<hashes>\#*)".*?"(?P=hashes)
      | b?"(?:\\.|[^"\\])*"
      | b?'(?:\\(?:u\{[0-9a-fA-F_]+\}|x..|.)|[^'\\\n])'
    """,
    re.VERBOSE | re.DOTALL,
)

_TEST_ITEM = re.compile(r"#\[cfg\((?:test|all\(test.*?)\)\]")


def without_comments(text):
    """Comments go, and literals become empty ones, on as many lines."""

    def replacement(match):
        token = match.group()
        if token.startswith(("//", "/*")):
            return "\n" * token.count("\n")
        return "\n".join('""' for _ in token.split("\n"))

    return _TOKENS.sub(replacement, text)


def without_tests(text):
    """Items behind `#[cfg(test)]` go. Expects a text without comments."""
    kept = []
    position = 0
    while match := _TEST_ITEM.search(text, position):
        kept.append(text[position : match.start()])
        position = _end_of_item(text, match.end())
    return "".join(kept) + text[position:]


def _end_of_item(text, start):
    """Where the item that begins at `start` ends: at its `;` or closing brace."""
    depth = 0
    for index in range(start, len(text)):
        character = text[index]
        if character in "{[(":
            depth += 1
        elif character in "}])":
            depth -= 1
            if depth == 0 and character == "}":
                return index + 1
        elif character == ";" and depth == 0:
            return index + 1
    return len(text)


def product(path):
    """The source of a file without comments and tests."""
    return without_tests(without_comments(path.read_text()))


def test_modules(path):
    """The names of the modules that a file declares for tests alone."""
    text = without_comments(path.read_text())
    names = []
    for match in _TEST_ITEM.finditer(text):
        item = text[match.end() : _end_of_item(text, match.end())]
        if declared := re.search(r"\bmod (\w+)\s*;", item):
            names.append(declared.group(1))
    return names
