#pragma once
// The project's own fp32 matrix products: packed panels, a register tile, dynamic chunks.

#include "kernels/tensor/context.h"

namespace nystrom {

/// A matrix in memory: element (i, j) at data[i * row + j * column]; one of the strides is 1.
struct StridedMatrix {
  const float* data = nullptr;
  std::int64_t row = 0, column = 1;
};

/// c [m, n], its rows c_row apart, = a [m, k] b [k, n] (+ bias [n], where not null) (+ c, where
/// `accumulate`). k > 0. c overlaps nothing else.
struct ProductFp32 {
  std::int64_t m = 0, n = 0, k = 0;
  StridedMatrix a, b;
  const float* bias = nullptr;
  float* c = nullptr;
  std::int64_t c_row = 0;
  bool accumulate = false;
};

/// An element of c is summed over blocks of k of a fixed length, each a chain of multiply-adds in order, and
/// the blocks in order: its bits depend on its row of a, its column of b, and k, and on neither the other
/// rows and columns, nor where it is, nor the number of threads (but on the instruction set). Uses the
/// context's workspace.
void product_fp32(Context& context, const ProductFp32& args);

}  // namespace nystrom
