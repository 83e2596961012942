"""Mutants of imports: what a source says is merged into what is here, and nothing is undone or made twice."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "an import undoes what a person wrote",
        "Whoever imports again loses each edit of an item that the source has changed, too.",
        "imports/merge.py",
        "unedited = self._source.remembers and before.hashes.get(name) in last",
        "unedited = self._source.remembers",
        ("imports/test_merge.py",),
    ),
    Mutant(
        "an older source undoes a newer one",
        "An export of last week, imported after that of today, brings back what was changed since.",
        "imports/merge.py",
        "each.changed_at < known.changed_at",
        "each.changed_at > known.changed_at",
        ("imports/test_merge.py",),
    ),
    Mutant(
        "what was left open is forgotten",
        "What both sides changed is told once, and counts as settled at the next import.",
        "imports/merge.py",
        "                hashes.pop(name, None)\n",
        "                continue\n",
        ("imports/test_merge.py",),
    ),
    Mutant(
        "what is in the trash is made again",
        "Each import brings back what was deleted here, as an item whose deletion is in conflict.",
        "imports/merge.py",
        "elif each.item.id in trash:",
        "elif each.item.id in trash and self._dry_run:",
        ("imports/test_merge.py",),
    ),
    Mutant(
        "a renamed file is another document",
        "Whoever renames files of a folder has each of them twice after the next import.",
        "imports/known.py",
        "if each.id not in there and place.has_lost(each.path)]",
        "if each.id in there and place.has_lost(each.path)]",
        ("imports/test_known.py", "imports/test_markdown.py", "cli/test_imports.py"),
    ),
    Mutant(
        "a new file is the document that had its name",
        "Two files are written into one document, in turn, and one of the two texts is in no document.",
        "imports/known.py",
        "while paths.get(free, each.name) != each.name:",
        "while paths.get(free, each.name) is None:",
        ("imports/test_known.py",),
    ),
    Mutant(
        "two folders of one name meet",
        "The README.md of the second folder overwrites that of the first.",
        "imports/known.py",
        "    if not same:\n        _check_same",
        "    if same:\n        _check_same",
        ("imports/test_known.py", "imports/test_markdown.py", "cli/test_imports.py"),
    ),
    Mutant(
        "an attachment may lie anywhere",
        "An export of somebody else reads any file of the person who imports it into the workspace.",
        "imports/jsonl.py",
        "    return path if os.path.commonpath([real, inside]) == inside and real != inside else None",
        "    return path",
        ("imports/test_jsonl.py", "cli/test_enclosed.py"),
    ),
)
