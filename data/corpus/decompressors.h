#pragma once
// One function a compression format. Each reads `from`, which begins with the format's signature; `file` is
// what messages name and where the offsets come from. Concatenated members, streams and frames are read as
// one.

#include <memory>

#include "data/corpus/byte_stream.h"

namespace nystrom {

std::unique_ptr<ByteStream> gzip_stream(std::unique_ptr<ByteStream> from, const FileStream& file);
std::unique_ptr<ByteStream> bzip2_stream(std::unique_ptr<ByteStream> from, const FileStream& file);
std::unique_ptr<ByteStream> xz_stream(std::unique_ptr<ByteStream> from, const FileStream& file);
std::unique_ptr<ByteStream> zstd_stream(std::unique_ptr<ByteStream> from, const FileStream& file);

}  // namespace nystrom
