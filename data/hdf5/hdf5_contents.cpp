// The walk through a file that is opened. An HDF5 file can name other files in many places: links, the
// storage of a dataset, the sources of a virtual one. A reader that followed them would hand any file of its
// user to whoever gets its output; and no checksum of a file covers another one.

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>

#include "data/hdf5/hdf5_calls.h"

namespace nystrom::hdf5 {
namespace {

constexpr int kMaxDepth = 8;  // of groups in groups; ours are two deep
constexpr std::size_t kMaxObjects = std::size_t{1} << 20U;
constexpr std::uint64_t kMaxChunkBytes = std::uint64_t{256} << 20U;  // HDF5 decompresses a chunk as a whole
constexpr std::uint64_t kMaxExpansion = 1000;                        // of compressed data in all, beyond
constexpr std::uint64_t kAnyExpansion = std::uint64_t{4} << 30U;     // this many bytes

struct Member {
  std::string name;
  H5L_type_t link;
};

herr_t add_member(hid_t /*group*/, const char* name, const H5L_info_t* link, void* out) {
  auto& members = *static_cast<std::vector<Member>*>(out);
  if (members.size() >= kMaxObjects) return -1;
  members.push_back({name, link->type});
  return 0;
}

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return a > kHuge - b ? kHuge : a + b;
}

std::uint64_t product(const std::vector<hsize_t>& extents, std::uint64_t bytes) {
  for (const hsize_t extent : extents)
    if (__builtin_mul_overflow(bytes, extent, &bytes)) return kHuge;
  return bytes;
}

class Contents {
 public:
  Contents(const std::string& path, Filters allowed)
      : path_(path), allowed_(allowed), file_bytes_(std::filesystem::file_size(path)) {}

