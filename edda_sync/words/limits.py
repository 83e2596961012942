"""
Every limit of edda-sync: its unit and its reason.

A limit that a peer checks too (marked *wire*) is part of the protocol: raising it needs a new protocol version.
"""

from __future__ import annotations

# --- values -----------------------------------------------------------------------------------------------------------
TITLE_CODE_POINTS_MAX = 500  # a title is one line that a list can show
TEXT_BYTES_MAX = 16 * 1024 * 1024  # UTF-8 of one text field (wire): held in memory whole while it is edited
TEXT_UPDATE_BYTES_MAX = TEXT_BYTES_MAX + 512 * 1024  # one text update (wire): a whole text and its frame
TEXT_CLOCK_MAX = 64 * 1024 * 1024  # UTF-16 units that one life writes into one text (wire): four times the largest text
# A text's runs end at multiples of this (format). An edit copies at most one; a text of 100 KB has 25.
TEXT_RUN_UNITS = 4_096
NAME_CODE_POINTS_MAX = 200  # tags, devices, agents
KEY_CODE_POINTS_MAX = 256  # one metadata or agent_context key (wire)
JSON_BYTES_MAX = 1024 * 1024  # one metadata value as canonical JSON (wire)
JSON_DEPTH_MAX = 64  # nesting of one metadata value: far below what exhausts a C stack (wire)
JSON_DIGITS_MAX = 640  # of a whole number in one metadata value (wire): the least that PYTHONINTMAXSTRDIGITS may allow
PRIORITY_MAX = 4  # 0 is most urgent
REASON_CODE_POINTS_MAX = 2_000  # why a transaction was made
WALL_MS_MAX = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z, the last time RFC 3339 can write

# --- changes ----------------------------------------------------------------------------------------------------------
# One transaction (wire). It is one SQL transaction on every device, for which others who write there wait about a second.
CHANGE_OPERATIONS_MAX = 20_000
PREPARED_BYTES_MAX = 8 * 1024 * 1024  # a change with a longer body is not folded ahead: memory would hold all of it
CHANGE_BYTES_MAX = 32 * 1024 * 1024  # one transaction's body (wire): the same, and more than the longest operation
FRONT_CODE_POINTS_MAX = 64 * 1024  # of a Markdown text in which its title is looked for: 30 ms of parsing
BULK_ITEMS_MAX = 500  # items that an import writes in one transaction: a device takes it in less than 100 ms
BULK_CODE_POINTS_MAX = 1024 * 1024  # of their texts: the same
UNDONE_BYTES_MAX = 6 * 1024  # what a large undo names beside its reason, which is so much shorter (wire): 3,000 ranges
HEADER_BYTES_MAX = 64 * 1024  # one change's header (wire): 256 part hashes and 1,000 dependencies fit
DEPS_MAX = 1_000  # new dependencies of one change of ours: more are spread over empty changes before it
PART_BYTES_MAX = 512 * 1024  # one part of a change's body (wire): fits a frame with room for framing
OPERATION_LEVELS_MAX = 32  # nesting of the values in an operation (wire): far below what exhausts any stack
BIRTH_BYTES_MAX = 4_096  # a birth (wire): a key, a nonce, a parent and room to grow; a fork proof contains it
CERTIFICATE_BYTES_MAX = 4_096  # a device's certificate (wire): ours take 300
SEALING_KEY_BYTES_MAX = 2_048  # one public key of a device (wire): post-quantum keys take 1,216
# One epoch's record (wire): a key sealed to each of 512 devices, post-quantum ones too.
EPOCH_BYTES_MAX = 2 * 1024 * 1024

