#ifndef CSANDBOX_H
#define CSANDBOX_H
#include <stddef.h>
#endif
