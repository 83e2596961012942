"""
Planted bugs: what an engineer could well have written instead, one small edit of the product's source each.

They judge the checkers: a bug that no run finds is a hole in the workload, the faults or the invariants (``hunt``). Nothing
in the product knows of them. ``with bug.on():`` puts the edited code in the place of the true one, and takes it out again.

1. A bug is an edit of a function's own text, so that the difference *is* the bug. It must still be there to be edited: a
   fragment that is not found exactly once is an error, and a test looks.
2. None raises by itself: what is planted runs, and is wrong now and then.
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

_CALLED: Final = "planted: what is called"  # stands for a set in code that notes it


@dataclass(frozen=True, slots=True)
class Edit:
    """
    A function that reads otherwise.

    Attributes:
        where: Module below ``edda_sync`` and qualified name, ``crdt.entity:Entity.hidden``.
        before: A fragment of its source, without the indentation that the whole function has.
        after: What stands there instead.
    """

    where: str
    before: str
    after: str

    def function(self) -> FunctionType:
        """Return the function itself, from inside whatever wraps it."""
        module, _, path = self.where.partition(":")
        found: Any = importlib.import_module(f"edda_sync.{module}")
        for name in path.split("."):
            found = inspect.getattr_static(found, name)
        found = getattr(found, "__func__", getattr(found, "fget", found))
        function = inspect.unwrap(found)
        assert isinstance(function, FunctionType), f"{self.where} is no function"
        return function

    @cache  # noqa: B019 - edits live as long as the module; a hunt outlives changes of the files that it reads here
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
        """Return the code of the function as it is, but that it notes in a set among its constants that it is called."""
        function = self.function()
        whole = ast.parse(textwrap.dedent(inspect.getsource(function)))
        body = next(each for each in whole.body if isinstance(each, ast.FunctionDef)).body
        body[:0] = ast.parse(f"{_CALLED!r}.add({self.where!r})").body
        compiled = compile(ast.fix_missing_locations(whole), function.__code__.co_filename, "exec")
        codes = (each for each in compiled.co_consts if isinstance(each, CodeType))
        return next(each for each in codes if each.co_name == function.__name__)

    def noting(self, called: set[str]) -> AbstractContextManager[None]:
        """Let the function add to a set where it is, whenever it is called."""
        code = self._noting()
        consts: tuple[Any, ...] = tuple(called if each == _CALLED else each for each in code.co_consts)
        return self._put(code.replace(co_consts=consts))

    def on(self) -> AbstractContextManager[None]:
        """Let the function read so."""
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
        name: What it is called.
        what: What is wrong, and who had it.
        numbers: The invariants that are expected to notice; 0 is an error that comes out of the product.
        edits: The bug.
        backend: The only store that can have it; None for any.
        needs: A function without a call of which it does nothing, besides those that are edited; empty for none.
    """

    name: str
    what: str
    numbers: tuple[int, ...]
    edits: tuple[Edit, ...]
    backend: str | None = None
    needs: str = ""

    def concerned(self) -> tuple[Edit, ...]:
        """Return the functions of which a call shows that it may do something: edits that are not made."""
        return (*self.edits, Edit(self.needs, "", "")) if self.needs else self.edits

    @contextmanager
    def on(self) -> Iterator[None]:
        """Plant it."""
        with ExitStack() as stack:
            for edit in self.edits:
                stack.enter_context(edit.on())
            yield


def one(name: str, what: str, numbers: tuple[int, ...], where: str, before: str, after: str, *, needs: str = "") -> Bug:
    """Return the bug that is one edit."""
    return Bug(name, what, numbers, (Edit(where, before, after),), needs=needs)
