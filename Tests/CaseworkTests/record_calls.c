// Writes down, in order, what a program does to the files below a folder, and when it prints: from that it can be told
// what a power cut at any moment may leave. Loaded with LD_PRELOAD.
//
//   MUHAFIZ_RECORD_BELOW  the folder
//   MUHAFIZ_RECORD_LOG    a file that gets a record for each call:
//
//     OFFSET  SIZE  MEANING
//     0       1     'c' created, 'w' written, 's' synced, 't' length set, 'u' unlinked, 'd' folder synced,
//                   'p' what was printed has been handed over
//     1       4     bytes of the path below the folder
//     5       8     offset, or length for 't'
//     13      4     bytes that follow the path
//     17      …     path, bytes
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *below;
static int log_file = -1;
// From before a call until its record is written: the order of the log is that of the calls.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
  const char *log = getenv("MUHAFIZ_RECORD_LOG");
  below = getenv("MUHAFIZ_RECORD_BELOW");
  if (log) log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

// The part of the path behind the folder and its slash, or NULL.
static const char *part(const char *path) {
  size_t length = below ? strlen(below) : 0;
  return length && path && !strncmp(path, below, length) && path[length] == '/' ? path + length + 1 : NULL;
}

// The path of an open file, in `path`; NULL outside of the folder. The folder itself is empty.
static const char *file_part(int file, char path[PATH_MAX]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return NULL;
  path[length] = 0;
  return below && !strcmp(path, below) ? "" : part(path);
}

static void record(char kind, const char *path, int64_t offset, const void *bytes, uint32_t count) {
  uint32_t length = (uint32_t)strlen(path);
  uint8_t head[17];
  head[0] = (uint8_t)kind;
  memcpy(head + 1, &length, 4);
  memcpy(head + 5, &offset, 8);
  memcpy(head + 13, &count, 4);
  struct iovec parts[3] = {{head, 17}, {(void *)path, length}, {(void *)bytes, count}};
  if (log_file >= 0 && syscall(SYS_writev, log_file, parts, 3) != 17 + (long)length + count) abort();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(symbol, path, ...)                                          \
  va_list rest;                                                          \
  va_start(rest, flags);                                                 \
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;              \
  va_end(rest);                                                          \
  const char *name = flags & O_CREAT ? part(path) : NULL;                \
  pthread_mutex_lock(&lock);                                             \
  int is_new = name && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) < 0; \
  int result = REAL(symbol)(__VA_ARGS__, flags, mode);                   \
  if (is_new && result >= 0) record('c', name, 0, NULL, 0);              \
  pthread_mutex_unlock(&lock);                                           \
  return result

int open(const char *path, int flags, ...) { OPEN(open, path, path); }
int open64(const char *path, int flags, ...) { OPEN(open64, path, path); }

static ssize_t written(int file, const void *bytes, size_t count, off_t offset, ssize_t (*call)(int, const void *, size_t, off_t)) {
  char path[PATH_MAX];
  const char *name = file_part(file, path);
  pthread_mutex_lock(&lock);
  ssize_t result = call(file, bytes, count, offset);
  if (name && result > 0) record('w', name, offset, bytes, (uint32_t)result);
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  return written(file, bytes, count, offset, REAL(pwrite));
}
ssize_t pwrite64(int file, const void *bytes, size_t count, off_t offset) {
  return written(file, bytes, count, offset, REAL(pwrite64));
}

ssize_t write(int file, const void *bytes, size_t count) {
  char path[PATH_MAX];
  const char *name = file_part(file, path);
  pthread_mutex_lock(&lock);
  off_t offset = name ? lseek(file, 0, SEEK_CUR) : 0;
  ssize_t result = REAL(write)(file, bytes, count);
  if (name && result > 0) record('w', name, offset, bytes, (uint32_t)result);
  pthread_mutex_unlock(&lock);
  return result;
}

static int changed(char kind, int file, int64_t size, int result) {
  char path[PATH_MAX];
  struct stat status;
  const char *name = file_part(file, path);
  if (name && result == 0) {
    if (kind == 's' && !fstat(file, &status) && S_ISDIR(status.st_mode)) kind = 'd';
    record(kind, name, size, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int file) { return pthread_mutex_lock(&lock), changed('s', file, 0, REAL(fsync)(file)); }
int fdatasync(int file) { return pthread_mutex_lock(&lock), changed('s', file, 0, REAL(fdatasync)(file)); }
int ftruncate(int file, off_t size) {
  return pthread_mutex_lock(&lock), changed('t', file, size, REAL(ftruncate)(file, size));
}
int ftruncate64(int file, off_t size) {
  return pthread_mutex_lock(&lock), changed('t', file, size, REAL(ftruncate64)(file, size));
}

int fflush(FILE *stream) {
  int result = REAL(fflush)(stream);
  pthread_mutex_lock(&lock);
  if (result == 0) record('p', "", 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}

int unlink(const char *path) {
  pthread_mutex_lock(&lock);
  int result = REAL(unlink)(path);
  const char *name = part(path);
  if (name && result == 0) record('u', name, 0, NULL, 0);
  pthread_mutex_unlock(&lock);
  return result;
}
