"""
Workspaces: who shares one, and the lives of each member's stores.

A reader's path: ``members`` (founding and joining), ``welcome`` (what a newcomer is told), ``authority`` (who is a
member), ``actor`` (the present life of this store), ``lives`` and ``closing`` (all lives, and which of them still
write).
"""
