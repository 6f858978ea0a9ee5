// libarchive, libtsk, libewf and libudfread, as Swift imports them. Linked by muhafiz-decoder alone.
#include <archive.h>
#include <archive_entry.h>

// libewf reads through handles of libbfio, which read through us.
#define LIBEWF_HAVE_BFIO 1
#include <libbfio.h>
#include <libewf.h>
#include <tsk/libtsk.h>
#include <udfread/blockinput.h>
#include <udfread/udfread.h>
