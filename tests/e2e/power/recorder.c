/*
 * Records what a process does to the files of one folder, in the order in which it does it. Loaded with LD_PRELOAD.
 *
 * POWER_FOLDER is the folder, POWER_TRACE the file that is written. A record is a header, one or two paths, and data; see
 * read_trace in power.py. A call and its record are one step under a lock, so that the trace has the order of the disk.
 * Which calls are caught is what SQLite and Python use: a test compares the files with what the trace makes of them.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))real(#name))

struct __attribute__((packed)) header {
    char kind;
    uint16_t path_bytes, other_bytes;
    uint32_t data_bytes;
    uint64_t inode, offset;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static size_t folder_bytes;
static int trace = -1;

static void *real(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) abort();
    return found;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWER_TRACE");
    folder = getenv("POWER_FOLDER");
    if (folder == NULL || path == NULL) return;
    folder_bytes = strlen(folder);
    trace = REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (trace < 0) abort();
}

static int is_below(const char *path) {
    return trace >= 0 && strncmp(path, folder, folder_bytes) == 0 &&
           (path[folder_bytes] == '/' || path[folder_bytes] == 0);
}

/* A path as the trace has it: from the folder on. One outside, of a file that is moved in or out, begins with a slash. */
static const char *traced(const char *path) {
    return is_below(path) ? path + folder_bytes + (path[folder_bytes] == '/') : path;
}

/* Whether a descriptor's file is in the folder; its path and state. Asks the kernel, so that no dup or close is missed. */
static int is_watched(int fd, char path[PATH_MAX], struct stat *state) {
    char link[32];
    int kept = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = trace < 0 || fd < 0 ? -1 : readlink(link, path, PATH_MAX - 1);
    path[length < 0 ? 0 : length] = 0;
    int watched = length >= 0 && is_below(path) && fstat(fd, state) == 0;
    errno = kept;
    return watched;
}

static void record(char kind, const char *path, const char *other, uint64_t inode, uint64_t offset,
                   const struct iovec *parts, int count, size_t length) {
    int kept = errno;
    path = traced(path);
    other = traced(other);
    struct header header = {kind, strlen(path), strlen(other), length, inode, offset};
    struct iovec all[3 + IOV_MAX] = {
        {&header, sizeof header}, {(void *)path, header.path_bytes}, {(void *)other, header.other_bytes}};
    size_t expected = sizeof header + header.path_bytes + header.other_bytes + length;
    int used = 3;
    for (int i = 0; i < count && length > 0; i++) {
        size_t taken = parts[i].iov_len < length ? parts[i].iov_len : length;
        all[used++] = (struct iovec){parts[i].iov_base, taken};
        length -= taken;
    }
    if (REAL(writev)(trace, all, used) != (ssize_t)expected) abort(); /* a trace with gaps proves nothing */
    errno = kept;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

static int open_at(int at, const char *path, int flags, mode_t mode) {
    char found[PATH_MAX];
    struct stat state;
    pthread_mutex_lock(&lock);
    int kept = errno, existed = faccessat(at, path, F_OK, 0) == 0;
    errno = kept;
    int fd = REAL(openat)(at, path, flags, mode);
    if (fd >= 0 && (flags & (O_CREAT | O_TRUNC)) && is_watched(fd, found, &state)) {
        if (!existed) record('C', found, "", state.st_ino, 0, NULL, 0, 0);
        else if (flags & O_TRUNC) record('T', found, "", state.st_ino, 0, NULL, 0, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list rest) { return flags & O_CREAT ? va_arg(rest, mode_t) : 0; }

#define OPEN(name)                                                                                                    \
    int name(const char *path, int flags, ...) {                                                                      \
        va_list rest;                                                                                                 \
        va_start(rest, flags);                                                                                        \
        mode_t mode = mode_of(flags, rest);                                                                           \
        va_end(rest);                                                                                                 \
        return open_at(AT_FDCWD, path, flags, mode);                                                                  \
    }
#define OPENAT(name)                                                                                                  \
    int name(int at, const char *path, int flags, ...) {                                                              \
        va_list rest;                                                                                                 \
        va_start(rest, flags);                                                                                        \
        mode_t mode = mode_of(flags, rest);                                                                           \
        va_end(rest);                                                                                                 \
        return open_at(at, path, flags, mode);                                                                        \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    int failed = REAL(rename)(from, to);
    if (!failed && (is_below(from) || is_below(to))) record('R', from, to, 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int unlink(const char *path) {
    pthread_mutex_lock(&lock);
    int failed = REAL(unlink)(path);
    if (!failed && is_below(path)) record('U', path, "", 0, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

/* --- data -------------------------------------------------------------------------------------------------------- */

static ssize_t put(int fd, const struct iovec *parts, int count, off_t at) {
    char path[PATH_MAX];
    struct stat state;
    int positioned = at >= 0;
    if (!is_watched(fd, path, &state) || S_ISDIR(state.st_mode))
        return positioned ? REAL(pwrite)(fd, parts->iov_base, parts->iov_len, at) : REAL(writev)(fd, parts, count);
    pthread_mutex_lock(&lock);
    if (!positioned) {
        int appends = fcntl(fd, F_GETFL) & O_APPEND;
        at = lseek(fd, 0, appends ? SEEK_END : SEEK_CUR);
    }
    ssize_t done = positioned ? REAL(pwrite)(fd, parts->iov_base, parts->iov_len, at) : REAL(writev)(fd, parts, count);
    if (done > 0) record('W', path, "", state.st_ino, at, parts, count, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t length) {
    struct iovec part = {(void *)data, length};
    return put(fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) { return put(fd, parts, count, -1); }

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) {
    struct iovec part = {(void *)data, length};
    return put(fd, &part, 1, at);
}

int ftruncate(int fd, off_t size) {
    char path[PATH_MAX];
    struct stat state;
    if (!is_watched(fd, path, &state)) return REAL(ftruncate)(fd, size);
    pthread_mutex_lock(&lock);
    int failed = REAL(ftruncate)(fd, size);
    if (!failed) record('T', path, "", state.st_ino, size, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

static int sync_with(int (*real_sync)(int), int fd) {
    char path[PATH_MAX];
    struct stat state;
    if (!is_watched(fd, path, &state)) return real_sync(fd);
    pthread_mutex_lock(&lock);
    int failed = real_sync(fd);
    if (!failed) record('S', path, "", state.st_ino, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed;
}

int fsync(int fd) { return sync_with(REAL(fsync), fd); }

int fdatasync(int fd) { return sync_with(REAL(fdatasync), fd); }

/* What is written through mapped memory is not seen: who reads the trace must know of which files that is true. */
void *mmap(void *near, size_t length, int protection, int flags, int fd, off_t offset) {
    char path[PATH_MAX];
    struct stat state;
    void *mapped = REAL(mmap)(near, length, protection, flags, fd, offset);
    if (mapped != MAP_FAILED && (flags & MAP_SHARED) && (protection & PROT_WRITE) && is_watched(fd, path, &state)) {
        pthread_mutex_lock(&lock);
        record('M', path, "", state.st_ino, offset, NULL, 0, 0);
        pthread_mutex_unlock(&lock);
    }
    return mapped;
}

_Static_assert(sizeof(off_t) == 8, "the names with 64 mean the same");
ssize_t pwrite64(int, const void *, size_t, off_t) __attribute__((alias("pwrite")));
int ftruncate64(int, off_t) __attribute__((alias("ftruncate")));
void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));
