"""
Every limit of edda-sync: its unit and its reason.

A limit is part of the protocol: raising one needs a new protocol version wherever a peer checks it too (marked *wire*).
"""

from __future__ import annotations

# --- values -----------------------------------------------------------------------------------------------------------
TITLE_CODE_POINTS_MAX = 500  # a title is one line that a list can show
TEXT_BYTES_MAX = 16 * 1024 * 1024  # UTF-8 of one text field (wire): held in memory whole while it is edited
TEXT_UPDATE_BYTES_MAX = TEXT_BYTES_MAX + 512 * 1024  # one text update (wire): a whole text and its frame
TEXT_CLOCK_MAX = 64 * 1024 * 1024  # UTF-16 units one life writes into one text (wire): four times the largest text
# A text's runs end at multiples of this (format): an edit copies no more, and 25 are a text of 100 KB.
TEXT_RUN_UNITS = 4_096
NAME_CODE_POINTS_MAX = 200  # tags, devices, agents
KEY_CODE_POINTS_MAX = 256  # one metadata or agent_context key (wire)
JSON_BYTES_MAX = 1024 * 1024  # one metadata value as canonical JSON (wire)
JSON_DEPTH_MAX = 64  # nesting of one metadata value: far below what exhausts a C stack (wire)
JSON_DIGITS_MAX = 640  # of a whole number in it (wire): the fewest that PYTHONINTMAXSTRDIGITS may allow
PRIORITY_MAX = 4  # 0 is most urgent
REASON_CODE_POINTS_MAX = 2_000  # why a transaction was made
WALL_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last time RFC 3339 can write

# --- changes ----------------------------------------------------------------------------------------------------------
CHANGE_OPERATIONS_MAX = 200_000  # one transaction (wire): applied in one SQL transaction on every device
CHANGE_BYTES_MAX = 128 * 1024 * 1024  # one transaction's body (wire)
HEADER_BYTES_MAX = 64 * 1024  # one change's header (wire): 256 part hashes and 1,000 dependencies fit
DEPS_MAX = 1_000  # dependencies that one change of ours names anew: more are spread over empty changes before it
PART_BYTES_MAX = 512 * 1024  # one part of a change's body (wire): fits a frame with room for framing
OPERATION_LEVELS_MAX = 32  # nesting of what an operation carries (wire): far below what exhausts any stack
BIRTH_BYTES_MAX = 4_096  # a birth (wire): a key, a nonce, a parent and room to grow; a fork proof carries it
CERTIFICATE_BYTES_MAX = 4_096  # a device's certificate (wire): ours have 300
SEALING_KEY_BYTES_MAX = 2_048  # one public key of a device (wire): post-quantum ones have 1,216
# One epoch's record (wire): a key sealed to each of 512 devices, post-quantum ones too.
EPOCH_BYTES_MAX = 2 * 1024 * 1024

ENTITY_CHANGE_BYTES_MAX = 4 * 1024 * 1024  # one change's cells of one entity, its text left out (wire)
ENTITY_CHANGE_CELLS_MAX = 4_096  # cells that one change writes into one entity (wire): tags, links, keys of metadata
# One life writes into one entity (wire), edits of its text included: sixteen of the largest.
ENTITY_LIFE_BYTES_MAX = 256 * 1024 * 1024
# Cells, and pieces of edits, one life writes into one entity (wire): a letter a second, for seven weeks.
ENTITY_LIFE_CELLS_MAX = 4 * 1024 * 1024
# What all lives together write into one entity (wire): its state is less than twice that; SQLite takes 10^9 bytes.
ENTITY_BYTES_MAX = 384 * 1024 * 1024
ENTITY_CELL_BYTES = 64  # what a cell counts beside its bytes (wire): about what its author and its time take
# One operation (wire): a whole text and all that one change may write beside it.
OPERATION_BYTES_MAX = TEXT_BYTES_MAX + ENTITY_CHANGE_BYTES_MAX + 128 * 1024
INCOMING_MAX = 8  # large changes of one device of which not every part is here: what has come furthest stays
INCOMING_BYTES_MAX = 2 * CHANGE_BYTES_MAX  # of these, by what they say: one that has come far, and the next one
BIRTHS_MAX = 1_000  # lives of one device that a peer brings within a window: the others come later
BIRTHS_WINDOW_S = 60.0  # who pairs, restores or copies does not begin a thousand lives in a minute
PROOFS_MAX = 16  # forks of one device's lives that a peer proves within a window: each has entities folded anew
PROOFS_WINDOW_S = 60.0  # the others are asked for again after it
# Pieces of chains that a peer is told within a window: each may be a thousand times what it said itself.
PIECES_MAX = 256
PIECES_WINDOW_S = 60.0  # the others are told after it
# Keys of which a peer brought proofs and that are no members here: as many as a workspace has devices.
STRANGERS_MAX = 512
LIFE_QUIET_S = 30 * 24 * 3600  # a life that nothing continues is closed by its device after this
LEAVES_MAX = 32  # lives of one device that still write: above it status and doctor name the device

