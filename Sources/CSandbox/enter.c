#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int sandbox_follow(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -1;
  return getppid() == parent ? 0 : -1;  // it may have died before the call
}

static int set_limit(__rlimit_resource_t resource, rlim_t value) {
  const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
  return setrlimit(resource, &limit);
}

// Far more than all contents of a worker's life take: the parent watches the clock for each of them, and this is for the
// worker whose parent is stopped.
#define MOST_PROCESSOR_SECONDS 3600

static int set_limits(uint64_t memory) {
  if (set_limit(RLIMIT_CPU, MOST_PROCESSOR_SECONDS)) return -1;
  if (set_limit(RLIMIT_CORE, 0) || set_limit(RLIMIT_FSIZE, 0) || set_limit(RLIMIT_NPROC, 0)) return -1;
  if (set_limit(RLIMIT_MEMLOCK, 0) || set_limit(RLIMIT_NOFILE, SANDBOX_SOCKET + 1)) return -1;
  return set_limit(RLIMIT_AS, memory);
}

// The pictures in memory must not reach a core dump: RLIMIT_CORE does not hold where the kernel pipes it to a program.
static int drop_privileges(void) {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -1;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  const struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  return (int)syscall(SYS_capset, &header, none);
}

// linux/landlock.h as of ABI 6; the header on Debian 12 ends at ABI 2.
struct ruleset {
  uint64_t handled_access_fs, handled_access_net, scoped;
};

// Denies every right that this kernel's Landlock knows, with no exception. Returns the ABI, 0 when there is none.
static int deny_files_and_network(void) {
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* LANDLOCK_CREATE_RULESET_VERSION */);
  if (abi < 1) return 0;
  static const int file_rights[] = {0, 13, 14, 15, 15, 16};  // by ABI; each is one bit from 0 on
  struct ruleset rules = {.handled_access_fs = (1ull << file_rights[abi < 5 ? abi : 5]) - 1};
  size_t size = sizeof rules.handled_access_fs;
  if (abi >= 4) {
    rules.handled_access_net = 3;  // bind and connect
    size += sizeof rules.handled_access_net;
  }
  if (abi >= 6) {
    rules.scoped = 3;  // abstract sockets and signals
    size += sizeof rules.scoped;
  }
  int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
  if (ruleset < 0) return 0;
  long error = syscall(SYS_landlock_restrict_self, ruleset, 0);
  close(ruleset);
  return error == 0 ? (int)abi : 0;
}

// A namespace without interfaces, where the kernel lets us: as root, or within a namespace of users.
static int leave_network(void) {
  return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

typedef struct {
  int call;
  unsigned count;  // of conditions
  struct scmp_arg_cmp conditions[1];
} permission;

// Returns how many system calls the filter allows, or -1.
static int filter_system_calls(void) {
  const scmp_datum_t own = (scmp_datum_t)getpid();
  const permission permissions[] = {
    // Talking to the parent. There is one socket, and nothing else to read from.
    {SCMP_SYS(recvfrom), 1, {SCMP_A0(SCMP_CMP_EQ, SANDBOX_SOCKET, 0)}},
    {SCMP_SYS(sendto), 1, {SCMP_A0(SCMP_CMP_EQ, SANDBOX_SOCKET, 0)}},
    // Memory; never executable.
    {SCMP_SYS(brk), 0, {{0}}},
    {SCMP_SYS(mmap), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
    {SCMP_SYS(mprotect), 1, {SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
    {SCMP_SYS(munmap), 0, {{0}}},
    {SCMP_SYS(mremap), 0, {{0}}},
    {SCMP_SYS(madvise), 0, {{0}}},
    // Locks within the C library and the codecs' tables.
    {SCMP_SYS(futex), 0, {{0}}},
    {SCMP_SYS(sched_yield), 0, {{0}}},
    {SCMP_SYS(getrandom), 0, {{0}}},
    {SCMP_SYS(clock_gettime), 0, {{0}}},
    // Dying: last words go to /dev/null, abort() signals this process and no other.
    {SCMP_SYS(write), 1, {SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0)}},
    {SCMP_SYS(writev), 1, {SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0)}},
    {SCMP_SYS(getpid), 0, {{0}}},
    {SCMP_SYS(gettid), 0, {{0}}},
    {SCMP_SYS(tgkill), 1, {SCMP_A0(SCMP_CMP_EQ, own, 0)}},
    {SCMP_SYS(rt_sigprocmask), 0, {{0}}},
    {SCMP_SYS(rt_sigreturn), 0, {{0}}},
    {SCMP_SYS(restart_syscall), 0, {{0}}},
    {SCMP_SYS(exit), 0, {{0}}},
    {SCMP_SYS(exit_group), 0, {{0}}},
  };
  const int count = sizeof permissions / sizeof permissions[0];
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (!filter) return -1;
  int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
  for (int i = 0; i < count && error == 0; i++) {
    const permission *p = &permissions[i];
    error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, p->call, p->count, p->conditions);
  }
  if (error == 0) error = seccomp_load(filter);
  seccomp_release(filter);
  return error == 0 ? count : -1;
}

int sandbox_enter(uint64_t memory, sandbox_report *report) {
  *report = (sandbox_report){0};
  report->own_network = leave_network();
  if (drop_privileges() != 0) return -1;
  report->landlock_abi = deny_files_and_network();
  if (set_limits(memory) != 0) return -1;
  report->system_calls = filter_system_calls();
  report->seccomp = report->system_calls > 0;
  return report->seccomp ? 0 : -1;
}
