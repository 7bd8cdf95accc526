#pragma once
// Grey PNG pictures, by libpng.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nystrom {

struct GreyPicture {
  int width = 0, height = 0;
  std::vector<std::uint8_t> pixels = {};  ///< [height * width], row by row
};

/// The level that the Long Range Arena gives a colour: 0.2989 R + 0.5870 G + 0.1140 B, rounded as TensorFlow
/// does.
[[nodiscard]] std::uint8_t grey_level(std::uint8_t red, std::uint8_t green, std::uint8_t blue);

/// Pictures of up to 4096 pixels a side and 8 bits a channel; colours become grey levels. Throws InputError,
/// naming `path`, for anything else: an empty or truncated file, another format.
[[nodiscard]] GreyPicture read_png(const std::string& path);

/// The bytes of an 8-bit grey PNG.
[[nodiscard]] std::string png_bytes(const GreyPicture& picture);

}  // namespace nystrom
