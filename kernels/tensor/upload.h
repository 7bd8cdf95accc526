#pragma once
// Upload of batches from the host to the device of ops, overlapped with computation.
//
//   Upload upload = ...;
//   std::byte* block = upload->begin();       // host memory, to be filled
//   std::byte* there = upload->commit();      // where ops asked for from now on find what was filled in
//
// On a GPU there are two blocks of device memory in turns: a copy from pinned memory runs on a stream of its
// own while ops still compute with the block before; ops wait for the copy, the copy for the ops that used
// its block, the host for neither (but for a copy of two uploads ago).

#include <cstddef>
#include <memory>

#include "kernels/tensor/context.h"

namespace nystrom {

class Upload {
 public:
  virtual ~Upload() = default;
  virtual std::byte* begin() = 0;
  virtual std::byte* commit() = 0;
};

/// Blocks of `bytes`, for ops of this context.
[[nodiscard]] std::unique_ptr<Upload> make_upload(const Context& context, std::size_t bytes);

}  // namespace nystrom
