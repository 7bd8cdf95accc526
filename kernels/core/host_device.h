#pragma once
// NYSTROM_HD marks the few functions that kernels of a GPU call too.

#ifdef __CUDACC__
#define NYSTROM_HD __host__ __device__
#else
#define NYSTROM_HD
#endif
