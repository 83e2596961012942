"""
Pairing: two devices prove to each other that they hold the same short code, and then trade secrets.

**Theory.** The code holds 8 secret digits (26.6 bits). SPAKE2 (Abdalla and Pointcheval, CT-RSA 2005; RFC 9382) turns
them into a strong key on both sides. Somebody who listens or plays one of the sides learns nothing but whether *one*
guess was right. The talk runs inside TLS 1.3; only the inviter shows a certificate, which is its device record::

    joiner                                                       inviter
      | hello      version, SPAKE2 message A                        |
      |------------------------------------------------------------>|
      |                                      SPAKE2 message B       | answer
      |<------------------------------------------------------------|
      | proof      HMAC, sealed device record                       |    one guess: a wrong proof kills the code
      |------------------------------------------------------------>|
      |                                      HMAC                   | proved    then the caller makes it a member
      |<------------------------------------------------------------|
      |                                      sealed welcome         | welcome
      |<------------------------------------------------------------|
      | received   HMAC                                             |
      |------------------------------------------------------------>|

Every key is HKDF-SHA256 (RFC 5869) of the SPAKE2 key, salted with the *transcript*: the hash of the certificate as that
side saw it and of the first two frames. A key has one label and one use, so the AEAD (RFC 8439) needs no nonces. The
proofs cover the transcript and the joiner's record, the last one the welcome too.

**Attack model.** On the network is somebody who reads, changes, drops and injects, and knows all but the digits.
  - Guessing: the joiner proves first; what the inviter sent until then fits every code. A caller that breaks off
    earlier has learnt nothing and leaves the code open; a wrong proof spends it. So one code is one guess, 1 in 10^8.
  - In the middle, with a certificate of their own: the transcripts differ, and the proof is wrong. Somebody who
    passes SPAKE2 on untouched gains nothing: record and welcome are sealed end to end.
  - Playing the inviter: one guess for each time that a person types the code.
  - Reflection, replay: the sides have different roles, identities and labels; each attempt has a new SPAKE2 secret.
  - Timing: ``spake2`` is pure Python and not constant-time; a code is used once, and answers come after a fixed time.
  - Denial: anybody on the LAN can spend a code with a wrong guess. The person hears why, and asks for a new one.

A reader's path: ``code`` (what a person reads out), ``frames`` (what travels), ``agreement`` (the keys), ``machine`` with
``inviter`` and ``joiner`` (the two sides: they take frames and ``now``, return effects, and know no sockets, clocks or
dice), ``stream`` (frames on a TLS connection), ``queue`` (the inviter's callers) and ``ends`` (invite, and join).
The record and the welcome are the callers' own bytes.
"""

from __future__ import annotations

from edda_sync.transport.pairing.code import Code, make_code, parse_code
from edda_sync.transport.pairing.ends import invite, join
from edda_sync.transport.pairing.frames import SENTENCES

__all__ = ["SENTENCES", "Code", "invite", "join", "make_code", "parse_code"]
