// qpdf, by its interface for C, as Swift imports it. Linked by muhafiz-decoder alone.
#include <qpdf/qpdf-c.h>
