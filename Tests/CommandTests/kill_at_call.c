// Kills a program in one of the calls by which it changes files below a folder. Compiled by KillAtCall.swift and loaded
// with LD_PRELOAD, because only from within can a write be stopped half way.
//
//   MUHAFIZ_KILL_BELOW  the folder
//   MUHAFIZ_KILL_AT     the number of the call, counted from 1; 0 for none
//   MUHAFIZ_KILL_WHEN   before, after, half: of a write, half of the bytes are written first
//   MUHAFIZ_KILL_LOG    a file that the names of all such calls are appended to
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *below, *when;
static long kill_at, calls;
static int log_file = -1;

__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("MUHAFIZ_KILL_AT"), *log = getenv("MUHAFIZ_KILL_LOG");
  below = getenv("MUHAFIZ_KILL_BELOW");
  when = getenv("MUHAFIZ_KILL_WHEN");
  if (!when) when = "before";
  kill_at = at ? atol(at) : 0;
  if (log) log_file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int is_below(const char *path) {
  return below && path && !strncmp(path, below, strlen(below)) && (path[strlen(below)] == '/' || !path[strlen(below)]);
}

static int is_file_below(int file) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return is_below(path);
}

// Counts a call that is about to be made. Returns whether it is the one, and dies if that is to be before it.
static int enter(const char *name) {
  long number = __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST);
  if (log_file >= 0) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s\n", name);
    syscall(SYS_write, log_file, line, length);
  }
  if (number != kill_at) return 0;
  if (!strcmp(when, "before")) die();
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define AROUND(type, concerns, name, call)   \
  int is_it = (concerns) ? enter(name) : 0;  \
  type result = call;                        \
  if (is_it) die();                          \
  return result

#define OPEN(symbol, path, ...)                                         \
  va_list rest;                                                         \
  va_start(rest, flags);                                                \
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;             \
  va_end(rest);                                                         \
  AROUND(int, flags & O_CREAT && is_below(path), "open", REAL(symbol)(__VA_ARGS__, flags, mode))

int open(const char *path, int flags, ...) { OPEN(open, path, path); }
int open64(const char *path, int flags, ...) { OPEN(open64, path, path); }
int openat(int at, const char *path, int flags, ...) { OPEN(openat, path, at, path); }
int openat64(int at, const char *path, int flags, ...) { OPEN(openat64, path, at, path); }

ssize_t write(int file, const void *bytes, size_t count) {
  int is_it = is_file_below(file) ? enter("write") : 0;
  ssize_t result = REAL(write)(file, bytes, is_it && !strcmp(when, "half") ? count / 2 : count);
  if (is_it) die();
  return result;
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  int is_it = is_file_below(file) ? enter("pwrite") : 0;
  ssize_t result = REAL(pwrite)(file, bytes, is_it && !strcmp(when, "half") ? count / 2 : count, offset);
  if (is_it) die();
  return result;
}

int ftruncate(int file, off_t size) { AROUND(int, is_file_below(file), "ftruncate", REAL(ftruncate)(file, size)); }
int fsync(int file) { AROUND(int, is_file_below(file), "fsync", REAL(fsync)(file)); }
int fdatasync(int file) { AROUND(int, is_file_below(file), "fdatasync", REAL(fdatasync)(file)); }
int rename(const char *from, const char *to) { AROUND(int, is_below(to), "rename", REAL(rename)(from, to)); }
int unlink(const char *path) { AROUND(int, is_below(path), "unlink", REAL(unlink)(path)); }
int mkdir(const char *path, mode_t mode) { AROUND(int, is_below(path), "mkdir", REAL(mkdir)(path, mode)); }
