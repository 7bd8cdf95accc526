#pragma once
// HDF5 files without HDF5's headers. Every failure is an Error whose sentence names the file, the dataset and
// HDF5's own innermost reason; a corrupt file cannot cause a crash by a wrong shape or type.
//
//   auto file = hdf5::File::create(path);
//   auto ids = file.create_dataset("ids", hdf5::Type::kU16, {0}, {.chunk = {16384}, .extendible = true});
//   ids.append<std::int32_t>(values);             // converted; a value that does not fit is clamped by HDF5
//   file.close();
//
// Threads: HDF5 is thread-safe only if it was built so, so every call here takes one lock of the whole
// process, hdf5::lock(). Code that calls HDF5 directly must hold it too. It is recursive: hold it around a
// group of calls that belong together, but briefly, since the loader's reads wait for it: whoever writes much
// does so in slices and calls give_way() between them.
//
// Equal calls give equal bytes: no time stamps are written and the file format is fixed (1.10).
// HDF5's own file locks are off (as by HDF5_USE_FILE_LOCKING=FALSE, which need not be set): they fail on many
// network file systems, and files are published by rename.

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom::hdf5 {

using Handle = std::int64_t;  // hid_t
using Shape = std::vector<std::uint64_t>;

/// The lock of the HDF5 library. Also switches HDF5's printing of errors off in this thread.
[[nodiscard]] std::unique_lock<std::recursive_mutex> lock();

/// Lets a thread that waits for the lock have it now: a mutex alone would mostly go back to the thread that
/// has just let go of it. Precondition: this thread does not hold the lock.
void give_way();

enum class Type : std::uint8_t { kI8, kU8, kI16, kU16, kI32, kU32, kI64, kU64, kF32, kF64 };

template <class T>
struct TypeOf;
template <>
struct TypeOf<std::int8_t> {
  static constexpr Type value = Type::kI8;
};
template <>
struct TypeOf<std::uint8_t> {
  static constexpr Type value = Type::kU8;
};
template <>
struct TypeOf<std::int16_t> {
  static constexpr Type value = Type::kI16;
};
template <>
struct TypeOf<std::uint16_t> {
  static constexpr Type value = Type::kU16;
};
template <>
struct TypeOf<std::int32_t> {
  static constexpr Type value = Type::kI32;
};
template <>
struct TypeOf<std::uint32_t> {
  static constexpr Type value = Type::kU32;
};
template <>
struct TypeOf<std::int64_t> {
  static constexpr Type value = Type::kI64;
};
template <>
struct TypeOf<std::uint64_t> {
  static constexpr Type value = Type::kU64;
};
template <>
struct TypeOf<float> {
  static constexpr Type value = Type::kF32;
};
template <>
struct TypeOf<double> {
  static constexpr Type value = Type::kF64;
};

struct Layout {
  Shape chunk = {};         ///< empty: contiguous, without checksum (HDF5 checks chunks alone)
  bool checksum = true;     ///< Fletcher-32 on every chunk
  bool extendible = false;  ///< along the first dimension; needs a chunk
};

/// Filters that the chunks of a file may have. Filters in plug-ins are never loaded.
enum class Filters : std::uint8_t {
  kChecksum,    ///< what this program writes
  kCompression  ///< and gzip (deflate, shuffle), as other programs write
};

/// Move-only owner of one HDF5 identifier.
class Identifier {
 public:
  using Close = int (*)(Handle);
  Identifier() = default;
  Identifier(Handle handle, Close close) : handle_(handle), close_(close) {}
  Identifier(Identifier&& other) noexcept;
  Identifier& operator=(Identifier&& other) noexcept;
  ~Identifier() { (void)release(); }
  [[nodiscard]] Handle get() const { return handle_; }
  [[nodiscard]] bool open() const { return handle_ >= 0; }
  [[nodiscard]] bool release() noexcept;  ///< closes it; false if HDF5 reported a failure

 private:
  Handle handle_ = -1;
  Close close_ = nullptr;
};

/// Kind of a dataset's elements.
enum class Content : std::uint8_t { kIntegers, kFloats, kTexts, kOther };

/// A dataset of numbers. Rows are indexes of the first dimension.
class Dataset {
 public:
  Dataset() = default;
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] std::uint64_t rows() const { return shape_.empty() ? 1 : shape_[0]; }
  [[nodiscard]] std::uint64_t row_elements() const;            ///< elements of one row
  [[nodiscard]] const Shape& chunk() const { return chunk_; }  ///< empty: contiguous
  [[nodiscard]] bool is_integer() const { return content_ == Content::kIntegers; }
  [[nodiscard]] Content content() const { return content_; }
  [[nodiscard]] std::size_t element_bytes() const { return element_bytes_; }
  [[nodiscard]] bool has_checksum() const { return has_checksum_; }
  [[nodiscard]] std::uint64_t stored_bytes() const;  ///< on the disk, after compression
  /// Refuses a dataset whose chunks are not all in the file; reads none of them.
  void check_chunks() const;
  /// Refuses a dataset that claims more than is stored, for one that is not compressed: to be called before
  /// memory is taken for it.
  void check_stored() const;

  /// Reads rows [first, first + count); `to` holds exactly their elements. Values are converted to T.
  template <class T>
  void read_rows(std::uint64_t first, std::uint64_t count, std::span<T> to) const {
    read(first, count, TypeOf<T>::value, to.data(), to.size());
  }
  /// Writes rows [first, first + count), which must exist.
  template <class T>
  void write_rows(std::uint64_t first, std::uint64_t count, std::span<const T> from) {
    write(first, count, TypeOf<T>::value, from.data(), from.size());
  }
  /// Adds rows at the end of an extendible dataset.
  template <class T>
  void append(std::span<const T> from) {
    const std::uint64_t first = rows();
    const std::uint64_t count = from.size() / row_elements();
    extend(first + count);
    write(first, count, TypeOf<T>::value, from.data(), from.size());
  }
  /// Writes what HDF5 still holds in its own buffers, and reports what could not be written. The
  /// destructor closes too, silently: call this after writing, to learn of errors.
  void close();

 private:
  friend class File;
  void inspect();
  void extend(std::uint64_t rows);
  void read(std::uint64_t first, std::uint64_t count, Type type, void* to, std::size_t elements) const;
  void write(std::uint64_t first, std::uint64_t count, Type type, const void* from, std::size_t elements);

  Identifier id_;
  std::string file_, name_;
  Shape shape_, chunk_;
  Content content_ = Content::kOther;
  bool has_checksum_ = false;
  std::size_t element_bytes_ = 0;
};

