#define _GNU_SOURCE
#include <fcntl.h>

#include "CKernels.h"

int ck_begin_writeback(int file, long long offset, long long count) {
  return sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE);
}
