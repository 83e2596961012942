from __future__ import annotations

from edda_sync.imports import report
from edda_sync.imports.report import Report, Row
from edda_sync.imports.source import Imported
from edda_sync.words.model import Task


def test_a_report_counts_each_verdict_and_reports_add_up() -> None:
    each = Imported("n", Task(id="x", title="t"), kept=["a"], nearly=["b"])
    words = [report.CREATED, report.UPDATED, report.UNCHANGED, report.IN_TRASH, report.OLDER, report.THROWN_AWAY]
    one = Report()
    for word in words:
        one.take(Row(word, "n", "t", "x", open=("title",), merged=("content",)), each)
    one.attached = 2
    total = Report()
    total.add(one)
    total.add(one)
    names = ("created", "updated", "unchanged", "in_trash", "older", "thrown_away")
    assert [getattr(total, name) for name in names] == [2] * 6
    assert (total.attached, total.kept["a"], total.nearly["b"], len(total.rows)) == (4, 4, 4, 12)
    assert (total.edited, total.merged) == ([("n", "title")] * 12, [("n", "content")] * 12)
