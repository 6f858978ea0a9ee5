// libxml2's parser of XML, as Swift imports it. Linked by muhafiz-decoder alone.
//
// Its headers bring in those of the machine's ICU, which clash with the ones in Swift's Foundation; nothing used here
// depends on them.
#include <libxml/xmlversion.h>
#undef LIBXML_ICU_ENABLED
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
