#pragma once
// Calls of the HDF5 library, with their failures as sentences. Internal to data/hdf5/hdf5_*.cpp, which
// hold hdf5::lock() while they call.

#include <hdf5.h>

#include <string>

#include "data/hdf5/hdf5_file.h"
#include "kernels/core/check.h"

namespace nystrom::hdf5 {

/// HDF5's innermost error message, the one nearest to the cause. Clears HDF5's error stack.
std::string reason();

/// The result of a call; negative: an Error "HDF5 cannot WHAT `NAME` of FILE: reason.".
template <class Result>
Result checked(Result result, const char* what, const std::string& file, const std::string& name = {}) {
  if (result < 0) {
    const std::string why = reason();
    if (name.empty()) fail("HDF5 cannot {} {}: {}.", what, file, why);
    fail("HDF5 cannot {} `{}` of {}: {}.", what, name, file, why);
  }
  return result;
}

/// A handle that such a call made.
Identifier owned(hid_t id, herr_t (*close)(hid_t), const char* what, const std::string& file,
                 const std::string& name = {});

/// The type in memory.
hid_t native(Type type);

/// UTF-8 of a fixed number of bytes, filled up with zeros.
Identifier string_type(std::size_t bytes, const std::string& file, const std::string& name);

/// Walks the whole file and refuses, naming file and object, what File::open promises to refuse. Returns the
/// full names of its datasets.
std::vector<std::string> check_contents(hid_t file, const std::string& path, Filters allowed);

/// A new dataset without time stamps; `type` is the one on the disk.
Identifier create_object(hid_t file, const std::string& path, const std::string& name, hid_t type,
                         const Shape& shape, const Layout& layout);

}  // namespace nystrom::hdf5