ENTITY_CHANGE_BYTES_MAX = 4 * 1024 * 1024  # one change's cells of one entity, without its text (wire)
ENTITY_CHANGE_CELLS_MAX = 4_096  # cells that one change writes into one entity (wire): tags, links, keys of metadata
# What one life writes into one entity (wire), with edits of its text: sixteen times the largest text.
ENTITY_LIFE_BYTES_MAX = 256 * 1024 * 1024
# Cells, and pieces of edits, that one life writes into one entity (wire): one a second for seven weeks.
ENTITY_LIFE_CELLS_MAX = 4 * 1024 * 1024
# What all lives together write into one entity (wire). Its state takes less than twice that; SQLite allows 10^9 bytes.
ENTITY_BYTES_MAX = 384 * 1024 * 1024
ENTITY_CELL_BYTES = 64  # what a cell counts in addition to its bytes (wire): about the size of its author and time
# One operation (wire): a whole text and everything that one change may write beside it.
OPERATION_BYTES_MAX = TEXT_BYTES_MAX + ENTITY_CHANGE_BYTES_MAX + 128 * 1024
INCOMING_MAX = 8  # large changes of one device that are partly here: the most complete ones stay
INCOMING_BYTES_MAX = 2 * CHANGE_BYTES_MAX  # of these, by their declared sizes: an almost complete one, and the next one
BIRTHS_MAX = 1_000  # lives of one device that a peer brings within a window: the others come later
BIRTHS_WINDOW_S = 60.0  # pairing, restoring or copying does not begin a thousand lives in a minute
PROOFS_MAX = 16  # forks of one device's lives that a peer proves within a window: each causes new folds
PROOFS_WINDOW_S = 60.0  # the other proofs are asked for again after this
# Pieces of chains that a peer is told within a window: each may be a thousand times as long as what the peer said.
PIECES_MAX = 256
PIECES_WINDOW_S = 60.0  # the other pieces are told after this
# Keys of non-members of which a peer brought proofs: as many as a workspace may have devices.
STRANGERS_MAX = 512
LIFE_QUIET_S = 30 * 24 * 3600  # a life that nothing continues is closed by its device after this
LEAVES_MAX = 32  # lives of one device that still write: above this number, status and doctor name the device

# --- files ------------------------------------------------------------------------------------------------------------
# One chunk (format). Each costs a sync of the disk, 4 ms: with 64 KiB a file is stored at 15 MB/s, with this at 240 MB/s.
CHUNK_BYTES = 1024 * 1024
CHUNK_TRIAL_BYTES = 64 * 1024  # of a chunk that are compressed to see whether that helps
MANIFEST_PARTS_MAX = 4_096  # parts that one manifest lists (format): it has 160 KiB, and covers 4 GiB at depth 1
FILE_BYTES_MAX = 64 * 1024 * 1024 * 1024  # one file (wire): 65,536 chunks. Whoever fetches it decides that by itself
# Chunks that nothing refers to are kept for this long: whoever detached something by mistake can attach it again at once.
FILE_GRACE_S = 24 * 3600
FILE_NAME_CODE_POINTS_MAX = 255  # the name of an attachment (wire): what file systems take
ATTACHMENT_BYTES_MAX = 4_096  # the record of an attachment (wire): its names, a hash, and room to grow
COLLECTED_CHUNKS = 1_000  # chunks that are looked at while nobody can add any: a few milliseconds
FILE_NAME_BYTES_MAX = 240  # of the name under which an attachment is saved: every file system takes 255

# --- files between devices --------------------------------------------------------------------------------------------
FILE_SLICE_BYTES_MIN = 16 * 1024  # a part of a chunk in one frame: on the slowest link others wait a moment for it
FILE_SLICE_BYTES_MAX = 256 * 1024  # the same on a fast link (wire): four of them make a chunk
# Of files, asked of a peer and not yet here. It is as much as arrives within FILE_WINDOW_S, so that changes do not wait for
# it. The least also counts for parts of a large change that are under way.
FILE_WINDOW_BYTES_MIN = 64 * 1024
FILE_WINDOW_BYTES_MAX = 1024 * 1024  # the same (wire): a fast link is full with less
FILE_WINDOW_S = 0.1  # how long a change may wait behind what was asked for: a person notices no more
FILE_ASKS_MAX = 64  # parts asked of a peer and not yet answered (wire): as many small files come at a time
FILE_HELD_BYTES_MAX = 2 * 1024 * 1024  # chunks on their way to the disk, in memory: one is written while others come
FILES_AT_ONCE = 64  # files that are fetched at a time: many small ones share a sync of the disk
FILES_LISTED = 256  # files that are read from the store at a time, to be fetched
FILE_NAMES_MAX = 256  # chunks that one message names (wire): 9 KB
FILE_LACKS_IN_ROW_MAX = 64  # of one file: after these no peer is asked for more of it, before one of them has one
# Chunks that a peer was told to be lacking here, and files that nobody has: 300 KB; others are asked for again.
FILE_LACKS_MAX = 4_096
FILE_WRONG_MAX = 3  # chunks that were not what they were called: no more files are asked of this peer in this session
FILE_ANSWER_S = 30.0  # a peer that answers no question for this long is not waited for
FILE_AGAIN_S = 600.0  # files that nobody had are asked for again after this
FILE_LOOK_S = 60.0  # how often it is looked whether another process found that a file has vanished
FILE_STALLED_S = 10.0  # a command that waits for files ends after this time without any news of them
FILE_RETRY_S = 30.0  # after a fault of the disk: one that has room again is noticed within half a minute

