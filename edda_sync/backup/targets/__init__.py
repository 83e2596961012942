"""
Kinds of targets, how they are found again, and how a place proves that it can be one.

A reader's path: ``folder`` (also a drive that may be away), ``objects`` (object stores), ``explaining`` (what their
errors mean), ``timed`` (nothing waits for ever); ``place`` and ``credentials`` (what a person says), ``known`` (what is
remembered); ``proving``; and ``opening``, where a backup gets its target.
"""
