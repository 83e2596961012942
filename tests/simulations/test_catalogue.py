from __future__ import annotations

import importlib
import pkgutil
from collections import Counter

from edda_sync import simulations
from edda_sync.simulations import checkers
from edda_sync.simulations.catalogue import ACTIONS, CHECKERS
from edda_sync.simulations.checker import HOOKS, Checker, overrides


def test_every_module_that_has_actions_is_in_the_catalogue() -> None:
    listed = {id(action) for action in ACTIONS}
    for module in pkgutil.iter_modules(simulations.__path__):
        if not module.name.startswith("__"):
            found = importlib.import_module(f"{simulations.__name__}.{module.name}")
            assert all(id(action) in listed for action in getattr(found, "ACTIONS", ())), module.name


def test_every_checker_is_in_the_catalogue_once() -> None:
    for module in pkgutil.iter_modules(checkers.__path__):
        importlib.import_module(f"{checkers.__name__}.{module.name}")
    ours = {each for each in _subclasses(Checker) if each.__module__.startswith(checkers.__name__)}
    assert {each for each in ours if hasattr(each, "number") and not each.__name__.startswith("_")} == set(CHECKERS)
    assert max(Counter(CHECKERS).values()) == 1


def test_every_action_has_a_weight_and_a_name_of_its_own() -> None:
    assert all(action.weight > 0 for action in ACTIONS)
    assert max(Counter(action.name for action in ACTIONS).values()) == 1


def test_every_checker_has_a_hook() -> None:
    assert all(any(overrides(checker, hook) for hook in HOOKS) for checker in CHECKERS)


def _subclasses(kind: type[Checker]) -> set[type[Checker]]:
    return {each for direct in kind.__subclasses__() for each in {direct, *_subclasses(direct)}}
