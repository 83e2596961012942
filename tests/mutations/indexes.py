"""Mutants of indexes: which one serves a query, what keeps it up to date, who shows a value that is to be unique."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

ENGINE: Final = "engine/test_indexes.py"
HELD: Final = "store/sqlite/test_held.py"
UNIQUES: Final = "fold/test_uniques.py"

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "a partial index serves any query",
        "Lists lack what the index is not about.",
        "store/sqlite/serving.py",
        "or not all(_is_implied(plan, each) for each in config.terms)",
        "",
        ("store/sqlite/test_serving.py", ENGINE),
    ),
    Mutant(
        "nothing is near beyond the date line",
        "Places on the other side of it are not found.",
        "store/sqlite/serving.py",
        '" OR ".join([box] * len(found))',
        '" AND ".join([box] * len(found))',
        ("store/sqlite/test_serving.py", ENGINE),
    ),
    Mutant(
        "a hash index holds the beginning of a text twice",
        "A long text is not found.",
        "store/sqlite/indexing.py",
        "substr({text}, -{ENDS})",
        "substr({text}, 1, {ENDS})",
        ("store/sqlite/test_indexing.py", ENGINE),
    ),
    Mutant(
        "what leaves a partial index stays in it",
        "A list by words or by nearness shows what is done as open.",
        "store/sqlite/indexing.py",
        "(*config.paths, *(term.path for term in config.terms))",
        "config.paths",
        ("store/sqlite/test_indexing.py", ENGINE),
    ),
    Mutant(
        "words that were written stay due",
        "Every transaction after the first one fails.",
        "store/sqlite/indexing.py",
        "    execute(f'DELETE FROM \"{name}_due\"')\n",
        "",
        ("store/sqlite/test_indexing.py", ENGINE),
    ),
    Mutant(
        "two items without a value clash",
        "Nobody can make a second item without a ticket.",
        "crdt/uniques.py",
        "        if found is None:\n            return None\n        claimed",
        "        if found is None:\n            continue\n        claimed",
        ("crdt/test_uniques.py", UNIQUES, ENGINE),
    ),
    Mutant(
        "the item that was made last shows a value",
        "A value moves to another item whenever somebody uses it again.",
        "fold/uniques.py",
        "min(claimants, default=None) if first is None else min((*claimants, first.entity))",
        "max(claimants, default=None) if first is None else max((*claimants, first.entity))",
        (ENGINE,),
    ),
    Mutant(
        "a unique index is made over values that are used twice",
        "Items seem to lose a value when somebody makes an index.",
        "engine/indexes.py",
        "for each in tx.uniques.withheld(config.name):",
        "for each in ():",
        (ENGINE,),
    ),
    Mutant(
        "a clash counts although the transaction ends it",
        "A large transaction that swaps values is refused.",
        "fold/fold.py",
        "self.flush(is_last=False)",
        "self.flush()",
        (ENGINE,),
    ),
    Mutant(
        "a clash in the middle of a transaction is forgotten",
        "A value is used twice on one device, and one of the items does not show it.",
        "fold/uniques.py",
        "if key in claimants and len(claimants) > 1:",
        "if False:",
        (ENGINE,),
    ),
    Mutant(
        "an index that lacks a row is not named",
        "A list lacks items, and the doctor finds all sound.",
        "store/sqlite/held.py",
        "held.id IS NULL OR {values}",
        "held.id IS NOT NULL AND ({values})",
        (HELD,),
    ),
    Mutant(
        "damage of an index is damage of the log",
        "A store is given up although only an index is damaged.",
        "store/sqlite/damage.py",
        "    if table.startswith(_MADE[1]):\n        return _MADE[0]\n",
        "",
        (HELD,),
    ),
    Mutant(
        "tables of an index that is in no list stay",
        "After a rebuild, no index of that name can be made.",
        "store/sqlite/tables.py",
        "        _indexing().drop_rest(self._sql.execute)\n",
        "",
        (HELD,),
    ),
    Mutant(
        "claims are not compared with the log",
        "Values stay withheld, and the doctor finds all sound.",
        "engine/doctor.py",
        '    yield "claims", 2, _claims(ours), _claims(theirs)\n',
        "",
        (HELD,),
    ),
)
