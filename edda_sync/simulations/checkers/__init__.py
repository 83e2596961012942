"""
What must hold: one small class an invariant, with its number from the table in docs/simulations.md.

Two have no checker yet, for want of what they are about: 13 backups, 14 confidentiality after a revocation; and 15 knows
members, since there are no roles yet.
Two are held by the simulator itself: 10, that nobody who holds another branch of a fork is taken for equal, when a device
says that it is proved equal; and 18, that all are equal in time, which ends the second act.
"""
