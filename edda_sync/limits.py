"""
Every limit of edda-sync: its unit and its reason.

A limit is part of the protocol: raising one needs a new protocol version wherever a peer checks it too (marked *wire*).
"""

from __future__ import annotations

# --- values -----------------------------------------------------------------------------------------------------------
TITLE_CODE_POINTS_MAX = 500  # a title is one line that a list can show
TEXT_BYTES_MAX = 16 * 1024 * 1024  # UTF-8 of one text field (wire): held in memory whole while it is edited
TEXT_UPDATE_BYTES_MAX = TEXT_BYTES_MAX + 512 * 1024  # one text update (wire): a whole text and its frame
TEXT_CLOCK_MAX = 2**31 - 1  # UTF-16 units one actor writes into one text (wire): the clocks of yrs have 32 bits
TEXT_PIECE_CODE_POINTS = 2_048  # an offset is counted inside one such piece: 3 us, and 25 pieces in a text of 50 KB
NAME_CODE_POINTS_MAX = 200  # tags, devices, agents
KEY_CODE_POINTS_MAX = 256  # one metadata or agent_context key (wire)
JSON_BYTES_MAX = 1024 * 1024  # one metadata value as canonical JSON (wire)
JSON_DEPTH_MAX = 64  # nesting of one metadata value: far below what exhausts a C stack (wire)
PRIORITY_MAX = 4  # 0 is most urgent
REASON_CODE_POINTS_MAX = 2_000  # why a transaction was made
WALL_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last time RFC 3339 can write

# --- changes ----------------------------------------------------------------------------------------------------------
ACTOR_BITS = 52  # leaves bit 52 for genesis ids; Yjs client ids are safe integers of 53 bits
CHANGE_OPERATIONS_MAX = 200_000  # one transaction (wire): applied in one SQL transaction on every device
CHANGE_BYTES_MAX = 128 * 1024 * 1024  # one transaction's body (wire)
HEADER_BYTES_MAX = 64 * 1024  # one change's header (wire): 256 part hashes and 2,000 dependencies fit
PART_BYTES_MAX = 512 * 1024  # one part of a change's body (wire): fits a frame with room for framing
OPERATION_BYTES_MAX = TEXT_BYTES_MAX + JSON_BYTES_MAX  # one operation (wire): a whole text and its neighbours
ACTORS_MAX = 4_096  # actors one frontier may name (wire): bounds hello

# --- wire -------------------------------------------------------------------------------------------------------------
FRAME_BYTES_MAX = 1024 * 1024  # one WebSocket message as it travels, and after decompression (wire)
BATCH_BYTES_MAX = 256 * 1024  # aim for one batch of changes: small enough to interleave, large enough to compress
WINDOW_BYTES_MAX = 4 * 1024 * 1024  # sent and not yet acknowledged, a peer: bounds memory of a slow one
SNAPSHOT_CHANGES_MIN = 5_000  # missing changes from which a snapshot is the cheaper answer
SEGMENT_PARTS_MAX = 65_536  # parts of one segment (wire): 32 GiB, far above any store that was measured
CHAIN_HASHES_MAX = 65_536  # changes of an actor whose hashes a segment names (wire): 256 KiB; older forks go unseen
SEGMENT_HALVES_MAX = 4  # segments that are half here: one from each peer that a newcomer is likely to meet at once
SNAPSHOT_KEPT_S_MAX = 24 * 3600  # a made snapshot is served for this long, so that a broken transfer can resume
DIGEST_BUCKETS = 4_096  # a mismatch is narrowed to 1/4096 of the entities

