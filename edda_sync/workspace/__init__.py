"""
Workspaces: who shares one, and what each member's stores are called.

A reader's path: ``members`` (how one is founded and joined), ``welcome`` (what a newcomer is told), ``authority`` (who is a
member), ``actor`` (the present life of this store), ``lives`` and ``closing`` (of all lives, which still write).
"""
