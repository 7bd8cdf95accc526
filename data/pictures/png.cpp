#include "data/pictures/png.h"

#include <png.h>

#include "kernels/core/check.h"
#include "kernels/core/files.h"

namespace nystrom {
namespace {

/// libpng's state of one picture.
struct Image {
  png_image png{};
  Image() { png.version = PNG_IMAGE_VERSION; }
  ~Image() { png_image_free(&png); }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
};

[[noreturn]] void refuse_picture(const std::string& path, const Image& image) {
  refuse("{} is not a valid PNG picture: {}.", path, image.png.message);
}

std::vector<std::uint8_t> read_pixels(Image& image, png_uint_32 format, const std::string& path) {
  image.png.format = format;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image.png));
  const png_color background{0, 0, 0};
  if (png_image_finish_read(&image.png, &background, pixels.data(), 0, nullptr) == 0)
    refuse_picture(path, image);
  return pixels;
}

std::vector<std::uint8_t> grey_of(const std::vector<std::uint8_t>& colours) {
  std::vector<std::uint8_t> grey;
  for (std::size_t i = 0; i < colours.size(); i += 3)
    grey.push_back(grey_level(colours[i], colours[i + 1], colours[i + 2]));
  return grey;
}

}  // namespace

std::uint8_t grey_level(std::uint8_t red, std::uint8_t green, std::uint8_t blue) {
  const auto share = [](std::uint8_t channel) { return static_cast<float>(channel) * (1.0F / 255); };
  const float grey = 0.2989F * share(red) + 0.5870F * share(green) + 0.1140F * share(blue);
  return static_cast<std::uint8_t>(grey * 255.5F);
}

GreyPicture read_png(const std::string& path) {
  constexpr png_uint_32 kMaxPixels = 4096;
  const std::string bytes = read_file(path);
  if (bytes.empty()) refuse("{} is empty.", path);
  Image image;
  if (png_image_begin_read_from_memory(&image.png, bytes.data(), bytes.size()) == 0)
    refuse_picture(path, image);
  const png_uint_32 width = image.png.width, height = image.png.height;
  if (width > kMaxPixels || height > kMaxPixels)
    refuse("{} has {} x {} pixels; pictures have at most {} a side.", path, width, height, kMaxPixels);
  GreyPicture picture{.width = static_cast<int>(width), .height = static_cast<int>(height)};
  const bool coloured = (image.png.format & PNG_FORMAT_FLAG_COLOR) != 0;
  picture.pixels = read_pixels(image, coloured ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY, path);
  if (coloured) picture.pixels = grey_of(picture.pixels);
  return picture;
}

std::string png_bytes(const GreyPicture& picture) {
  Image image;
  image.png.width = static_cast<png_uint_32>(picture.width);
  image.png.height = static_cast<png_uint_32>(picture.height);
  image.png.format = PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image.png);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&image.png, bytes.data(), &size, 0, picture.pixels.data(), 0, nullptr) == 0)
    fail("libpng could not write a picture: {}.", image.png.message);
  bytes.resize(size);
  return bytes;
}

}  // namespace nystrom
