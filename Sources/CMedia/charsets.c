#include <errno.h>
#include <iconv.h>

// The C library loads a module from a file for each character set that somebody names: FFmpeg does for the programs of a
// transport stream, and the sandbox ends a worker that opens a file. Names are of no use here. This definition stands
// before the library's, because the program comes first.
iconv_t iconv_open(const char *to, const char *from) {
  (void)to, (void)from;
  errno = EINVAL;
  return (iconv_t)-1;
}
