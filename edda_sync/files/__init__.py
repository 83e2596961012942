"""
Files: the content of attachments, in content-addressed chunks.

A reader's path:

- ``chunks`` says what is asked of a place where chunks are kept; ``disk`` and ``memory`` are two such places, with one
  contract suite. ``packing`` is the one module that turns a chunk into the bytes that are on disk, and back.
- ``tree`` describes a file: the hash of its only chunk, or of a manifest that lists the hashes of its chunks.
- ``storing`` cuts a stream into chunks, ``reading`` makes a stream of them again, and ``saving`` writes that to a path that
  nobody else's words decide.
- ``collecting`` drops the chunks that no attachment needs any more.
"""
