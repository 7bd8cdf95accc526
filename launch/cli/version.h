#pragma once

namespace nystrom {

inline constexpr const char* kVersion = NYSTROM_VERSION;  ///< from CMakeLists.txt

}  // namespace nystrom
