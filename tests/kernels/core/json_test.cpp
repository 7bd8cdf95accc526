// The door of JSON: depth, numbers, keys.

#include "kernels/core/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/core/check.h"
#include "refusal.h"

namespace nystrom {
namespace {

using Json = nlohmann::json;
using Ordered = nlohmann::ordered_json;
using ::testing::HasSubstr;
using testing::refusal;

std::string nested(int depth) {
  return std::string(static_cast<std::size_t>(depth), '[') + "1" +
         std::string(static_cast<std::size_t>(depth), ']');
}

TEST(Json, nesting_is_bounded) {
  EXPECT_FALSE(is_nested_too_deep(nested(kMaxJsonDepth)));
  EXPECT_TRUE(is_nested_too_deep(nested(kMaxJsonDepth + 1)));
  EXPECT_FALSE(is_nested_too_deep("\"" + std::string(1000, '[') + "\\\"" + std::string(1000, '{') + "\""));
  EXPECT_EQ(parse_json<Json>("f", nested(kMaxJsonDepth)).size(), 1U);
  EXPECT_THAT(refusal([] { (void)parse_json<Json>("f", nested(1'000'000)); }),
              HasSubstr("f is nested more than 100 levels deep"));
  EXPECT_THAT(refusal([] { (void)parse_json<Ordered>(nested(1'000'000)); }), HasSubstr("100 levels deep"));
  EXPECT_TRUE(try_parse_json<Json>(nested(1'000'000)).is_discarded());
  EXPECT_TRUE(try_parse_json<Ordered>(nested(1'000'000)).is_discarded());
}

TEST(Json, invalid_json_is_refused_by_name) {
  for (const char* text : {"", "{", "[1,]", "{\"a\" 1}", "nul", "\"\xff\"", "1 2"}) {
    EXPECT_THAT(refusal([&] { (void)parse_json<Json>("f.json", text); }),
                HasSubstr("f.json is not valid JSON"));
    EXPECT_THAT(refusal([&] { (void)parse_json<Ordered>("f.json", text); }),
                HasSubstr("f.json is not valid JSON"));
    EXPECT_THROW((void)parse_json<Json>(text), Json::parse_error);
    EXPECT_THROW((void)parse_json<Ordered>(text), Json::parse_error);
  }
}

TEST(Json, nan_and_infinity_of_python_are_read_on_request) {
  std::int64_t halves = 0;
  const auto read = [&](const std::string& text) { return try_parse_python_json(text, halves); };
  const Json json = read(R"({"NaN": "NaN \" NaN", "a": [NaN,Infinity , -Infinity, 1], "b": "\\ud83d"})");
  ASSERT_TRUE(json.is_object());
  EXPECT_EQ(json["NaN"], "NaN \" NaN");
  EXPECT_EQ(json["b"], "\\ud83d");
  EXPECT_TRUE(std::isnan(json["a"][0].get<double>()));
  EXPECT_EQ(json["a"][1], std::numeric_limits<double>::infinity());
  EXPECT_EQ(json["a"][2], -std::numeric_limits<double>::infinity());
  EXPECT_EQ(halves, 0);
  EXPECT_EQ(read(R"("\ud83d x \ude00\uD83D\uDE00 \ud83d\u0041\ud83d\ud83d\ude00\n")"),
            "\uFFFD x \uFFFD\U0001F600 \uFFFDA\uFFFD\U0001F600\n");
  EXPECT_EQ(halves, 4);
  for (const char* text : {"", "[NaN", "NaNa", "-NaN", "aNaN", "[Infinity 1]", "\"\\ud83", "\"\\ud83d",
                           "\"\\", "\"\\ud83dx\"NaN"})
    EXPECT_TRUE(read(text).is_discarded()) << text;
  EXPECT_TRUE(read(nested(1'000'000) + "NaN").is_discarded());
  EXPECT_EQ(halves, 4);
  EXPECT_TRUE(try_parse_json<Json>("NaN").is_discarded());
}

TEST(Json, an_ordered_object_keeps_the_order_and_the_last_of_equal_keys) {
  const auto json = parse_json<Ordered>("f", R"({"b":1,"a":[1,{"z":null,"y":"q","z":5},-2.5],"b":{"k":[]}})");
  EXPECT_EQ(json.dump(), R"({"b":{"k":[]},"a":[1,{"z":5,"y":"q"},-2.5]})");
  EXPECT_EQ(json, Ordered::parse(json.dump()));
}

TEST(Json, many_members_take_linear_time) {
  constexpr int kMany = 300'000;  // their square would take minutes
  std::string text = "{";
  for (int i = 0; i < kMany; ++i) text += (i > 0 ? ",\"piece" : "\"piece") + std::to_string(i) + "\":1";
  EXPECT_EQ(parse_json<Ordered>("f", text + "}").size(), std::size_t{kMany});
  Ordered object = Ordered::object();
  for (int i = 0; i < kMany; ++i) append_member(object, std::to_string(i), i);
  EXPECT_EQ(object.size(), std::size_t{kMany});
}

TEST(Json, a_key_that_is_given_twice_is_found) {
  EXPECT_EQ(twice_given_key(R"({"a":{"c":1,"c":2},"b":1})"), std::nullopt);
  EXPECT_EQ(twice_given_key(R"({"a":{"c":1},"b":1,"a":3})"), "a");
}

TEST(Json, integers_do_not_wrap_around) {
  const auto read = [](const char* text) { return json_integer<std::int32_t>(Json::parse(text), "f: `a`"); };
  EXPECT_EQ(read("2147483647"), 2147483647);
  EXPECT_EQ(read("-2147483648"), -2147483647 - 1);
  EXPECT_THAT(refusal([&] { read("4294967302"); }),
              HasSubstr("f: `a` is 4294967302; it must be from -2147483648 to 2147483647."));
  EXPECT_THAT(refusal([&] { read("18446744073709551615"); }), HasSubstr("is 18446744073709551615"));
  EXPECT_THAT(refusal([&] { read("1.5"); }), HasSubstr("f: `a` is 1.5; it must be an integer."));
  EXPECT_THAT(refusal([&] { read("1e300"); }), HasSubstr("it must be an integer"));
  EXPECT_THAT(refusal([&] { (void)json_integer<std::int64_t>(Json::parse("9223372036854775808"), "x"); }),
              HasSubstr("x is 9223372036854775808"));
  EXPECT_THAT(refusal([&] { (void)json_integer<std::size_t>(Json::parse("-1"), "x"); }),
              HasSubstr("x is -1"));
}

}  // namespace
}  // namespace nystrom