  void visit_group(hid_t group, const std::string& name, int depth) {
    if (depth > kMaxDepth)
      refuse("{}: the groups in `{}` are more than {} levels deep; the file is corrupt or malicious.", path_,
             name, kMaxDepth);
    std::vector<Member> members;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, add_member, &members) < 0)
      refuse("{}: the members of `/{}` cannot be read: {}. The file is corrupt.", path_, name, reason());
    objects_ += members.size();
    if (objects_ > kMaxObjects)
      refuse("{} holds more than {} objects; it is corrupt or malicious.", path_, kMaxObjects);
    for (const Member& member : members)
      visit(group, member, name.empty() ? member.name : name + "/" + member.name, depth);
  }

  std::vector<std::string> datasets;  // in no order

 private:
  void visit(hid_t group, const Member& member, const std::string& name, int depth) {
    if (member.link != H5L_TYPE_HARD)
      refuse("{}: `{}` is a {}. Links can lead to any file, so only data in this file itself is read.", path_,
             name, member.link == H5L_TYPE_SOFT ? "soft link" : "link to another file");
    const Identifier object(H5Oopen(group, member.name.c_str(), H5P_DEFAULT), H5Oclose);
    if (!object.open()) refuse("{}: `{}` cannot be opened: {}. The file is corrupt.", path_, name, reason());
    const H5I_type_t type = H5Iget_type(object.get());
    if (type == H5I_GROUP) visit_group(object.get(), name, depth + 1);
    if (type == H5I_DATASET) visit_dataset(object.get(), name);
  }

  void visit_dataset(hid_t dataset, const std::string& name) {
    const Identifier create = owned(H5Dget_create_plist(dataset), H5Pclose, "read dataset", path_, name);
    check_storage(create.get(), name);
    const std::vector<H5Z_filter_t> filters = filters_of(create.get(), name);
    check_sizes(dataset, create.get(), name, filters);
    datasets.push_back(name);
  }

  void check_storage(hid_t create, const std::string& name) const {
    const bool is_virtual = H5Pget_layout(create) == H5D_VIRTUAL;
    if (is_virtual || H5Pget_external_count(create) != 0)
      refuse(
          "Dataset `{}` of {} {}: its values are in other files, which could be any. Only data in the file "
          "itself is read.",
          name, path_, is_virtual ? "is virtual" : "has external storage");
  }

  /// Refuses those that are not allowed; and twice the same, which could expand twice.
  [[nodiscard]] std::vector<H5Z_filter_t> filters_of(hid_t create, const std::string& name) const {
    std::vector<H5Z_filter_t> found;
    const int count = checked(H5Pget_nfilters(create), "read dataset", path_, name);
    for (int i = 0; i < count; ++i) {
      unsigned flags = 0, options = 0;
      std::size_t values = 0;
      std::array<char, 64> title{};
      const H5Z_filter_t filter = checked(H5Pget_filter2(create, static_cast<unsigned>(i), &flags, &values,
                                                         nullptr, title.size() - 1, title.data(), &options),
                                          "read dataset", path_, name);
      if (!is_allowed(filter) || std::ranges::find(found, filter) != found.end())
        refuse("Dataset `{}` of {} went through filter {} ({}) of HDF5, which is not read here; write it {}.",
               name, path_, filter, title.data(),
               allowed_ == Filters::kChecksum ? "uncompressed" : "with gzip or uncompressed");
      found.push_back(filter);
    }
    return found;
  }

  [[nodiscard]] bool is_allowed(H5Z_filter_t filter) const {
    const bool compression = filter == H5Z_FILTER_DEFLATE || filter == H5Z_FILTER_SHUFFLE;
    return filter == H5Z_FILTER_FLETCHER32 || (compression && allowed_ == Filters::kCompression);
  }

  /// What is not compressed is stored byte for byte, each byte once.
  void check_sizes(hid_t dataset, hid_t create, const std::string& name,
                   const std::vector<H5Z_filter_t>& filters) {
    const Identifier type = owned(H5Dget_type(dataset), H5Tclose, "read dataset", path_, name);
    const Identifier space = owned(H5Dget_space(dataset), H5Sclose, "read dataset", path_, name);
    const int rank = checked(H5Sget_simple_extent_ndims(space.get()), "read dataset", path_, name);
    std::vector<hsize_t> extents(static_cast<std::size_t>(rank));
    checked(H5Sget_simple_extent_dims(space.get(), extents.data(), nullptr), "read dataset", path_, name);
    const std::uint64_t element = H5Tget_size(type.get()), claimed = product(extents, element);
    const bool compressed = std::ranges::find(filters, H5Z_FILTER_DEFLATE) != filters.end();
    std::uint64_t& total = compressed ? expanded_ : plain_;
    total = sum(total, claimed);
    if (plain_ > file_bytes_ || (expanded_ > kAnyExpansion && expanded_ / kMaxExpansion > file_bytes_))
      refuse("Dataset `{}` of {} claims {} bytes, but the whole file has {}; it is corrupt or malicious.",
             name, path_, claimed, file_bytes_);
    if (filters.empty() || H5Pget_layout(create) != H5D_CHUNKED) return;
    checked(H5Pget_chunk(create, rank, extents.data()), "read dataset", path_, name);
    if (product(extents, element) > kMaxChunkBytes)
      refuse(
          "The chunks of dataset `{}` of {} have {} bytes; at most {} are read. Write it in smaller chunks.",
          name, path_, product(extents, element), kMaxChunkBytes);
  }

  const std::string& path_;
  Filters allowed_;
  std::uint64_t file_bytes_, plain_ = 0, expanded_ = 0;
  std::size_t objects_ = 0;
};

}  // namespace

std::vector<std::string> check_contents(hid_t file, const std::string& path, Filters allowed) {
  Contents contents(path, allowed);
  const Identifier root = owned(H5Gopen2(file, "/", H5P_DEFAULT), H5Gclose, "open the root group of", path);
  contents.visit_group(root.get(), "", 0);
  std::sort(contents.datasets.begin(), contents.datasets.end());
  return std::move(contents.datasets);
}

}  // namespace nystrom::hdf5