LARGE_BUFFER_BYTES = 512 * 1024  # a chunk of a file is larger, what else is in memory smaller (footprint)
HEAPS_MAX = 1  # of the C library, where each thread would have its own (footprint)

# --- wire -------------------------------------------------------------------------------------------------------------
FRAME_BYTES_MAX = 1024 * 1024  # one WebSocket message as it travels, and after decompression (wire)
BATCH_BYTES_MAX = 256 * 1024  # target for one batch of changes: small enough to interleave, large enough to compress
# Estimated cost of one batch at the receiver, as for a newcomer (LOG_CHANGE_US); other peers are served after each batch.
# A change is never divided, since it is one transaction everywhere.
BATCH_US_MAX = 100_000
# Part of a batch that is taken at a time; other peers are served after each part. A single change that may cost more is
# taken beside the turns (sync/beside). The cost is estimated from what was measured (CPython 3.11, 2026), for each
SLICE_US_MAX = 100_000
TAKE_CHANGE_US = 80  # change,
TAKE_OPERATION_US = 60  # operation,
TAKE_ENTITY_US = 80  # entity that was here before, and is read and written again,
TAKE_TEXT_US = 330  # and text, which is read before it is edited
TAKE_WORST_US = TAKE_OPERATION_US + TAKE_ENTITY_US  # before it is known what an operation is about
BATCH_VOUCHERS_BYTES_MAX = 512 * 1024  # what vouches for one batch: four of the longest ways to a signature
BATCH_ENDS_MAX = 256  # ends of one actor's chain in a batch (wire): from each, the chain is followed to what is held
# A data frame may expand to this many times its size without being counted; honest frames expand about 20 times.
EXPANSION = 32
# Expansion beyond that, of a peer's frames within a window: further frames are taken after it.
EXPANDED_BYTES_MAX = 32 * 1024 * 1024
EXPANDED_WINDOW_S = 60.0  # an honest text of 16 MiB that repeats one thing is taken at once
BESIDE_LOOKED_MAX = 1_000  # changes after a large one that are looked at for some that need not wait for it
WINDOW_BYTES_MAX = 4 * 1024 * 1024  # sent to a peer and not yet acknowledged: bounds the memory for a slow one
LOG_CHANGE_US = 50  # measured cost of a change in the log, for a newcomer and its giver (CPython 3.11, 2026)
LOG_MENTION_US = 30  # and of each entity that the change is about
SEGMENT_ENTITY_US = 65  # cost of an entity in a segment, for both
# A segment is used if it shortens the time until everything is shown by this much. It costs as much again in all, because
# the log behind it is transferred as well.
SEGMENT_SAVES_US_MIN = 200_000
RUN_BYTES_MAX = 4 * 1024 * 1024  # frames of one run of changes, before compression: it is made and opened in memory
SEGMENT_PARTS_MAX = 65_536  # parts of one segment (wire): 32 GiB, far above any store that was measured
SEGMENT_HALVES_MAX = 4  # segments that are partly here: one from each peer that a newcomer is likely to meet at once
SNAPSHOT_KEPT_S_MAX = 24 * 3600  # a segment is served for this long, so that a broken transfer can resume
HEADS_MAX = 8_192  # heads in one page of a hello (wire): 350 KB; the number of pages has no limit

