"""
Texts that merge by character: a pure core.

A reader's path: ``edits`` (what is sent), ``judging`` (which edits are accepted), ``sequence`` (where their units are
placed), ``making`` (an edit of what was changed here), ``order`` and ``runs`` (how the units are stored),
``attribution`` (which change inserted and deleted what), ``state`` (the bytes of a text), ``document`` (the interface
for the rest of the product, and the only module that uses pycrdt), ``diff`` (the edits that turn one text into
another).
"""