# --- wire -------------------------------------------------------------------------------------------------------------
FRAME_BYTES_MAX = 1024 * 1024  # one WebSocket message as it travels, and after decompression (wire)
BATCH_BYTES_MAX = 256 * 1024  # aim for one batch of changes: small enough to interleave, large enough to compress
# What taking one batch costs the other side, reckoned as for a newcomer (LOG_CHANGE_US): then others are served. One
# change is never cut, since it is one transaction everywhere.
BATCH_US_MAX = 100_000
# So much of a batch is taken at a time, reckoned alike, whoever made it: then others are served. One change that costs more
# is taken beside that (sync/beside).
SLICE_US_MAX = 100_000
BATCH_VOUCHERS_BYTES_MAX = 512 * 1024  # what vouches for one batch: four of the longest ways to a signature
BATCH_ENDS_MAX = 256  # ends of one actor's chain in a batch (wire): for each the way to what is held is followed
# Times its own size: so much a frame of data may become and not be counted; honest ones shrink to a twentieth.
EXPANSION = 32
# What frames become beyond that, of a peer within a window: the others are taken after it.
EXPANDED_BYTES_MAX = 32 * 1024 * 1024
EXPANDED_WINDOW_S = 60.0  # an honest text of 16 MiB that says one thing over and over is taken at once
WINDOW_BYTES_MAX = 4 * 1024 * 1024  # sent and not yet acknowledged, a peer: bounds memory of a slow one
LOG_CHANGE_US = 50  # what a change of the log costs a newcomer and its giver, as measured (CPython 3.11, 2026)
LOG_MENTION_US = 30  # and each entity that it is about
SEGMENT_ENTITY_US = 65  # what an entity of a segment costs both
# A segment is the better answer if so much passes less until all is shown, though it costs what it saves again: the log
# behind it comes all the same.
SEGMENT_SAVES_US_MIN = 200_000
SEGMENT_PARTS_MAX = 65_536  # parts of one segment (wire): 32 GiB, far above any store that was measured
SEGMENT_HALVES_MAX = 4  # segments that are half here: one from each peer that a newcomer is likely to meet at once
SNAPSHOT_KEPT_S_MAX = 24 * 3600  # a segment that was made is served for this long, so that a broken transfer can resume
HEADS_MAX = 8_192  # heads of one page of a hello (wire): 350 KB; how many pages there are has no limit

# --- links ------------------------------------------------------------------------------------------------------------
PROTOCOL_VERSION = 1  # what both ends of a link must speak
OPEN_TIMEOUT_S = 3.0  # handshake: a silent TCP client is dropped after this
PING_INTERVAL_S = 15.0  # a dead link is noticed within two of these
CLOSE_TIMEOUT_S = 0.8  # goodbye: how long closing a link waits for a peer that does not answer; a stop takes under 1 s
UNACKNOWLEDGED_MS_MAX = 10_000  # sent bytes that TCP may leave unacknowledged: a cut link with traffic dies this soon
RETRANSMIT_MS_MAX = 1_000  # between two tries of TCP to get through: a network that is back is noticed this soon
# Frames that wait for one link: three windows; a peer that does not read is let go.
OUTGOING_BYTES_MAX = 3 * 4 * 1024 * 1024
LINK_FRAMES_QUEUED_MAX = 4  # received and not yet taken, a link: above it the peer is made to wait
LINKS_UNPROVED_MAX = 64  # sockets that have not proved who they are
RECONNECT_DELAY_S_MIN = 0.25  # after the first failure: a peer that restarts is back at once
RECONNECT_DELAY_S_MAX = 30.0  # after many: a peer that comes back is met within half a minute
PAIRING_WINDOW_S = 300  # an invitation is open for five minutes
PAIRING_FRAME_BYTES_MAX = 512 * 1024  # a welcome names every member with its certificate: about 500 bytes each
WELCOME_REST_BYTES = 64 * 1024  # of that, what is left for all but the members: 900 keys of the workspace
PAIRING_GUESSES_MAX = 1  # a code dies with its first wrong guess
PAIRING_ANSWER_S = 0.1  # the inviter answers after this, whatever the answer: SPAKE2 here is not constant-time
PAIRING_REPLY_TIMEOUT_S = 10.0  # how long a joiner waits, since others may be heard before it (OPEN_TIMEOUT_S each)
PAIRING_SEARCH_S = 10.0  # how long a joiner listens for its inviter on the LAN
DISCOVERY_POLL_S = 0.5  # how soon a change of the network, or a new hour, is noticed
# Keys under which a device announces itself (wire): the present one, and what absent members know.
DISCOVERY_KEYS_MAX = 4
ADDRESSES_MAX = 16  # addresses dialled of one announcement
ENDPOINTS_MAX = 64  # peers remembered from discovery: a flood of announcements stays bounded
MEMBERS_MAX = 512  # devices of one workspace