# --- links ------------------------------------------------------------------------------------------------------------
PROTOCOL_VERSION = 1  # both ends of a link must have the same
OPEN_TIMEOUT_S = 3.0  # handshake: a silent TCP client is dropped after this
PING_INTERVAL_S = 15.0  # a dead link is noticed within two of these
CLOSE_TIMEOUT_S = 0.8  # how long a goodbye waits for a silent peer: stopping takes under 1 s
UNACKNOWLEDGED_MS_MAX = 10_000  # how long TCP may leave sent bytes unacknowledged: then the link ends
RETRANSMIT_MS_MAX = 1_000  # between two attempts of TCP: a network that is back is noticed within this time
# Of content, in packets to a peer where large ones do not get through: IPv6 promises everybody 1,280 with all headers; and
PACKET_BYTES_SMALL = 1_200
PACKET_BYTES_SMALLEST = 536  # what TCP sends where it knows nothing (RFC 9293)
ANSWERS_SOON_S = 10.0  # a peer that answers so soon after a link stalled was there all the time
PACKETS_SMALL_S = 3600.0  # then a new link tries large packets again, which costs one stalled link at most
# Frames that wait for one link: three windows. A peer that does not read is disconnected.
OUTGOING_BYTES_MAX = 3 * 4 * 1024 * 1024
LINK_FRAMES_QUEUED_MAX = 4  # received but not yet taken, for each link: above this, the peer has to wait
CALLERS_QUEUED_MAX = 1_024  # callers of a port whom the system lets wait; others try again after a second
CALLERS_UNPROVED_MAX = 64  # sockets that have not proved who they are; each takes up to 256 KB
CALLERS_OF_A_NETWORK_MAX = 16  # of them from one IPv4 address or IPv6 network: devices that share a router call at once
# Calls of one peer, within a window, at addresses where it was never met: anybody can send hints.
HINTED_DIALS_MAX = 8
HINTED_HURRIES_MAX = 4  # pauses between calls of one peer, within a window, that a hint may end
HINTS_WINDOW_S = 60.0  # that window: a device that is back after many hints is called within 8 s
RECONNECT_DELAY_S_MIN = 0.25  # after the first failure: a peer that restarts is back at once
RECONNECT_DELAY_S_MAX = 30.0  # after many failures: a peer that comes back is found within half a minute
PAIRING_VERSION = 2  # both ends of a pairing must have the same
PAIRING_WINDOW_S = 300  # an invitation is open for five minutes
PAIRING_FRAME_BYTES_MAX = 512 * 1024  # a welcome names every member with its certificate: about 500 bytes each
WELCOME_REST_BYTES = 64 * 1024  # part of that which is left for everything but the members: 900 keys of the workspace
PAIRING_GUESSES_MAX = 1  # a code becomes invalid with the first wrong guess
PAIRING_ANSWER_S = 0.1  # the inviter answers after this time, whatever the answer is: our SPAKE2 is not constant-time
PAIRING_REPLY_TIMEOUT_S = 10.0  # how long a joiner waits, since others may be answered before it (OPEN_TIMEOUT_S each)
INVITATIONS_TRIED_MAX = 3  # announcements of invitations with the nameplate of a code: anybody can send them
FURTHER_INVITATIONS_S = 1.0  # how long another one is waited for, after the code did not fit the first
PAIRING_SEARCH_S = 10.0  # how long a joiner listens for its inviter on the LAN
DISCOVERY_POLL_S = 0.5  # how soon a change of the network, or a new hour, is noticed
ANSWERS_MAX = 12  # names that a device shows to have heard: they fill one string of a DNS record (RFC 1035)
ANSWERS_WITHIN_WINDOW = 20  # names to which a device answers: whoever makes names up has it send no more than that
ANSWERS_WINDOW_S = 60.0  # further names are not answered until this long after
RENAMED_EVERY_S = 3_600.0  # so long a device announces itself under one name, by which strangers know it again
# Keys under which a device announces itself (wire): the present one, and those that absent members know.
DISCOVERY_KEYS_MAX = 4
# People are told of clocks that differ by more; clocks that the network sets differ by less than 1 s.
CLOCKS_APART_S = 120.0
FUTURE_S = 300.0  # what is further ahead was written by a wrong clock; two that are so far apart may both be right
HEARD_AGAIN_S = 0.5  # how long a machine waits for its own multicast, which comes back at once
SELF_CALL_S = 2.0  # how long it waits for its own port to answer: packets to it go no further than its own kernel
CLOCK_POLL_S = 5.0  # how soon a device notices that its machine's clock was set
ADDRESSES_MAX = 16  # addresses of one announcement that are dialled
NAMES_HEARD_MAX = 20_000  # names of a service, before multicast is opened anew: zeroconf keeps 0.4 KB of each
ENDPOINTS_MAX = 64  # peers remembered from discovery: this bounds a flood of announcements
MEMBERS_MAX = 512  # devices of one workspace

