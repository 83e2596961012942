"""
The fold: changes in; entities, texts and rows out.

A reader's path: ``fold`` takes one change after another (``current``). For each operation, ``checks`` and ``budget`` decide
whether it is valid, ``unapplied`` handles it if it is not, and ``applying`` applies it to ``entities`` and ``texts`` if it
is. Nearly every entity of an import takes the path in ``newborn``. ``projector``, with ``rings`` and ``conflicts``, returns
what is to be written. ``prepared`` folds a large change before its transaction. ``scrub`` checks what is stored.
"""
