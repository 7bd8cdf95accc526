#pragma once
// Parquet and Arrow files, through Python's pyarrow.
//
// Neither Debian nor Ubuntu packages Arrow's C++ library; pyarrow, which has it, can be installed
// everywhere. It is run, not linked: the program needs it neither to build nor to start, works with any
// version of it, and a corrupt file that crashes it ends a child process only.

#include <memory>
#include <string>
#include <string_view>

#include "data/corpus/byte_stream.h"

namespace nystrom {

/// Are these the first bytes of a Parquet file, an Arrow file, or an Arrow stream (which Hugging Face's
/// `datasets` saves)?
[[nodiscard]] bool is_arrow(std::string_view head);
/// The same for a file; false if it is not a regular file.
[[nodiscard]] bool is_arrow_file(const std::string& path);

/// The rows of a Parquet or Arrow file as JSON lines: all columns, or with `column` that one, which must be
/// of texts. They are made record batch by record batch. Bytes that are not UTF-8 stay as they are; numbers
/// that are not finite are written as Python does. An Arrow stream truncated between two batches ends
/// there.
///
/// Reading throws InputError: for a column that is missing or of another type, a corrupt file, one that makes
/// pyarrow crash, and where there is no pyarrow (the python3 of PATH, or the program that NYSTROM_PYTHON
/// names).
[[nodiscard]] std::unique_ptr<ByteStream> arrow_rows(const std::string& path, const std::string& column = {});

}  // namespace nystrom