# --- store ------------------------------------------------------------------------------------------------------------
BUSY_TIMEOUT_MS = 30_000  # how long one process waits for another's transaction
POOL_SIZE = 8  # connections that read are kept open: as many as programs usually have threads
POOL_SIZE_MAX = 64  # each keeps three files open, and up to 16 MiB of pages in memory
# A file of up to this size is checked for damage by `edda status` and `edda conflicts`, in 0.1 s; `edda doctor` checks any.
LOOKED_THROUGH_BYTES_MAX = 128 * 1024 * 1024
JOURNAL_BYTES_MAX = 64 * 1024 * 1024  # what is written while a reader is open, before that reader is ended
READERS_LOOKED_AT_EVERY_S = 10.0  # how often a process that only reads checks how much others have written meanwhile
FORK_WAIT_S = 1.0  # how long a fork waits for other threads that use a store: far longer than a commit
MAKING_S = 1.0  # if a file stays empty for this long, no other process is making it
PROJECT_DELAY_S = 0.05  # an edited text is written into the tables this long after its last edit
DOCUMENTS_CACHED_MAX = 64  # text documents that a process keeps in memory
LIVE_DELAY_S = 0.02  # how long live queries gather changes, so that a thousand of them in a second cost little
LIVE_LOOK_S = 0.03  # how often live queries look for commits of other processes
CHANGED_MAX = 10_000  # rows that a listener is told of one by one: of more, it looks at everything anew
WATCH_INTERVAL_S = 0.1  # how often a running device looks for commits of other processes: at once, for a person
PROOF_SAVED_EVERY_S = 30.0  # how often "proved equal at" is written down: not for every letter typed
SEARCH_S = 4.0  # how long a single sync looks for peers: three questions of multicast DNS, and one dead address
SYNC_TIMEOUT_S = 30.0  # a single sync gives up after this, unless a person says otherwise
SHORT_ID_CHARACTERS_MIN = 6  # of the end of an id: enough for 100,000 entities in nearly all stores
CANDIDATES_MAX = 20  # items that a short id or a title fits, in one error: a program may offer them all
SHORT_DEVICE_CHARACTERS = 8  # of a device id, which is a long hash: 40 bits
QUERY_LIMIT_MAX = 1_000_000  # rows in one answer: more than the largest store has, but still a number
RETRIES_MAX = 1_000_000  # of a transaction: more than anybody waits for, but still a number
EXCERPT_SOURCE_CHARACTERS_MAX = 1_000_000  # of a text, to find the line to show: folding them takes some 0.2 s at most
DIFF_STEPS_MAX = 100_000  # about 50 ms: after this, a diff gives a coarser but still correct answer

