// Pango and Cairo: text of any script, Urdu in Nastaliq among them, set on the pages of a PDF file.
#include <cairo-pdf.h>
#include <pango/pangocairo.h>
