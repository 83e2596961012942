"""
The picture of the architecture, drawn from the import contract into docs/architecture.svg: ``python -m tests.architecture``.

A row is a layer of ``.importlinter``: its parts may import the parts below it, and nothing beside or above it. The text of a
folder is the first sentence of its docstring. Its modules are in the order of its own contract, the first on top, or else in
that of its reader's path.
"""

from __future__ import annotations

import ast
import configparser
import re
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edda_sync.simulations.picture.marks import XMLNS, element

ROOT: Final = Path(__file__).parents[1]
PACKAGE: Final = ROOT / "edda_sync"
FILE: Final = ROOT / "docs" / "architecture.svg"
PREFIX: Final = "importlinter:contract:"

WIDTH, MARGIN, GAP, PAD = 980.0, 20.0, 10.0, 12.0
LINE, CHARACTER, SMALL_CHARACTER = 17, 7.1, 6.8  # pixels: a line, a character of a sentence, and of a module's name
STYLE: Final = (
    "text{font:13px sans-serif;fill:#222}.name{font-weight:bold;font-size:15px}.modules{font:11px monospace;fill:#555}"
    ".box{fill:#fdf6e3;stroke:#b58900}.pure{fill:#e8f4fb;stroke:#0072b2}.paper{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.modules{fill:#aaa}.box{fill:#3a3320;stroke:#b58900}"
    ".pure{fill:#17303f;stroke:#56b4e9}.paper{fill:#1b1b1b}}"
)


@dataclass(frozen=True, slots=True)
class Part:
    """
    A folder, or a module of its own.

    Attributes:
        name: The name under which it is imported.
        says: What it is, in a sentence.
        modules: The modules that a newcomer reads, in order.
        is_pure: Whether it knows no clock, socket, disk or chance.
    """

    name: str
    says: str
    modules: str
    is_pure: bool


def contracts() -> dict[str, dict[str, list[str]]]:
    """Return the import contract: for each part its lists, by name."""
    read = configparser.ConfigParser()
    read.read(ROOT / ".importlinter", encoding="utf-8")
    return {
        section.removeprefix(PREFIX): {key: value.split("\n")[1:] or [value] for key, value in read[section].items()}
        for section in read.sections()
        if section.startswith(PREFIX)
    }


def layers(contract: dict[str, list[str]]) -> list[list[str]]:
    """Return the layers of a contract, the upper first, each as the names in it."""
    return [re.findall(r"[\w.]+", layer) for layer in contract["layers"]]


def part(name: str) -> Part:
    """Return the text of the picture for a folder or module of the package."""
    listed = contracts()
    file = PACKAGE / name / "__init__.py" if (PACKAGE / name).is_dir() else PACKAGE / f"{name}.py"
    words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    first = " ".join(words.split("\n\n")[0].split()).replace("``", "")
    says = re.sub(r"^(The )?\w+: ", "", re.split(r"(?<=[.:;]) (?=[A-Z])", first)[0]).rstrip(".")
    if f"edda_sync.{name}" in listed.get(name, {}).get("containers", ()):
        modules = " › ".join(", ".join(layer) for layer in layers(listed[name]))
    else:
        path = words.partition("A reader's path:")[2]
        modules = ", ".join(dict.fromkeys(re.findall(r"``([\w/]+)``", path)))
    return Part(
        name, says[:1].upper() + says[1:] + ".", modules, f"edda_sync.{name}" in listed["pure"]["source_modules"]
    )


def draw() -> str:
    """Return the picture."""
    boxes, top = list[str](), MARGIN
    for layer in layers(contracts()["layers"]):
        width = (WIDTH - 2 * MARGIN - GAP * (len(layer) - 1)) / len(layer)
        lines = [_lines(part(name), width - 2 * PAD) for name in layer]
        height = max(map(len, lines)) * LINE + 2 * PAD - 4
        for number, (name, said) in enumerate(zip(layer, lines, strict=True)):
            left = MARGIN + number * (width + GAP)
            boxes.append(_box(part(name), said, left, top, width, height))
        top += height + GAP
    legend = (
        "Each row may import from the rows below it, and from nothing beside or above it. Blue: all of it knows no clock,"
        " socket, disk or chance."
    )
    boxes.append(element("text", legend, x=MARGIN, y=top + LINE))
    height = top + LINE + MARGIN
    paper = element("rect", class_="paper", width=WIDTH, height=height)
    raw = element("style", raw=STYLE) + paper + "\n" + "\n".join(boxes) + "\n"
    title = "The parts of edda-sync, the upper importing the lower"
    size = f"0 0 {WIDTH:.0f} {height:.0f}"
    return element("svg", raw=element("title", title) + raw, xmlns=XMLNS, viewBox=size, role="img") + "\n"


def _lines(shown: Part, width: float) -> list[tuple[str, str]]:
    """Return the lines of a box, each with its class."""
    said = textwrap.wrap(shown.says, int(width / CHARACTER))
    modules = textwrap.wrap(shown.modules, int(width / SMALL_CHARACTER), break_on_hyphens=False)
    return [
        ("name", f"{shown.name}/" if (PACKAGE / shown.name).is_dir() else f"{shown.name}.py"),
        *(("says", line) for line in said),
        *(("modules", line) for line in modules),
    ]


def _box(shown: Part, lines: list[tuple[str, str]], left: float, top: float, width: float, height: float) -> str:
    texts = [
        element("text", line, class_=kind, x=left + PAD, y=top + PAD + LINE * number + 10)
        for number, (kind, line) in enumerate(lines)
    ]
    kind = "pure" if shown.is_pure else "box"
    frame = element("rect", class_=kind, x=left, y=top, width=width, height=height, rx=6)
    return element("g", raw=frame + "".join(texts))


def main() -> int:
    """Write the picture."""
    FILE.write_text(draw(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
