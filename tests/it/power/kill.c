/* Ends a process before its nth call that changes the file system, counted over all threads.
 *
 * Loaded with LD_PRELOAD. KILL_AT is n; 0 disables the kill. If the process exits by itself, the number
 * of calls is written to the file in COUNT_TO. A write counts if it goes to a file or to standard
 * output. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long kill_at;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("KILL_AT");
    kill_at = at ? atol(at) : 0;
}

__attribute__((destructor)) static void end(void) {
    const char *path = getenv("COUNT_TO");
    long counted = atomic_load(&calls);
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%ld", counted);
        fclose(file);
    }
}

static void count(void) {
    if (atomic_fetch_add(&calls, 1) + 1 == kill_at) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
}

static void count_write(int fd) {
    struct stat found;
    if (fd == 1 || (fstat(fd, &found) == 0 && S_ISREG(found.st_mode))) count();
}

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

#define OPEN(name)                                                  \
    int name(const char *path, int flags, ...) {                    \
        mode_t mode = 0;                                            \
        if (flags & (O_CREAT | O_TMPFILE)) {                        \
            va_list rest;                                           \
            va_start(rest, flags);                                  \
            mode = va_arg(rest, mode_t);                            \
            va_end(rest);                                           \
        }                                                           \
        if (flags & O_CREAT) count();                               \
        return REAL(name)(path, flags, mode);                       \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                \
    int name(int folder, const char *path, int flags, ...) {        \
        mode_t mode = 0;                                            \
        if (flags & (O_CREAT | O_TMPFILE)) {                        \
            va_list rest;                                           \
            va_start(rest, flags);                                  \
            mode = va_arg(rest, mode_t);                            \
            va_end(rest);                                           \
        }                                                           \
        if (flags & O_CREAT) count();                               \
        return REAL(name)(folder, path, flags, mode);               \
    }
OPENAT(openat)
OPENAT(openat64)

#define CHANGES(type, name, declared, passed)                       \
    type name declared {                                            \
        count();                                                    \
        return REAL(name) passed;                                   \
    }
CHANGES(int, creat, (const char *path, mode_t mode), (path, mode))
CHANGES(int, creat64, (const char *path, mode_t mode), (path, mode))
CHANGES(int, link, (const char *from, const char *to), (from, to))
CHANGES(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
CHANGES(int, rename, (const char *from, const char *to), (from, to))
CHANGES(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
CHANGES(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
CHANGES(int, unlink, (const char *path), (path))
CHANGES(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
CHANGES(int, rmdir, (const char *path), (path))
CHANGES(int, mkdir, (const char *path, mode_t mode), (path, mode))
CHANGES(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
CHANGES(int, truncate, (const char *path, off_t length), (path, length))
CHANGES(int, truncate64, (const char *path, off64_t length), (path, length))
CHANGES(int, ftruncate, (int fd, off_t length), (fd, length))
CHANGES(int, ftruncate64, (int fd, off64_t length), (fd, length))
CHANGES(int, fsync, (int fd), (fd))
CHANGES(int, fdatasync, (int fd), (fd))

#define WRITES(name, declared, passed)                              \
    ssize_t name declared {                                         \
        count_write(fd);                                            \
        return REAL(name) passed;                                   \
    }
WRITES(write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
WRITES(writev, (int fd, const struct iovec *parts, int size), (fd, parts, size))
WRITES(pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at))
WRITES(pwrite64, (int fd, const void *bytes, size_t size, off64_t at), (fd, bytes, size, at))
