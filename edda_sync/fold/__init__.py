"""
The fold: changes in; entities, texts and rows out.

A reader's path: ``fold`` takes one change after another (``current``). ``checks`` and ``budget`` say of each operation
whether it may be, ``unapplied`` what becomes of one that may not, and ``applying`` what the others do to ``entities`` and
``texts``; nearly every entity of an import goes by ``newborn``. ``projector`` says what is to be written of all of it, with
``rings`` and ``conflicts``. ``scrub`` checks that it still is so.
"""
