#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// Each tries one thing that a parser of hostile bytes could want, harmlessly. Returns 0 when it worked.

static int open_file(void) { return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : errno; }

static int write_file(void) {
  int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
  return file >= 0 && write(file, "x", 1) == 1 ? 0 : errno;
}

static int connect_out(void) {
  int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (one < 0) return errno;
  // Port 9 of this machine, where hardly anything listens: a refusal too comes over the network.
  const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  return connect(one, (const struct sockaddr *)&address, sizeof address) == 0 || errno == ECONNREFUSED ? 0 : errno;
}

static int fork_process(void) {
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) _exit(0);
  return waitpid(child, NULL, 0) == child ? 0 : errno;
}

static int trace(void) { return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 ? 0 : errno; }

static int execute(void) {
  char *const arguments[] = {"true", NULL}, *const environment[] = {NULL};
  execve("/bin/true", arguments, environment);
  return errno;
}

static pid_t tester;

static int signal_tester(void) { return kill(tester, 0) == 0 ? 0 : errno; }

static int map_code(void) {
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page != MAP_FAILED ? 0 : errno;
}

static const struct {
  const char *name;
  int (*attempt)(void);
} escapes[] = {
  {"open", open_file}, {"write", write_file}, {"connect", connect_out}, {"fork", fork_process},
  {"ptrace", trace}, {"exec", execute}, {"kill", signal_tester}, {"map code", map_code},
};

const char *sandbox_escape_name(int escape) {
  return escape >= 0 && escape < SANDBOX_ESCAPES ? escapes[escape].name : "";
}

// Waits for a child that tries something. Returns its exit status, -1 when it has none.
static int outcome(pid_t child, int *status) {
  if (waitpid(child, status, 0) != child || !WIFEXITED(*status)) return -1;
  return WEXITSTATUS(*status);
}

// Which of the asked escapes work outside the sandbox. They are tried in one child, for a fork of all that is loaded here
// takes milliseconds; each in its own where a stricter sandbox around us kills that one.
static uint32_t find_possible(uint32_t asked) {
  pid_t child = fork();
  if (child == 0) {
    uint32_t possible = 0;
    for (int escape = 0; escape < SANDBOX_ESCAPES; escape++) {
      if (asked >> escape & 1 && escapes[escape].attempt() == 0) possible |= 1u << escape;
    }
    _exit((int)possible);
  }
  int status = 0, possible = child < 0 ? 0 : outcome(child, &status);
  if (possible >= 0) return (uint32_t)possible;
  uint32_t each = 0;
  for (uint32_t bit = 1; bit < 1u << SANDBOX_ESCAPES && asked != bit; bit <<= 1) {
    if (asked & bit) each |= find_possible(bit);
  }
  return each;
}

// Whether another program can be started outside the sandbox: it ends with 0.
static int can_execute(void) {
  pid_t child = fork();
  if (child == 0) _exit(execute() == 0 ? 0 : 1);
  int status = 0;
  return child > 0 && outcome(child, &status) == 0;
}

// Whether an escape is refused in a child that is locked in.
static int is_refused(int escape, uint64_t memory) {
  pid_t child = fork();
  if (child < 0) return 0;
  if (child == 0) {
    sandbox_report report;
    if (sandbox_enter(memory, &report) != 0) _exit(2);
    _exit(escapes[escape].attempt() == 0 ? 0 : 1);
  }
  int status = 0, exited = outcome(child, &status);
  return exited == 1 || (exited < 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
}

void sandbox_try_escapes(uint64_t memory, uint32_t *possible, uint32_t *refused) {
  _Static_assert(sizeof escapes / sizeof escapes[0] == SANDBOX_ESCAPES, "an escape has no name");
  _Static_assert(SANDBOX_ESCAPES <= 8, "they are told by the bits of an exit status");
  tester = getpid();
  *possible = *refused = 0;
  uint32_t asked = 0;
  for (int escape = 0; escape < SANDBOX_ESCAPES; escape++) {
    if (escapes[escape].attempt != execute) {
      asked |= 1u << escape;
    } else if (can_execute()) {
      *possible |= 1u << escape;
    }
    if (is_refused(escape, memory)) *refused |= 1u << escape;
  }
  *possible |= find_possible(asked);
}
