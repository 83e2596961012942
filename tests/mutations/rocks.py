"""Mutants of what seals the RocksDB folder of an encrypted store."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "a value fits under every key",
        "Whoever has the disk exchanges the values of two entities, and nobody notices.",
        "store/rocks/sealed.py",
        'return self._sealer.unseal(sealed, key, "A value of RocksDB") if sealed else b""',
        'return self._sealer.unseal(sealed, b"", "A value of RocksDB") if sealed else b""',
        ("store/rocks/test_sealed.py",),
    ),
    Mutant(
        "values lie plain in RocksDB",
        "Whoever has the disk of an encrypted store reads its tasks.",
        "store/rocks/sealed.py",
        'return self._sealer.seal(value, key) if value else b""',
        "return value",
        ("store/rocks/test_sealed.py",),
    ),
    Mutant(
        "ids lie plain in RocksDB",
        "Whoever has the disk of an encrypted store finds out which tags it has.",
        "store/rocks/sealed.py",
        "return key[:2] + coded + key[18:]",
        "return key",
        ("store/rocks/test_sealed.py",),
    ),
    Mutant(
        "ids and values have one key",
        "What is known of the one tells something of the other.",
        "store/rocks/sealed.py",
        "self._ids = Cipher(AES256(purpose_key(key.key, KEYS)), ECB())",
        "self._ids = Cipher(AES256(purpose_key(key.key, VALUES)), ECB())",
        ("store/rocks/test_sealed.py",),
    ),
    Mutant(
        "a new folder is sealed under the oldest key",
        "After a key was replaced because somebody had seen it, that key still opens everything.",
        "store/rocks/sealed.py",
        "return self._code(self._keys.latest().current)",
        "return self._code(self._keys.latest().keys[0])",
        ("store/rocks/test_sealed.py",),
    ),
    Mutant(
        "any key opens a folder",
        "A folder under a key that is gone is taken for damaged values, one after the other.",
        "store/rocks/sealed.py",
        "found = next((each for each in self._keys.latest().keys if each.id == key_id), None)",
        "found = self._keys.latest().current",
        ("store/rocks/test_sealed.py",),
    ),
    Mutant(
        "a settlement goes into a folder of another kind",
        "Plain and sealed values lie side by side, and neither is found again.",
        "store/rocks/database.py",
        "(found and found[_MARK_BYTES:] != key_id)",
        "False",
        ("store/rocks/test_sealed.py", "store/rocks/test_database.py"),
    ),
    Mutant(
        "what seals is remembered by another name",
        "A folder is opened with the key of another one.",
        "store/rocks/sealed.py",
        "self._codes[key.id] = Code(key, self._algorithm)",
        'self._codes[key.id] = self._codes.setdefault(b"", Code(key, self._algorithm))',
        ("store/rocks/test_sealed.py",),
    ),
)
