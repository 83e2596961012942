"""
Sealing: encryption at rest, of what edda writes itself, and the keys of encrypted stores.

A reader's path: ``seal`` (the ciphers, and a sealed value), ``kdf`` (a key from a passphrase, and a key for one purpose),
``vault`` (the system's keyring), ``wrapping`` (the key that opens a key file, and where it is kept), ``keyfile`` (the file
beside a store with its data keys), ``datakeys`` (the keys of a store).
"""
