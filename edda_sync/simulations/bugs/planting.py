"""
Planted bugs: mistakes that an engineer could well have made, each a small edit of the product's source.

They judge the checkers: a bug that no run finds shows a hole in the workload, the faults or the invariants (``hunt``). The
product does not know of them. ``with bug.on():`` replaces the true code by the edited code, and restores it afterwards.

1. A bug is an edit of a function's own text, so the difference *is* the bug. A fragment that is not found exactly once is an
   error, and a test checks this for all bugs.
2. No bug raises an exception by itself: the planted code runs, and is sometimes wrong.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import Any, Final

_CALLED: Final = "planted: what is called"  # stands for the set in which noting code records calls


@dataclass(frozen=True, slots=True)
class Edit:
    """
    A function with a changed text.

    Attributes:
        where: Module below ``edda_sync`` and qualified name, such as ``crdt.entity:Entity.hidden``.
        before: A fragment of its source, without the common indentation of the function.
        after: The text that replaces it.
    """

    where: str
    before: str
    after: str

    def function(self) -> FunctionType:
        """Return the function itself, without its decorators."""
        module, _, path = self.where.partition(":")
        found: Any = importlib.import_module(f"edda_sync.{module}")
        for name in path.split("."):
            found = inspect.getattr_static(found, name)
        found = getattr(found, "__func__", getattr(found, "fget", found))
        function = inspect.unwrap(found)
        assert isinstance(function, FunctionType), f"{self.where} is no function"
        return function

    @cache  # noqa: B019 - edits live as long as the module; a hunt must not see later changes of the files
    def code(self) -> CodeType:
        """Return the edited code of the function."""
        function = self.function()
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.before) == 1, f"{self.where} does not read {self.before!r} once: edit the planted bug"
        whole = compile(source.replace(self.before, self.after), f"<planted in {self.where}>", "exec")
        name = function.__name__
        return next(each for each in whole.co_consts if isinstance(each, CodeType) and each.co_name == name)

    @cache  # noqa: B019 - as above
    def _noting(self) -> CodeType:
        """Return the code of the function unchanged, except that it notes each call in a set among its constants."""
        function = self.function()
        whole = ast.parse(textwrap.dedent(inspect.getsource(function)))
        body = next(each for each in whole.body if isinstance(each, ast.FunctionDef)).body
        body[:0] = ast.parse(f"{_CALLED!r}.add({self.where!r})").body
        compiled = compile(ast.fix_missing_locations(whole), function.__code__.co_filename, "exec")
        codes = (each for each in compiled.co_consts if isinstance(each, CodeType))
        return next(each for each in codes if each.co_name == function.__name__)

    def noting(self, called: set[str]) -> AbstractContextManager[None]:
        """Make the function note its calls in a set."""
        code = self._noting()
        consts: tuple[Any, ...] = tuple(called if each == _CALLED else each for each in code.co_consts)
        return self._put(code.replace(co_consts=consts))

    def on(self) -> AbstractContextManager[None]:
        """Make the function run the edited code."""
        return self._put(self.code())

    @contextmanager
    def _put(self, code: CodeType) -> Iterator[None]:
        function = self.function()
        true = function.__code__
        function.__code__ = code
        try:
            yield
        finally:
            function.__code__ = true


@dataclass(frozen=True, slots=True)
class Bug:
    """
    A planted bug.

    Attributes:
        name: The bug's name.
        what: What is wrong, and who had this bug.
        numbers: The invariants that are expected to notice it; 0 is an exception of the product.
        edits: The edits.
        backend: The only store that can have it; None for any.
        needs: A function that must also be called for the bug to have an effect; empty for none.
        play: The story around which its runs are drawn; empty for the usual runs.
    """

    name: str
    what: str
    numbers: tuple[int, ...]
    edits: tuple[Edit, ...]
    backend: str | None = None
    needs: str = ""
    play: str = ""

    def concerned(self) -> tuple[Edit, ...]:
        """Return the functions whose calls show that the bug may have an effect, as edits that change nothing."""
        return (*self.edits, Edit(self.needs, "", "")) if self.needs else self.edits

    @contextmanager
    def on(self) -> Iterator[None]:
        """Plant the bug."""
        with ExitStack() as stack:
            for edit in self.edits:
                stack.enter_context(edit.on())
            yield


def one(name: str, what: str, numbers: tuple[int, ...], where: str, before: str, after: str, *, needs: str = "") -> Bug:
    """Return a bug that consists of one edit."""
    return Bug(name, what, numbers, (Edit(where, before, after),), needs=needs)
