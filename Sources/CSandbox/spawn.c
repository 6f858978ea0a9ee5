#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int sandbox_make_memory(size_t size) {
  int descriptor = memfd_create("muhafiz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -1;
  if (ftruncate(descriptor, (off_t)size) == 0
    && fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) return descriptor;
  int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

int sandbox_release_memory(int descriptor, size_t from, size_t to) {
  return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from));
}

int sandbox_make_sockets(int pair[2]) { return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair); }

typedef struct {
  const char *path;
  char *const *arguments;
  int socket;
  pid_t process;
  int error;
  int done;
} job;

static int add_actions(posix_spawn_file_actions_t *actions, int socket) {
  int error = 0;
  for (int fd = 0; fd < 3 && !error; fd++) {
    error = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
  }
  if (!error) error = posix_spawn_file_actions_adddup2(actions, socket, SANDBOX_SOCKET);
  if (!error) error = posix_spawn_file_actions_addclosefrom_np(actions, SANDBOX_SOCKET + 1);
  if (!error) error = posix_spawn_file_actions_addchdir_np(actions, "/");
  return error;
}

static int set_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  int error = posix_spawnattr_setsigmask(attributes, &none);
  if (!error) error = posix_spawnattr_setsigdefault(attributes, &all);
  // A session of its own: Ctrl-C on the terminal is for the parent to handle.
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID;
  return error ? error : posix_spawnattr_setflags(attributes, flags);
}

static int spawn(job *j) {
  static char *const environment[] = {"SWIFT_BACKTRACE=enable=no", NULL};
  // A copy above its place: duplicated to itself it would close on exec.
  int above = fcntl(j->socket, F_DUPFD_CLOEXEC, SANDBOX_SOCKET + 1), error = above < 0 ? errno : 0;
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  if (!error) error = add_actions(&actions, above);
  if (!error) error = set_attributes(&attributes);
  if (!error) error = posix_spawn(&j->process, j->path, &actions, &attributes, j->arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (above >= 0) close(above);
  return error;
}

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;  // one caller at a time
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;  // guards `pending` and what it points to
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static job *pending;

static void *spawn_forever(void *unused) {
  pthread_mutex_lock(&lock);
  for (;;) {
    while (!pending) pthread_cond_wait(&changed, &lock);
    pending->error = spawn(pending);
    pending->done = 1;
    pending = NULL;
    pthread_cond_broadcast(&changed);
  }
  return unused;
}

static int start_thread(void) {
  static int is_running = 0;  // guarded by `turn`
  if (is_running) return 0;
  // Signals are for the program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int error = pthread_create(&thread, NULL, spawn_forever, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error) return error;
  pthread_detach(thread);
  is_running = 1;
  return 0;
}

int sandbox_spawn(const char *path, char *const arguments[], int socket, pid_t *process) {
  job j = {.path = path, .arguments = arguments, .socket = socket};
  pthread_mutex_lock(&turn);
  int error = start_thread();
  if (!error) {
    pthread_mutex_lock(&lock);
    pending = &j;
    pthread_cond_broadcast(&changed);
    while (!j.done) pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    error = j.error;
    *process = j.process;
  }
  pthread_mutex_unlock(&turn);
  return error;
}
