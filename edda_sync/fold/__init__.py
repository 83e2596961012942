"""
The fold: changes in; entities, texts and rows out.

A reader's path: ``fold`` (one change after another), ``newborn``, ``entities`` and ``texts`` (what they
become), ``projector`` (what is
written of it), ``rings`` (what is withheld), ``scrub`` (whether it still is so).
"""