# --- settings ---------------------------------------------------------------------------------------------------------
CONFIG_BYTES_MAX = 64 * 1024  # one config.toml: every setting with a page of comment
CACHE_BYTES_MAX = 2**40  # of the cache: more is a mistyped unit
CACHE_TTL_S_MIN = 0.001  # a shorter life of an entry is no cache
CACHE_TTL_S_MAX = 3_650 * 86_400.0  # ten years: more is a mistyped unit
BACKUP_INTERVAL_S_MIN = 60.0  # a backup of a large store takes about this long
BACKUP_INTERVAL_S_MAX = 3_650 * 86_400.0  # ten years: more is a mistyped unit
BACKUP_OBJECT_BYTES_MAX = 8 * 2**20  # of what one object of a backup holds: whoever opens it has it in memory twice
IMAGE_SAVES_US_MIN = 250_000  # work that an image must save: about what restoring a small store takes in all
IMAGE_RUNS_BYTES_MIN = 32 * 2**10  # of runs beyond an image: less cannot hold so much work, so it is not counted
BACKUP_KEYS_BYTES_MAX = 2**20  # the keys of a workspace, sealed for a device or a recovery code: 10,000 epochs
BACKUP_ROOM_BYTES_MAX = 1_024  # what an object's header may say beyond its fixed fields (format)
BACKUP_LOOKED_AT_EVERY_S = 20.0  # whether one is due: less than the shortest interval
BACKUP_WAIT_S_MAX = 7 * 86_400.0  # for others to be proved equal: longer than most devices are off
BACKUP_AGAIN_S = 600.0  # after a backup failed: a drive that is away, or a network, may be back then
BACKUPS_KEPT_MAX = 10_000  # of one kind: daily ones of 27 years
BACKUPS_BYTES_MIN = 2**20  # of all backups: less than the smallest one
BACKUPS_BYTES_MAX = 2**60  # more than any disk has
OBJECT_BYTES_MAX = 32 * 2**20  # at a backup target: more than any sealed object has
TARGET_ANSWER_S = 30.0  # a backup target that has not answered by then is not there: slow ones answer in a few seconds
TARGET_BYTES_S_MIN = 32 * 2**10  # a slower target is given up: even poor lines send a quarter of a megabit a second
TARGET_PIECE_BYTES = 2**20  # what is read from a target at once, so that one that stops is noticed
TARGET_LISTS_S = 10.0  # how long a target may take until it lists what was written: most take no time at all
TARGET_CLOCK_S_MAX = 300.0  # a target's clock that is further off is told
TARGETS_BYTES_MAX = 256 * 2**10  # the file of known targets: hundreds
TARGET_NAME_CHARACTERS_MAX = 60  # of a target, so that it fits into a sentence
OCCUPIED_WAIT_S = 10.0  # how long a backup waits for another process that makes one at the same place: most take less
LEFTOVER_S = 86_400.0  # what a killed writer left unfinished at a target is removed after this: no write takes a day
KEY_AGE_S_MIN = 3_600.0  # a key is replaced after this at the earliest: each time the whole store is written again
KEY_AGE_S_MAX = 36_500 * 86_400.0  # a hundred years: more is a mistyped unit
KEY_BYTES_MIN = 2**20  # written under one key: as for its age
KEY_BYTES_MAX = 2**60  # far below what the ciphers allow under one key
FILES_BELOW_MAX = 2**40  # size of files that are always fetched: more than any file has, so that a person can say "all"

# --- figures ----------------------------------------------------------------------------------------------------------
METRICS_S_MAX = 10.0  # how long figures are gathered, or a request for them is read: as long as Prometheus itself waits

# --- duties of a running device ---------------------------------------------------------------------------------------
DUTY_RETRY_S_MIN = 0.1  # after a duty's first fault, which usually is a busy moment
DUTY_RETRY_S_MAX = 30.0  # after many faults: a disk that has room again is noticed within half a minute
MEND_RETRY_S_MAX = 3_600.0  # between two folds of a log that is itself damaged: each takes seconds, and repairs nothing

# --- sync -------------------------------------------------------------------------------------------------------------
PROVE_DELAY_S = 0.02  # edited texts are read for a proof after this: not for every letter typed
ANNOUNCE_DELAY_S = 0.05  # between two announcements to a peer that may lack what is held here
ANNOUNCE_LATER_S = 2.0  # before an announcement to a peer that has it from its author: it only says that both are equal
ASKED_S = 10.0  # how long, after somebody asked whether all are equal, a proof is sent at once
PULL_GRACE_S = 0.25  # after this, what a linked author pushes is pulled from others: it nearly always comes
# If a pull brings nothing for this long, another peer is asked, and this one's claim is forgotten.
PULL_PROGRESS_S = 2.0
SHOWN_HEADS_MAX = 64  # signed heads in one announcement (wire): 7 ms to check; the others go with the next one
BEHIND_ABSENT_S = 600.0  # the same, if the maker or author of the segment is not connected: it may only be asleep
BEHIND_STALLED_S = 20.0  # no connected peer brings more of the log behind a segment: it is set aside
# Unknown actors for which a peer's claims are kept; the peer says the others again.
CLAIMS_MAX = 65_536
AGAINS_MAX = 64  # a peer repeats a request but takes nothing: more often than frames in transit explain

