"""
Sealing: encryption at rest, of what edda writes itself.

A reader's path: ``seal`` (the ciphers, and a sealed value), ``kdf`` (a key from a passphrase, and a key for one purpose).
"""
