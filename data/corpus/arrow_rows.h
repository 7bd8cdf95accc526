#pragma once
// Parquet and Arrow files, through Python's pyarrow.
//
// Neither Debian nor Ubuntu packages Arrow's C++ library; the one place where it is had everywhere is
// pyarrow. It is run, not linked: the program needs it neither to build nor to start, no version of it is
// built in, and what a corrupt file does to it costs a child process.

#include <memory>
#include <string>
#include <string_view>

#include "data/corpus/byte_stream.h"

namespace nystrom {

/// Are these the first bytes of a Parquet file, an Arrow file, or an Arrow stream (which Hugging Face's
/// `datasets` saves)?
[[nodiscard]] bool is_arrow(std::string_view head);
/// The same of a file; false for what is no regular file.
[[nodiscard]] bool is_arrow_file(const std::string& path);

/// The rows of a Parquet or Arrow file as JSON lines: all columns, or with `column` that one, which must be
/// of texts. They are made record batch by record batch. Bytes that are no UTF-8 are as in the file; numbers
/// that are not finite are written as Python does. An Arrow stream that is cut between two batches ends
/// there.
///
/// Reading throws InputError: for a column that is missing or of another type, a corrupt file, one that makes
/// pyarrow crash, and where there is no pyarrow (the python3 of PATH, or the program that NYSTROM_PYTHON
/// names).
[[nodiscard]] std::unique_ptr<ByteStream> arrow_rows(const std::string& path, const std::string& column = {});

}  // namespace nystrom