class File {
 public:
  File() = default;
  /// A new file; `path` must not exist. `user_block_bytes`: 0, or a power of two from 512, left to the caller
  /// at the beginning of the file.
  static File create(const std::string& path, std::uint64_t user_block_bytes = 0);
  /// An existing file, to be read. All files are opened here, ours too: refuses (InputError) what is
  /// missing, truncated or not HDF5; links, virtual datasets and external storage, through which a file
  /// can hold any other file of this machine; other filters than `allowed`; and sizes that cannot have been
  /// stored. So all that is read is in the file, and memory is bounded by a multiple of its size. A file
  /// that is not known to be ours goes through a child process first (data/hdf5/child_check.h): the library
  /// can crash. Cost: about 20 µs for each dataset.
  static File open(const std::string& path, Filters allowed = Filters::kChecksum);

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_open() const { return id_.open(); }
  [[nodiscard]] bool has(const std::string& name) const;  ///< a dataset or group of this name
  [[nodiscard]] std::vector<std::string> names(const std::string& group = "/") const;  ///< members, sorted
  /// All datasets of a file that was opened to be read, by their full names ("weights/a"), sorted.
  [[nodiscard]] const std::vector<std::string>& datasets() const { return datasets_; }
  void create_group(const std::string& name);

  /// `cache_bytes`: HDF5's own cache of this dataset's chunks; 0 where the caller reads whole chunks.
  [[nodiscard]] Dataset dataset(const std::string& name, std::size_t cache_bytes = 1U << 20U) const;
  Dataset create_dataset(const std::string& name, Type type, const Shape& shape, const Layout& layout);

  /// A list of strings (UTF-8, without NUL), checksummed.
  void write_strings(const std::string& name, const std::vector<std::string>& values);
  [[nodiscard]] std::vector<std::string> read_strings(const std::string& name) const;
  /// Rows from `first` on of a one-dimensional dataset of strings of fixed or variable length, as other
  /// programs write them: `count`, or fewer, but one at least, where they take more than `max_bytes`. Refuses
  /// a dataset of anything else, and one text that is longer than that.
  [[nodiscard]] std::vector<std::string> read_text(const std::string& name, std::uint64_t first,
                                                   std::uint64_t count, std::size_t max_bytes) const;

  /// Attributes of the root group, or of the object named `object`.
  [[nodiscard]] bool has_attribute(const std::string& name, const std::string& object = "/") const;
  void set_attribute(const std::string& name, std::int64_t value, const std::string& object = "/");
  void set_attribute(const std::string& name, double value, const std::string& object = "/");
  void set_attribute(const std::string& name, const std::string& value, const std::string& object = "/");
  [[nodiscard]] std::int64_t integer_attribute(const std::string& name,
                                               const std::string& object = "/") const;
  [[nodiscard]] double number_attribute(const std::string& name, const std::string& object = "/") const;
  [[nodiscard]] std::string string_attribute(const std::string& name, const std::string& object = "/") const;

  void flush();
  /// Closes the file and reports what could not be written. Datasets of the file must be gone. The destructor
  /// closes too, silently.
  void close();

 private:
  Identifier id_;
  std::string path_;
  std::vector<std::string> datasets_;
};

}  // namespace nystrom::hdf5
