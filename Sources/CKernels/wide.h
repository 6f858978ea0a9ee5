// Functions that are compiled for older and newer processors, of which the best fit is taken when the program is loaded.

#if defined(__x86_64__)
#define CK_WIDE __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define CK_WIDE
#endif
// What such functions are made of has to be in each of them.
#define CK_INLINE static inline __attribute__((always_inline))
