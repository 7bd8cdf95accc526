#pragma once
// Parquet and Arrow files for tests, made by pyarrow where there is one.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace nystrom::testing {

inline bool has_pyarrow() {
  static const bool has = std::system("python3 -c 'import pyarrow.parquet' > /dev/null 2>&1") == 0;
  return has;
}

/// Writes `columns`, a dictionary in Python: as an Arrow stream under a name in .arrow, else as Parquet of
/// row groups of two rows.
inline void write_arrow(const std::filesystem::path& path, const std::string& columns) {
  const std::string name = "'" + path.string() + "'", script = path.string() + ".py";
  std::ofstream(script) << "import pyarrow as pa\nimport pyarrow.parquet as pq\nt = pa.table(" << columns
                        << ")\n"
                        << (path.extension() == ".arrow"
                                ? "w = pa.ipc.new_stream(" + name +
                                      ", t.schema)\nw.write_table(t)\nw.close()\n"
                                : "pq.write_table(t, " + name + ", row_group_size=2)\n");
  ASSERT_EQ(std::system(("python3 '" + script + "'").c_str()), 0) << columns;
  std::filesystem::remove(script);
}

}  // namespace nystrom::testing
