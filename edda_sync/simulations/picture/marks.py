"""
The building blocks of a picture: elements, colours, and words for times.

A picture is one text file, without scripts, fonts or images from elsewhere. The colours are those of Okabe and Ito (2008,
"Color Universal Design"), which people of every colour vision can distinguish. Whatever has a colour has a shape or a word
too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

XMLNS: Final = "http://www.w3.org/2000/svg"
COLOURS: Final = 8
_UNITS: Final = ((31_536_000, "y"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def text_of(name: str) -> str:
    """Return a file from this folder, without comments and indentation."""
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    text = re.sub(r"/\*[^*]*\*/|^//[^\n]*$", "", text, flags=re.MULTILINE)
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def style() -> str:
    """Return the style of all pictures; it is dark where the reader's system is."""
    return element("style", raw=text_of("picture.css").replace("\n", ""))


def element(name: str, text: str = "", /, *, raw: str = "", **attributes: str | float | None) -> str:
    """
    Return an element.

    Args:
        name: The tag.
        text: The text.
        raw: Elements inside it.
        attributes: ``_`` stands for ``-``; a trailing one is dropped (``class_``). None leaves an attribute out.
    """
    listed = "".join(
        f" {key.rstrip('_').replace('_', '-')}={quoteattr(number(value) if isinstance(value, float) else str(value))}"
        for key, value in attributes.items()
        if value is not None
    )
    inner = escape(text) + raw
    return f"<{name}{listed}>{inner}</{name}>" if inner else f"<{name}{listed}/>"


def number(value: float) -> str:
    """Return a coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def titled(what: str) -> str:
    """Return the title that appears when somebody points at an element."""
    return element("title", what)


def span_of(seconds: float) -> str:
    """Return a duration in its two largest units."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    rest, words = round(seconds), []
    for size, name in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            words.append(f"{count} {name}")
    return " ".join(words[:2])


def about(seconds: float) -> str:
    """Return a rough duration in one unit."""
    size, name = next((size, name) for size, name in _UNITS if seconds >= size * 0.97 or size == 1)
    return f"{seconds / size:.1f}".removesuffix(".0") + f" {name}"


def clock(seconds: float) -> str:
    """Return a time of the run, which begins at 0."""
    return "0" if seconds < 0.001 else span_of(seconds)


def width_of(text: str, size: float = 11.5) -> float:
    """Return an upper estimate of the width of a text."""
    return len(text) * size * 0.54 + 2
