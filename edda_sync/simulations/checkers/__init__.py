"""
What must hold: a small class for each invariant, with its number from the table in docs/simulations.md.

One has no checker yet: 14, as nobody can be revoked yet. And 15 checks only membership, because there are no roles yet.
The simulator itself checks two: 10, that a device which holds another branch of a fork is not taken for equal, whenever a
device says that it is proved equal; and 18, that all are equal in time, at the end of the second act.
"""
