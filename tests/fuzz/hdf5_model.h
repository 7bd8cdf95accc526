#pragma once
// HDF5 files as values that can be spoilt: structure-aware mutation. HDF5 itself always finds a proper file;
// what is in it is wild.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "data/hdf5/hdf5_file.h"
#include "fuzz_target.h"

namespace nystrom::fuzz {

struct Attribute {
  std::string object, name;
  std::variant<std::int64_t, double, std::string> value;
  bool absent = false;
};

struct Array {
  std::string name;
  hdf5::Type type = hdf5::Type::kI32;
  hdf5::Shape shape;
  std::vector<std::int64_t> values;  ///< row-major; too few: zeros
  bool chunked = false;
  std::uint64_t claimed_rows = 0;  ///< of a chunked one: more rows than are stored; 0: as many
  bool absent = false;
};

struct Strings {
  std::string name;
  std::vector<std::string> values;
  bool absent = false;
};

struct FileModel {
  std::uint64_t user_block = 0;
  std::vector<std::string> groups;
  std::vector<Array> arrays;
  std::vector<Strings> strings;
  std::vector<Attribute> attributes;

  /// Writes the file; a `path` that exists is replaced.
  void write(const std::string& path) const;
  /// Spoils something for every few bytes.
  void mutate(Bytes& bytes);
};

}  // namespace nystrom::fuzz
