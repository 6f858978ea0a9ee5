#ifndef CSANDBOX_H
#define CSANDBOX_H

#include <stdint.h>
#include <sys/types.h>

// C, because Swift cannot call variadic functions (syscall, prctl) and its Glibc module lacks the GNU extensions that
// spawning with closed descriptors, sealed memory files and Landlock need.

/// Descriptors that a worker finds open, and no others.
enum { CS_SOCKET = 3, CS_INPUT = 4, CS_OUTPUT = 5 };

/// Starts `program` with only the three descriptors above, standard streams on /dev/null and a nearly empty environment.
/// Returns 0 and the process in `pid`, or an errno. Keeps no pointer.
int cs_spawn(const char *program, int socket, int input, int output, pid_t *pid);

/// Makes a memory file of `size` bytes that nobody can make shorter, not even who gets its descriptor.
/// Returns a descriptor that is closed on exec, or -1 with errno.
int cs_memory_file(const char *name, uint64_t size);

/// Gives the memory of a memory file's contents back to the system; they read as zeros then. Returns 0 or an errno.
int cs_release_memory(int descriptor, uint64_t size);

/// What cs_enter put in force.
typedef struct {
  uint32_t seccomp;          ///< 1 when the filter is on.
  uint32_t system_calls;     ///< How many system calls the filter lets through.
  uint32_t landlock_abi;     ///< Landlock version in force, 0 where the kernel has none.
} cs_report;

/// Shuts the calling process in: no new privileges, resource limits, no file-system access by Landlock, and a seccomp filter
/// that kills on anything outside a short list. Call it before any thread is started; there is no way out.
/// memory: bytes of address space. Returns 0, or an errno when something that must hold could not be put in force.
int cs_enter(uint64_t memory, cs_report *report);

#endif