# --- store ------------------------------------------------------------------------------------------------------------
BUSY_TIMEOUT_MS = 30_000  # how long one process waits for another's transaction
READERS_MAX = 8  # pooled read connections
# A file of up to this is looked through for damage by `edda status` and `edda conflicts`: 0.1 s; by `edda doctor` any is.
LOOKED_THROUGH_BYTES_MAX = 128 * 1024 * 1024
JOURNAL_BYTES_MAX = 64 * 1024 * 1024  # what is written while somebody reads one state, before that reading is ended
READERS_LOOKED_AT_EVERY_S = 10.0  # so soon a process that only reads notices how much others have written meanwhile
FORK_WAIT_S = 1.0  # how long a fork waits for other threads that are using a store: far above what a commit takes
MAKING_S = 1.0  # an empty file that stays so for this long is not being made by another process
PROJECT_DELAY_S = 0.05  # an edited text is written into the tables this long after its last edit
DOCUMENTS_CACHED_MAX = 64  # text documents a process keeps in memory
WATCH_INTERVAL_S = 0.1  # how often a running device looks for another process's commit: at once, for a person
PROOF_SAVED_EVERY_S = 30.0  # how often "proved equal at" is written down: not with every letter typed
SEARCH_S = 4.0  # a single sync looks for its peers for so long: three questions of multicast DNS, and one dead address
SYNC_TIMEOUT_S = 30.0  # a single sync gives up after this, unless a person says otherwise
SHORT_ID_CHARACTERS_MIN = 6  # of an id's end; enough for 100,000 entities in nearly all stores
SHORT_DEVICE_CHARACTERS = 8  # of a device id, which is long and drawn by chance: 40 bits
QUERY_LIMIT_MAX = 1_000_000  # rows of one answer: more than the largest store has, and a number all the same
DIFF_STEPS_MAX = 100_000  # about 50 ms: past this a diff answers with what it has, coarser and never wrong

# --- duties of a running device ---------------------------------------------------------------------------------------
DUTY_RETRY_S_MIN = 0.1  # after a duty's first fault, which most often is a busy moment
DUTY_RETRY_S_MAX = 30.0  # after many: a disk that has room again is noticed within half a minute
MEND_RETRY_S_MAX = 3_600.0  # between two folds of a log that is damaged itself: each costs seconds, and mends nothing

# --- sync -------------------------------------------------------------------------------------------------------------
PROVE_DELAY_S = 0.02  # texts that were edited are read for a proof after this: typing is not proved letter by letter
ANNOUNCE_DELAY_S = 0.05  # between two announcements of what is held here to a peer that may lack it
ANNOUNCE_LATER_S = 2.0  # before one to a peer that has it from its author: it says no more than that both are equal
ASKED_S = 10.0  # after somebody asked whether all are equal, that is said as soon as it may be: once, or until this
PULL_GRACE_S = 0.25  # what a linked author pushes is pulled of others after this: it nearly always comes by itself
# Of a pull nothing came for this long: another peer is asked, and what this one claims is forgotten.
PULL_PROGRESS_S = 2.0
SHOWN_HEADS_MAX = 64  # signed heads of one announcement (wire): 7 ms to check; the others go with the next one
BEHIND_ABSENT_S = 600.0  # the same, where the maker or the author of the segment is not here: it may only be asleep
BEHIND_STALLED_S = 20.0  # nobody who is here brings more of the log behind a segment: it is set aside
# Actors not known here of which it is kept what a peer says that it holds: the others it says again.
CLAIMS_MAX = 65_536
AGAINS_MAX = 64  # a peer asks for the same again, and takes nothing: more than frames that are under way explain

# --- what differs -----------------------------------------------------------------------------------------------------
CODED_CELLS_FIRST = 64  # a sketch begins with so many: 3.9 KB, and 20 differences come out nearly always
# Coded cells one sketch may have (wire): 250 KB, a quarter of a frame; beyond it items are listed.
CODED_CELLS_MAX = 4_096
CODED_CELL_STEPS_MAX = 32  # cells changed by peeling, for each cell there is: honest ones need 12 at most
# Times that a peer may have all entities looked at, or evidence named, within a window: comparing takes nine.
SCANS_MAX = 32
SCANS_WINDOW_S = 60.0  # what is compared is compared again after it
DEFERRED_MAX = 32  # messages of a comparison that wait for the next window: more than a peer has under way
MENDED_ENTITIES_MAX = 1_000  # entities that one peer may have folded anew here within a window: lies cost no more
MENDED_WINDOW_S = 3_600.0  # a disk that rots does not rot a thousand entities in an hour and go on
FETCHED_MAX = 64  # rotten changes that one message asks for (wire): a disk that rots more is at its end
LISTED_ITEMS_MAX = 5_000  # items one page of a sorted list may have (wire): 245 KB, a quarter of a frame

# --- scrub ------------------------------------------------------------------------------------------------------------
SCRUB_S_MAX = 24 * 3600  # every stored entity is looked at within this
SCRUB_INTERVAL_S = 60  # a slice of them at a time
SCRUB_ENTITIES_MIN = 200  # a small store is through at once
