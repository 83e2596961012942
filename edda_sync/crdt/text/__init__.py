"""
Texts that merge by character: a pure core.

A reader's path: ``edits`` (what travels), ``sequence`` (which of it is accepted, and where it stands), ``order`` and
``runs`` (how that is kept), ``attribution`` (who brought and who deleted what), ``state`` (as bytes), ``document`` (what the
rest of the product knows of it, and where pycrdt is met), ``diff`` (a text that was written anew, as edits).
"""
