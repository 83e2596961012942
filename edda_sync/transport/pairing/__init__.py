"""
Pairing: two devices prove to each other that they know the same short code, and then exchange secrets.

**Theory.** The code has 8 secret digits (26.6 bits). SPAKE2 (Abdalla and Pointcheval, CT-RSA 2005; RFC 9382) turns them
into a strong key on both sides. Somebody who listens, or plays one of the sides, learns only whether *one* guess was right.
The exchange runs inside TLS 1.3; only the inviter shows a certificate, which is that of its device record::

    joiner                                                       inviter
      | hello      version, SPAKE2 message A                        |
      |------------------------------------------------------------>|
      |                                      SPAKE2 message B       | answer
      |<------------------------------------------------------------|
      | proof      HMAC, sealed device record                       |    one guess: a wrong proof kills the code
      |------------------------------------------------------------>|
      |                                      HMAC                   | proved
      |<------------------------------------------------------------|
      |                                      sealed welcome         | welcome    without any secret
      |<------------------------------------------------------------|
      | received   HMAC                                             |
      |------------------------------------------------------------>|    then the caller makes it a member
      |                                      sealed admission       | admitted   the secrets
      |<------------------------------------------------------------|

No exchange of messages can make sure that both sides know how it ended (the two generals). So the doubt is where it harms
least: a device that did not confirm the welcome is no member, and got no secret; one that confirmed it, and was lost before
it was told more, may be one. With a new code it becomes one in either case, and no second one, because it keeps its key.

Source: Gray, "Notes on Data Base Operating Systems" (1978), section 5.8.3.3.

Every key is HKDF-SHA256 (RFC 5869) of the SPAKE2 key, salted with the *transcript*: the hash of the certificate as that
side saw it and of the first two frames. A key has one label and one use, so the AEAD (RFC 8439) needs no nonces. The
proofs cover the transcript and the joiner's record, the receipt the welcome too.

**Attack model.** The attacker is on the network, can read, change, drop and inject, and knows everything except the digits.
  - Guessing: the joiner proves first; what the inviter sent before fits every code. A caller that breaks off earlier has
    learnt nothing, and the code stays valid; a wrong proof uses up the code. So one code is one guess, 1 in 10^8.
  - In the middle, with a certificate of their own: the transcripts differ, so the proof is wrong. An attacker who only
    relays SPAKE2 gains nothing, because record and welcome are sealed end to end.
  - Playing the inviter: three guesses for each time that a person types the code, one for each announcement that is tried.
  - Reflection, replay: the sides have different roles, identities and labels; each attempt has a new SPAKE2 secret.
  - Timing: ``spake2`` is pure Python and not constant-time; a code is used once, and answers come after a fixed time.
  - Denial: anybody on the LAN can use up a code with a wrong guess. The person is told why, and asks for a new one.

A reader's path: ``code`` (what a person reads out), ``frames`` (what is sent), ``agreement`` (the keys), ``machine`` with
``inviter`` and ``joiner`` (the two sides: they take frames and ``now``, return effects, and have no sockets, clocks or
randomness), ``stream`` (frames on a TLS connection), ``queue`` (the inviter's callers) and ``ends`` (invite, and join).
The record, the welcome and the admission are bytes of the callers.
"""

from __future__ import annotations

from edda_sync.transport.pairing.code import Code, make_code, parse_code
from edda_sync.transport.pairing.ends import invite, join
from edda_sync.transport.pairing.frames import SENTENCES

__all__ = ["SENTENCES", "Code", "invite", "join", "make_code", "parse_code"]
