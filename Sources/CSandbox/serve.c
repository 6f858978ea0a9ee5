#define _GNU_SOURCE
#include "CSandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DESCRIPTORS 3

typedef union {
  struct cmsghdr header;
  char room[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
} attachment;

static int wait_for_answer(int socket, int milliseconds) {
  struct pollfd watched = {.fd = socket, .events = POLLIN};
  int ready;
  do ready = poll(&watched, 1, milliseconds);
  while (ready < 0 && errno == EINTR);
  return ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno;
}

int sandbox_ask(
  int socket, const sandbox_call *call, const int *descriptors, int milliseconds, sandbox_answer *answer
) {
  struct iovec bytes = {.iov_base = (void *)call, .iov_len = sizeof *call};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  attachment attached;
  if (descriptors) {
    message.msg_control = &attached;
    message.msg_controllen = sizeof attached.room;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(DESCRIPTORS * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, DESCRIPTORS * sizeof(int));
  }
  ssize_t count;
  do count = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (count < 0 && errno == EINTR);
  if (count < 0) return errno;
  int error = wait_for_answer(socket, milliseconds);
  if (error) return error;
  do count = recv(socket, answer, sizeof *answer, 0);
  while (count < 0 && errno == EINTR);
  return count == sizeof *answer ? 0 : count < 0 ? errno : EPIPE;
}

// Returns 0 when the parent hung up, or said what makes no sense.
static int hear(sandbox_call *call, int descriptors[DESCRIPTORS]) {
  struct iovec bytes = {.iov_base = call, .iov_len = sizeof *call};
  attachment attached;
  struct msghdr message = {
    .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &attached, .msg_controllen = sizeof attached.room};
  ssize_t count;
  do count = recvmsg(SANDBOX_SOCKET, &message, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  if (count != sizeof *call || message.msg_flags & MSG_CTRUNC) return 0;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (call->what == SANDBOX_END) return header == NULL;
  if (call->what != SANDBOX_START || !header || header->cmsg_type != SCM_RIGHTS
    || header->cmsg_len != CMSG_LEN(DESCRIPTORS * sizeof(int))) return 0;
  memcpy(descriptors, CMSG_DATA(header), DESCRIPTORS * sizeof(int));
  return 1;
}

static void become_worker(const int descriptors[DESCRIPTORS], pid_t server) {
  if (setsid() < 0 || sandbox_follow(server) != 0) _exit(2);
  // Copies above every fixed place, so that no dup2 overwrites what a later one needs.
  int above[DESCRIPTORS];
  for (int i = 0; i < DESCRIPTORS; i++) {
    above[i] = fcntl(descriptors[i], F_DUPFD, SANDBOX_OUTPUT + 1);
    if (above[i] < 0) _exit(2);
  }
  for (int i = 0; i < DESCRIPTORS; i++) {
    if (dup2(above[i], SANDBOX_SOCKET + i) < 0) _exit(2);
  }
  if (close_range(SANDBOX_OUTPUT + 1, ~0u, 0) != 0) _exit(2);
}

// Never waits: others are served meanwhile.
static sandbox_answer end(const sandbox_call *call) {
  if (call->process <= 0) return (sandbox_answer){.error = EINVAL};
  int status = 0;
  pid_t waited = waitpid(call->process, &status, WNOHANG);
  if (waited < 0) return (sandbox_answer){.error = errno};  // it is no worker of ours, and not to be killed
  if (waited == call->process) return (sandbox_answer){.value = status};
  if (call->is_killed) kill(call->process, SIGKILL);
  return (sandbox_answer){.error = EAGAIN};
}

void sandbox_serve(sandbox_call *call) {
  const pid_t server = getpid();
  for (;;) {
    int descriptors[DESCRIPTORS] = {-1, -1, -1};
    if (!hear(call, descriptors)) _exit(0);
    sandbox_answer answer;
    if (call->what == SANDBOX_START) {
      pid_t worker = fork();
      if (worker == 0) return become_worker(descriptors, server);
      answer = (sandbox_answer){.error = worker < 0 ? errno : 0, .value = worker};
      for (int i = 0; i < DESCRIPTORS; i++) close(descriptors[i]);
    } else {
      answer = end(call);
    }
    ssize_t count;
    do count = send(SANDBOX_SOCKET, &answer, sizeof answer, MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    if (count < 0) _exit(0);
  }
}
