#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <spawn.h>
#include <sys/mman.h>
#include <unistd.h>

int cs_spawn(const char *program, int socket, int input, int output, pid_t *pid) {
  const int given[3] = {socket, input, output};
  int moved[3] = {-1, -1, -1};
  posix_spawn_file_actions_t actions;
  int error = posix_spawn_file_actions_init(&actions);
  if (error) return error;
  for (int i = 0; i < 3 && !error; i++) {
    // Out of the way first: a given descriptor may be one of the numbers that another is to have.
    moved[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 64);
    error = moved[i] < 0 ? errno : posix_spawn_file_actions_adddup2(&actions, moved[i], CS_SOCKET + i);
  }
  for (int stream = 0; stream < 3 && !error; stream++) {
    error = posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_RDWR, 0);
  }
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(&actions, CS_OUTPUT + 1);
  // Swift's crash handler would run inside the sandbox and hide the signal that really ended the worker.
  char *const environment[] = {"SWIFT_BACKTRACE=enable=no", NULL};
  char *const arguments[] = {(char *)program, NULL};
  if (!error) error = posix_spawn(pid, program, &actions, NULL, arguments, environment);
  for (int i = 0; i < 3; i++) {
    if (moved[i] >= 0) close(moved[i]);
  }
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

int cs_memory_file(const char *name, uint64_t size) {
  int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -1;
  if (ftruncate(descriptor, (off_t)size) != 0 || fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
  }
  return descriptor;
}

int cs_release_memory(int descriptor, uint64_t size) {
  return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size) == 0 ? 0 : errno;
}
