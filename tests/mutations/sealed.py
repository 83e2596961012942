"""Mutants of what lies at a place that nobody has to trust, and of recovery codes."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final = (
    Mutant(
        "an object opens under any key that its seal allows",
        "Somebody makes an object that two keys open, and shows each device another content.",
        "backup/sealed.py",
        "if not compare_digest(derived.commitment, committed):",
        "if False:",
        ("backup/test_sealed.py",),
    ),
    Mutant(
        "every object has the same key",
        "Two objects with one nonce tell what they have in common, and the tag can be forged.",
        "backup/sealed.py",
        "salt = self._random(SALT_BYTES)",
        "salt = bytes(SALT_BYTES)",
        ("backup/test_sealed.py",),
    ),
    Mutant(
        "an object has the length of what it holds",
        "Whoever sees the place recognises a known file by its length.",
        "backup/sealed.py",
        "inner += bytes(padded(len(inner)) - len(inner))",
        "pass",
        ("backup/test_sealed.py",),
    ),
    Mutant(
        "keys that anybody sealed are taken",
        "Whoever knows for which key to seal gives a restored device a workspace of their own.",
        "backup/keys.py",
        "if not verify(keys.maker, signature, _signed(sealing_key, said)):",
        "if False:",
        ("backup/test_keys.py",),
    ),
    Mutant(
        "a key that the log does not know is kept",
        "A restored device writes its backups under a key that a stranger has.",
        "backup/keys.py",
        "if epochs.get(each[0]) == records.commitment_of(each[1])",
        "if True",
        ("backup/test_keys.py",),
    ),
    Mutant(
        "a code's keys lie there before the backup that holds it",
        "The code opens the newest backup, and can let nobody in.",
        "backup/lockbox.py",
        "if not code.is_replaced and added is not None and held.get(code.dot[0], 0) >= code.dot[1]",
        "if not code.is_replaced and added is not None",
        ("backup/test_lockbox.py",),
    ),
    Mutant(
        "the identity opens the backups of an encrypted store",
        "A thief of the disk reads in the backups what the store keeps from him.",
        "backup/lockbox.py",
        "return status is None or (status.storage is KeyStorage.KEYRING and is_in_keyring(store.home))",
        "return True",
        ("backup/test_lockbox.py",),
    ),
    Mutant(
        "what a code wrote is not signed",
        "No other device ever takes the change that let the new one in, nor what was written after it.",
        "backup/admitting.py",
        "vouch(tx, code.identity)",
        "pass",
        ("backup/test_admitting.py",),
    ),
    Mutant(
        "one record makes a device a code",
        "A member writes a second record beside that of another device, and nobody links with it any more.",
        "workspace/members.py",
        "return all(exts.get(record.ext, records.RECOVERY) is not None for record in found)",
        "return any(exts.get(record.ext, records.RECOVERY) is not None for record in found)",
        ("workspace/test_codes.py",),
    ),
)
