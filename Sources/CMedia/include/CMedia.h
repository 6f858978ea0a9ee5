#ifndef CMEDIA_H
#define CMEDIA_H
#include <stddef.h>
#endif
