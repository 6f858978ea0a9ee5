// libarchive, as Swift imports it. Linked by muhafiz-decoder alone.
#include <archive.h>
#include <archive_entry.h>
