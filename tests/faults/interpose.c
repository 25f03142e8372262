/* Loaded before the C library: at the Nth operation that writes below a folder, the process is
 * killed, or the disk is full from then on. Operations are counted over all threads.
 *
 * FAULT_ROOT  the folder
 * FAULT_AT    N, from 1; 0 counts only
 * FAULT_MODE  kill, or full
 * FAULT_COUNT a file outside of the folder that gets the number of operations at the end
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long counted;

static int below(const char *path) {
  const char *root = getenv("FAULT_ROOT");
  return root && path && strncmp(path, root, strlen(root)) == 0;
}

static int file_below(int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return below(path);
}

/* A path relative to a folder that is open, as removal of trees uses them. */
static int entry_below(int folder, const char *path) {
  return path && path[0] == '/' ? below(path) : folder != AT_FDCWD && file_below(folder);
}

/* 1 if the operation has to fail; does not return where the process has to die. */
static int strike(int frees) {
  const char *text = getenv("FAULT_AT"), *mode = getenv("FAULT_MODE");
  long at = text ? atol(text) : 0;
  long now = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
  if (!at || now < at) return 0;
  if (mode && strcmp(mode, "kill") == 0) kill(getpid(), SIGKILL);
  if (frees) return 0; /* a full disk lets files be removed */
  errno = ENOSPC;
  return 1;
}

__attribute__((destructor)) static void tell(void) {
  const char *path = getenv("FAULT_COUNT");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (file) {
    fprintf(file, "%ld\n", counted);
    fclose(file);
  }
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                              \
  int name(const char *path, int flags, ...) {                  \
    REAL(name);                                                 \
    va_list rest;                                               \
    va_start(rest, flags);                                      \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;   \
    va_end(rest);                                               \
    if (flags & O_CREAT && below(path) && strike(0)) return -1; \
    return real(path, flags, mode);                             \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                            \
  int name(int folder, const char *path, int flags, ...) {                      \
    REAL(name);                                                                 \
    va_list rest;                                                               \
    va_start(rest, flags);                                                      \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                   \
    va_end(rest);                                                               \
    if (flags & O_CREAT && entry_below(folder, path) && strike(0)) return -1;   \
    return real(folder, path, flags, mode);                                     \
  }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                                      \
  FILE *name(const char *path, const char *mode) {                                       \
    REAL(name);                                                                          \
    if (mode && strpbrk(mode, "wa+") && below(path) && strike(0)) return NULL;           \
    return real(path, mode);                                                             \
  }
FOPEN(fopen)
FOPEN(fopen64)

ssize_t write(int file, const void *data, size_t size) {
  REAL(write);
  if (size && file > 2 && file_below(file) && strike(0)) return -1;
  return real(file, data, size);
}

#define PWRITE(name, offset_type)                                              \
  ssize_t name(int file, const void *data, size_t size, offset_type offset) {  \
    REAL(name);                                                                \
    if (size && file_below(file) && strike(0)) return -1;                      \
    return real(file, data, size, offset);                                     \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(writev);
  if (file > 2 && file_below(file) && strike(0)) return -1;
  return real(file, parts, count);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  if (below(to) && strike(0)) return -1;
  return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  if (below(path) && strike(0)) return -1;
  return real(path, mode);
}

int unlink(const char *path) {
  REAL(unlink);
  if (below(path)) strike(1);
  return real(path);
}

int unlinkat(int folder, const char *path, int flags) {
  REAL(unlinkat);
  if (entry_below(folder, path)) strike(1);
  return real(folder, path, flags);
}

int rmdir(const char *path) {
  REAL(rmdir);
  if (below(path)) strike(1);
  return real(path);
}

int fsync(int file) {
  REAL(fsync);
  if (file_below(file) && strike(0)) return -1;
  return real(file);
}
