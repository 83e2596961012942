"""
Texts that merge by character: a pure core.

A reader's path: ``edits`` (what travels), ``judging`` (which of it is accepted), ``sequence`` (where
it stands), ``making`` (what is changed here, as an edit), ``order`` and
``runs`` (how that is kept), ``attribution`` (who brought and who deleted what), ``state`` (as bytes), ``document`` (what the
rest of the product knows of it, and where pycrdt is met), ``diff`` (a text that was written anew, as edits).
"""
