// Starting a worker process, and locking it in.
//
// Workers are forked from a server, which has loaded every library: two hundred of them take a tenth of a second. The server
// reads no byte of a content; it is told to fork and to wait, and a worker locks itself in before it reads any.
//
// C because the calls need _GNU_SOURCE (posix_spawn_file_actions_addclosefrom_np, memfd_create, fallocate), because
// Landlock has no library and is called by number, because prctl and syscall are variadic, and because fork and the macros
// for passing descriptors are kept from Swift.
#ifndef CSANDBOX_H
#define CSANDBOX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// Where a worker finds what it inherits. 0, 1 and 2 are /dev/null; there is nothing above.
enum {
  SANDBOX_SOCKET = 3,
  SANDBOX_INPUT = 4,
  SANDBOX_OUTPUT = 5,
};

/// What a worker did to itself, as it says in its hello.
typedef struct {
  int seccomp;          ///< 1: the filter is installed
  int landlock_abi;     ///< 0: this kernel has no Landlock, or it is off
  int system_calls;     ///< how many the filter allows
  int own_network;      ///< 1: in a network namespace without any interface
} sandbox_report;

// In the parent.

/// Memory of `size` bytes to be shared with a worker: sparse, and sealed so that its size never changes.
/// A reader can therefore not be killed by SIGBUS through a file that somebody cut.
/// Returns a descriptor that closes on exec, or -1 with errno.
int sandbox_make_memory(size_t size);

/// Gives back the pages of shared memory from `from` to `to`; they read as zeros from then on.
/// Returns 0, or -1 with errno.
int sandbox_release_memory(int descriptor, size_t from, size_t to);

/// A connected pair of packet sockets that close on exec. Returns 0, or -1 with errno.
int sandbox_make_sockets(int pair[2]);

/// Starts a program with a socket at its place above, in a session of its own, in /, with no environment but Swift's crash
/// handler turned off. All are started by one thread that never ends, since the kernel counts the end of the *thread* that
/// started a process as its parent's death (prctl(2), PR_SET_PDEATHSIG).
/// - path: NUL-terminated; arguments: NULL-terminated, the first is the program's name.
/// Returns 0 and the process, or an errno.
int sandbox_spawn(const char *path, char *const arguments[], int socket, pid_t *process);

enum {
  SANDBOX_START = 1,  ///< fork a worker
  SANDBOX_END = 2,    ///< how a worker has ended; EAGAIN while it has not
};

/// What the server that workers are forked from is asked for.
typedef struct {
  uint32_t what;
  uint32_t mode;     ///< of a worker that is to start: the program's own affair
  uint64_t memory;   ///< of one that is to start: bytes of address space
  int32_t process;   ///< the worker that is to end
  int32_t is_killed; ///< 1: it is killed if it runs
} sandbox_call;

typedef struct {
  int32_t error;  ///< 0, or an errno
  int32_t value;  ///< the worker that was started; or how it ended, as wait(2) has it
} sandbox_answer;

/// Asks the server at the other end of a socket and waits for its answer, at most `milliseconds`.
/// - descriptors: for a start, the worker's socket, input and output; else NULL.
/// Returns 0 and the answer, or an errno when there is none.
int sandbox_ask(
  int socket, const sandbox_call *call, const int *descriptors, int milliseconds, sandbox_answer *answer);

// In the server, which has one thread.

/// Does what the parent asks at SANDBOX_SOCKET until that hangs up. Returns in each worker, with the call that started it;
/// its descriptors are at their places, and it dies with the server.
void sandbox_serve(sandbox_call *call);

// In the server and in workers.

/// Dies with the parent from now on. Returns 0, or -1 when `parent` is gone already.
int sandbox_follow(pid_t parent);

/// Locks this process in for good: no privileges, no files, no network, no further processes, no core dump, at most
/// `memory` bytes of address space, and only the system calls that decoding needs; any other kills it.
/// Whatever is still to be loaded or mapped from files must be there before.
/// Returns 0, or -1 when the limits or the filter could not be put in force: the caller must end then.
int sandbox_enter(uint64_t memory, sandbox_report *report);

// In a process that is started for nothing else.

/// How many ways out are tried.
#define SANDBOX_ESCAPES 8

/// "open", "fork"…; empty for a number that is none.
const char *sandbox_escape_name(int escape);

/// Tries each way out in a child that is free, and in one of its own that is locked in as a worker is. A bit of `possible`
/// says that it worked in the first, so that the second proves something; a bit of `refused` that the second was stopped:
/// killed by the filter, or told no.
void sandbox_try_escapes(uint64_t memory, uint32_t *possible, uint32_t *refused);

#endif
