#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int limit(int resource, rlim_t value) {
  struct rlimit both = {value, value};
  return setrlimit(resource, &both) == 0 ? 0 : errno;
}

/// No access to any file below any folder. Returns the version in force, 0 where the kernel has no Landlock.
static uint32_t forbid_files(void) {
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return 0;
  // The rights of version 1; what later versions add is out of reach behind the filter anyway.
  struct landlock_ruleset_attr attributes = {.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
  int rules = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
  if (rules < 0) return 0;
  long status = syscall(SYS_landlock_restrict_self, rules, 0);
  close(rules);
  return status == 0 ? (uint32_t)abi : 0;
}

/// What decoding pictures from memory to memory takes. Anything else ends the process.
static const int allowed[] = {
    SCMP_SYS(recvfrom), SCMP_SYS(sendto),                                             // requests and replies
    SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),             // memory
    SCMP_SYS(futex), SCMP_SYS(sched_yield),                                           // locks
    SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(alarm),                // the time limit
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),             // clocks and hash seeds
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(restart_syscall),
};

static int filter_system_calls(cs_report *report) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
  if (!filter) return ENOMEM;
  int error = 0;
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed && !error; i++) {
    error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, allowed[i], 0, NULL);
    report->system_calls++;
  }
  // Memory, but none that can be executed.
  const int mapping[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
  const struct scmp_arg_cmp not_executable = {.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
  for (size_t i = 0; i < 2 && !error; i++) {
    error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, mapping[i], 1, &not_executable);
    report->system_calls++;
  }
  if (!error) error = seccomp_load(filter);
  seccomp_release(filter);
  report->seccomp = error == 0;
  return error < 0 ? -error : error;
}

int cs_enter(uint64_t memory, cs_report *report) {
  *report = (cs_report){0};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
  // Not dumpable: no core file, and no other process of this user may look inside.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return errno;
  int error = limit(RLIMIT_AS, memory);
  if (!error) error = limit(RLIMIT_FSIZE, 0);
  if (!error) error = limit(RLIMIT_CORE, 0);
  if (!error) error = limit(RLIMIT_NPROC, 0);
  if (error) return error;
  report->landlock_abi = forbid_files();
  error = limit(RLIMIT_NOFILE, 0);
  return error ? error : filter_system_calls(report);
}
