#include "supervisor/api/json_writer.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice::api {
namespace {

TEST(JsonWriter, PutsCommasBetweenWhatIsBesideEachOther) {
  JsonWriter json;
  json.begin_object().member("a", uint64_t{1}).key("b").begin_array().value("x").null().value(true);
  json.begin_object().end_object().end_array().key("c").raw("[2]").end_object();
  EXPECT_EQ(json.text(), R"({"a":1,"b":["x",null,true,{}],"c":[2]})");
}

TEST(JsonWriter, EscapesWhatWouldEndAText) {
  JsonWriter json;
  json.begin_object().member("a\"b", "c\\d\n\x01\xff é").end_object();
  EXPECT_EQ(json.text(), "{\"a\\\"b\":\"c\\\\d\\\\n\\\\x01\\\\xff é\"}");
}

TEST(JsonWriter, NumbersAreAlwaysJson) {
  JsonWriter json;
  json.begin_array().value(1.0).value(0.12345).value(std::numeric_limits<double>::infinity());
  json.value(std::numeric_limits<uint64_t>::max()).value(1e18).end_array();
  EXPECT_EQ(json.text(), "[1,0.123,0,18446744073709551615,1e+18]");
}

} // namespace
} // namespace sluice::api
