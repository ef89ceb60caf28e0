#!/usr/bin/env python3
"""Prints the module graph of every crate, bottom first, and fails at a cycle.

A module uses another where its code, tests aside, names a path into it; a name
that a module only re-exports belongs to the module that defines it.

Usage: python3 tests/checks/module_graph.py [FOLDER ...]   (default: every crate)
"""

import re
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from rust_source import product

ROOT = Path(__file__).resolve().parents[2]

_USE = re.compile(r"\buse\s+([^;]+);")
_PATH = re.compile(r"\b(?:crate|super|self)(?:\s*::\s*\w+)+")
_MODULE = re.compile(r"(?:#\[path = \"\"\]\s*)?\bmod (\w+)\s*;")


def crate_roots(folder):
    """The files that a crate's module tree begins with."""
    candidates = [folder / "src/lib.rs", folder / "src/main.rs", *folder.glob("src/bin/*/main.rs")]
    return [path for path in candidates if path.exists()]


def modules_of(root):
    """Module path (a tuple) to source, for a crate's root and all below it."""
    found = {}

    def add(name, path, folder):
        source = product(path)
        found[name] = source
        for child in _MODULE.findall(source):
            for file, inner in (
                (folder / f"{child}.rs", folder / child),
                (folder / child / "mod.rs", folder / child),
            ):
                if file.exists():
                    add((*name, child), file, inner)

    add((), root, root.parent)
    return found


def expand(tree, prefix=()):
    """The paths in a use tree: `a::{b, c::d}` is a::b and a::c::d, with their
    names in scope."""
    depth, start, parts = 0, 0, []
    for index, character in enumerate(tree):
        depth += (character == "{") - (character == "}")
        if character == "," and depth == 0:
            parts.append(tree[start:index])
            start = index + 1
    parts.append(tree[start:])
    for part in (part.strip() for part in parts):
        if "{" in part:
            head, inner = part.split("{", 1)
            names = tuple(name.strip() for name in head.split("::") if name.strip())
            yield from expand(inner.rsplit("}", 1)[0], (*prefix, *names))
        elif part:
            path, _, alias = part.partition(" as ")
            names = tuple(name.strip() for name in path.split("::"))
            if names[-1] == "self":
                names = names[:-1]
            yield (*prefix, *names), alias.strip() or (*prefix, *names)[-1]


class Crate:
    """The modules of a crate and what each of them uses."""

    def __init__(self, root):
        self.sources = modules_of(root)
        self.uses = {name: list(self._uses(name)) for name in self.sources}

    def _uses(self, module):
        for tree in _USE.findall(self.sources[module]):
            yield from expand(tree)

    def absolute(self, module, path):
        """A path as the crate's root sees it; `None` when it leaves the crate."""
        path = list(path)
        if path[0] == "crate":
            return tuple(path[1:])
        if path[0] in ("self", "super"):
            base = list(module)
            while path and path[0] in ("self", "super"):
                if path.pop(0) == "super":
                    base = base[:-1]
            return (*base, *path)
        return (*module, *path) if (*module, path[0]) in self.sources else None

    def owner(self, path, depth=0):
        """The module that defines what a path names."""
        cut = next(n for n in range(len(path), -1, -1) if path[:n] in self.sources)
        module, rest = path[:cut], path[cut:]
        if rest and depth < 10:
            for used, name in self.uses[module]:
                target = self.absolute(module, used)
                if name == rest[0] and target is not None and target != path:
                    return self.owner(target, depth + 1)
        return module

    def graph(self):
        """Module to the modules that it uses."""
        edges = {name: set() for name in self.sources}
        for module, source in self.sources.items():
            inline = ([part.strip() for part in path.split("::")] for path in _PATH.findall(_USE.sub("", source)))
            children = [name[-1] for name in self.sources if name[:-1] == module and name]
            called = re.findall(r"(?<!::)\b(%s)::\w+" % "|".join(children), source) if children else []
            paths = [path for path, _ in self.uses[module]] + list(inline) + [(name,) for name in called]
            for path in paths:
                target = self.absolute(module, path)
                if target is not None and (owner := self.owner(target)) != module:
                    edges[module].add(owner)
        return edges


def title(module):
    return "::".join(module) or "(root)"


def main():
    folders = sys.argv[1:] or sorted(
        path.parent.relative_to(ROOT)
        for path in ROOT.glob("**/Cargo.toml")
        if not {"target", "peers", ".dev", "node_modules"} & set(path.relative_to(ROOT).parts)
        and "[package]" in path.read_text()
    )
    passed = failed = 0
    for folder in folders:
        for root in crate_roots(ROOT / folder):
            graph = Crate(root).graph()
            print(f"{root.relative_to(ROOT)}")
            try:
                for module in TopologicalSorter(graph).static_order():
                    used = ", ".join(sorted(map(title, graph[module])))
                    print(f"    {title(module)}{' -> ' if used else ''}{used}")
                passed += 1
            except CycleError as error:
                print(f"    cycle: {' -> '.join(map(title, reversed(error.args[1])))}")
                failed += 1
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
