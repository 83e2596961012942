"""Bugs of unique indexes: who shows a value, what counts as the same, and what is done anew when an index changes."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "whoever came first shows it",
        "Of two items with one value, the one that this device heard of first shows it.",
        (1, 2, 11, 12, 27),
        "fold.uniques:Uniques.look",
        "min(claimants, default=None) if first is None else min((*claimants, first.entity))",
        "next(iter(claimants), None) if first is None else first.entity",
    ),
    one(
        "who loses a value goes on showing it",
        "An item with a lesser id takes a value over, and the row of the one that showed it is not written again.",
        (1, 2, 11, 12, 27),
        "fold.uniques:Uniques.look",
        "first.withheld != (first.entity != shows)",
        "first.withheld > (first.entity != shows)",
    ),
    one(
        "a withheld value stays so",
        "An item gives a value up, and the next one that has it does not show it.",
        (1, 2, 11, 12, 27),
        "fold.uniques:Uniques.look",
        "first.withheld != (first.entity != shows)",
        "first.withheld < (first.entity != shows)",
    ),
    one(
        "the trash holds on to values",
        "An item in the trash keeps its value, which nobody else may show then.",
        (12, 27),
        "fold.uniques:Uniques._claimed",
        "{} if entity.hidden else _claims_of(indexes, entity.value)",
        "_claims_of(indexes, entity.value)",
    ),
    one(
        "an index that changes keeps its claims",
        "Two devices define an index of one name at once. Where the later definition arrives second, the first one stays.",
        (1, 2, 11, 12, 27),
        "fold.uniques:Uniques.changed_settings",
        "wanted.get(name) != held.get(name)",
        "(name in wanted) != (name in held)",
    ),
    one(
        "an index begins empty",
        "A new index is about what is written from then on. Devices that hold items already differ from newcomers.",
        (1, 2, 11, 12, 27),
        "fold.fold:Fold._claim_anew",
        "concerned(self.reader, settings, CHUNK)",
        "()",
    ),
    one(
        "an index ends and its values stay withheld",
        "When an index is dropped, the rows of items whose value was withheld are not written again.",
        (1, 2, 11, 12, 27),
        "fold.fold:Fold._claim_anew",
        "range(0, len(withheld), CHUNK)",
        "()",
    ),
    one(
        "any number of indexes counts",
        "However many indexes a member makes, every device follows all of them.",
        (12, 27),
        "crdt.uniques:in_effect",
        "there[: limits.UNIQUE_MAX]",
        "there",
    ),
    one(
        "1 and 1.0 are two values",
        "Values are compared as they are written.",
        (12, 27),
        "crdt.uniques:_normal",
        "int(number) if isinstance(number, float) and number.is_integer() else number",
        "number",
    ),
    one(
        "the first key is withheld",
        "Of an index over two keys, the view leaves out the first key instead of the last one.",
        (12, 27),
        "fold.uniques:Uniques._cells",
        "_unique(name, settings[name]).withheld",
        "next('.'.join(each) for each in _unique(name, settings[name]).columns if len(each) == 2)",
    ),
    one(
        "an edit shows what was withheld",
        "A change of another key writes the row's metadata anew, with the value that another item shows.",
        (1, 2, 11, 12, 27),
        "fold.projector:Projector._patch",
        "self._uniques.withheld(entity.key)",
        "frozenset()",
    ),
    one(
        "only what is new is refused",
        "An item that has a value of its own may take over the one of another item.",
        (27,),
        "fold.uniques:Uniques.check",
        "before is not None and before.value == claim.value",
        "before is not None",
    ),
    one(
        "an index that ends beside a clash hides a value",
        "Where one transaction brings a clash and the end of its index, the value stays withheld: a bug that this code had.",
        (1, 2, 11, 12, 27),
        "fold.fold:Fold.flush",
        "if each.withheld and each.name in delta.uniques",
        "if False",
    ),
)
