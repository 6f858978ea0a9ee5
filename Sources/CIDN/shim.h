// libidn2: international domain names as ASCII, by UTS 46.
#include <idn2.h>