# --- what differs -----------------------------------------------------------------------------------------------------
CODED_CELLS_FIRST = 64  # cells with which a sketch begins: 3.9 KB; 20 differences are nearly always found
# Coded cells that one sketch may have (wire): 250 KB, a quarter of a frame. Beyond it, items are listed.
CODED_CELLS_MAX = 4_096
CODED_CELL_STEPS_MAX = 32  # cells changed by peeling, for each cell of the sketch: honest sketches need 12 at most
# Times that a peer may cause a scan of all entities or of the evidence within a window: a comparison needs nine.
SCANS_MAX = 32
SCANS_WINDOW_S = 60.0  # comparisons go on after this
DEFERRED_MAX = 32  # messages of a comparison that wait for the next window: more than a peer has in transit
MENDED_ENTITIES_MAX = 1_000  # entities that a peer may cause to be folded again within a window: lies cost no more
MENDED_WINDOW_S = 3_600.0  # a failing disk does not damage a thousand entities in an hour and keep working
FETCHED_MAX = 64  # damaged changes that one message asks for (wire): a disk with more of them is near its end
LISTED_ITEMS_MAX = 5_000  # items in one page of a sorted list (wire): 245 KB, a quarter of a frame

# --- states in RocksDB ------------------------------------------------------------------------------------------------
PENDING_ROW_BYTES = 1 << 20  # of one row of what is pending: larger ones would be held twice in memory while encoded
PENDING_RECORD_BYTES = 64  # of a row, for each state beside its own bytes: key, hash and lengths
SETTLED_QUIET_BYTES = 1 << 20  # pending, when nobody writes: a process that begins reads them in 10 ms
SETTLED_BYTES = 8 << 20  # pending, while others write on: they are in the memory of each process
SETTLED_ONCE_BYTES = 16 << 20  # carried over at once: some five times as much in memory
PENDING_BYTES_MAX = 256 << 20  # pending, if they cannot be carried over: then writes are refused
ROCKSDB_FILES_MIN = 4  # added files that are merged once they are a good part of the whole
ROCKSDB_FILES_MAX = 24  # added files that are merged in any case: each costs a read 0.3 us
ROCKSDB_ADDED_SHARE = 3  # a good part is one in so many
ROCKSDB_LOG_BYTES = 1 << 20  # of RocksDB's own diary, which nobody reads but its authors

# --- indexes that people make -----------------------------------------------------------------------------------------
INDEX_NAME_CODE_POINTS_MAX = 60  # a name that a list can show; that of a unique index is part of a cell's name (wire)
INDEX_COLUMNS_MAX = 8  # columns of one index (wire, of a unique one)
CLAUSE_CODE_POINTS_MAX = 1_000  # one where clause: it is computed for each row that is written
INDEXES_MAX = 64  # indexes of one store: each makes every write of an item slower
# Unique indexes of a workspace that count, the first by name (wire): each is computed for every item that is folded.
UNIQUE_MAX = 32
UNIQUE_BYTES_MAX = 16 * 1024  # the record of one (wire): eight paths, and a clause

# --- scrub ------------------------------------------------------------------------------------------------------------
SCRUB_S_MAX = 24 * 3600  # every stored entity is checked within this
SCRUB_INTERVAL_S = 60  # between two slices of entities
SCRUB_ENTITIES_MIN = 200  # a small store is checked in one slice
SCRUB_CHUNKS = 64  # of attached files, in one slice: a fifth of a second, and 92 GB a day

# --- the store's file ---------------------------------------------------------------------------------------------------
DEVICE_ANSWER_S = 2.0  # that a command waits for a running device, which answers at once unless it was stopped or hangs
STORE_PATH_BYTES_MAX = 504  # SQLite's own 512, less what it adds for a journal

# --- keys of encrypted stores -----------------------------------------------------------------------------------------
# Memory that the key of a passphrase may take, in bytes. The parameters come from a file that anybody may have changed.
KDF_MEMORY_BYTES_MAX = 1024 * 1024 * 1024
KDF_PASSES_MAX = 16  # over that memory: some ten seconds
KDF_LANES_MAX = 16  # threads that work on one passphrase
PASSPHRASE_CODE_POINTS_MIN = 8  # of a new one: the least that NIST SP 800-63B allows
PASSPHRASE_CODE_POINTS_MAX = 1_024  # more is a file that was given by mistake
KEY_FILE_BYTES_MAX = 64 * 1024  # the file with a store's keys: ten times as much as its longest content
KEY_LOOKED_AT_EVERY_S = 3600.0  # how often a running device checks whether its data key is due to be replaced
REKEYED_MAX = 10  # times that a transaction begins again because the data key was replaced: more are no accident
DATA_KEYS_MAX = 16  # in that file: older ones open an older copy of the store that was put back