# --- links ------------------------------------------------------------------------------------------------------------
PROTOCOL_VERSION = 1  # what both ends of a link must speak
OPEN_TIMEOUT_S = 3.0  # handshake: a silent TCP client is dropped after this
PING_INTERVAL_S = 15.0  # a dead link is noticed within two of these
CLOSE_TIMEOUT_S = 0.8  # goodbye: how long closing a link waits for a peer that does not answer; a stop takes under 1 s
UNACKNOWLEDGED_MS_MAX = 10_000  # sent bytes that TCP may leave unacknowledged: a cut link with traffic dies this soon
RETRANSMIT_MS_MAX = 1_000  # between two tries of TCP to get through: a network that is back is noticed this soon
LINK_FRAMES_QUEUED_MAX = 4  # received and not yet taken, a link: above it the peer is made to wait
LINKS_UNPROVED_MAX = 64  # sockets that have not proved who they are
RECONNECT_DELAY_S_MIN = 0.25  # after the first failure: a peer that restarts is back at once
RECONNECT_DELAY_S_MAX = 30.0  # after many: a peer that comes back is met within half a minute
PAIRING_WINDOW_S = 300  # an invitation is open for five minutes
PAIRING_FRAME_BYTES_MAX = 512 * 1024  # a welcome names every member with its certificate: about 500 bytes each
PAIRING_GUESSES_MAX = 1  # a code dies with its first wrong guess
PAIRING_ANSWER_S = 0.1  # the inviter answers after this, whatever the answer: SPAKE2 here is not constant-time
PAIRING_REPLY_TIMEOUT_S = 10.0  # how long a joiner waits, since others may be heard before it (OPEN_TIMEOUT_S each)
PAIRING_SEARCH_S = 10.0  # how long a joiner listens for its inviter on the LAN
DISCOVERY_POLL_S = 0.5  # how soon a change of the network, or a new hour, is noticed
DISCOVERY_KEYS_MAX = (
    4  # keys under which a device announces itself (wire): the present one, and what absent members know
)
ADDRESSES_MAX = 16  # addresses dialled of one announcement
ENDPOINTS_MAX = 64  # peers remembered from discovery: a flood of announcements stays bounded
MEMBERS_MAX = 512  # devices of one workspace

# --- store ------------------------------------------------------------------------------------------------------------
BUSY_TIMEOUT_MS = 30_000  # how long one process waits for another's transaction
READERS_MAX = 8  # pooled read connections
PROJECT_DELAY_S = 0.05  # an edited text is written into the tables this long after its last edit
DOCUMENTS_CACHED_MAX = 64  # text documents a process keeps in memory
WATCH_INTERVAL_S = 0.1  # how often a running device looks for another process's commit: at once, for a person
PROOF_SAVED_EVERY_S = 30.0  # how often "proved equal at" is written down, a peer: not with every letter typed
SEARCH_S = 4.0  # a single sync looks for its peers for so long: three questions of multicast DNS, and one dead address
SYNC_TIMEOUT_S = 30.0  # a single sync gives up after this, unless a person says otherwise
SHORT_ID_CHARACTERS_MIN = 6  # of an id's end; enough for 100,000 entities in nearly all stores
QUERY_LIMIT_MAX = 1_000_000  # rows of one answer: more than the largest store has, and a number all the same
DIFF_STEPS_MAX = 100_000  # about 50 ms: past this a diff answers with what it has, coarser and never wrong

# --- sync -------------------------------------------------------------------------------------------------------------
PROVE_DELAY_S = (
    0.02  # frontiers stay equal this long before digests are compared: typing is not proved letter by letter
)
ANNOUNCE_DELAY_S = 0.05  # what one peer sent is acknowledged to the others after this, all at once
RELAY_DELAY_S = 0.15  # what a peer sent is passed on after this, to those who have not said that they have it
AGAINS_MAX = 64  # a peer asks for the same again, and takes nothing: more than frames that are under way explain

# --- scrub ------------------------------------------------------------------------------------------------------------
SCRUB_S_MAX = 24 * 3600  # every stored entity is looked at within this
SCRUB_INTERVAL_S = 60  # a slice of them at a time
SCRUB_ENTITIES_MIN = 200  # a small store is through at once
