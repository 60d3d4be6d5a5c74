#include "supervisor/hooks/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sluice::hooks {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

std::string error_of(std::string_view text, const Variables &variables = {}) {
  auto words = parse_command(text, variables);
  return words ? "none" : words.error().message;
}

struct Case {
  std::string text;
  Words words;
};

// As Python's shlex.split(text) has it.
const Case kAsShlex[] = {
    {"ffmpeg", {"ffmpeg"}},
    {"  a  b\t c \n", {"a", "b", "c"}},
    {"a'b c'd", {"ab cd"}},
    {"a\"b c\"d", {"ab cd"}},
    {"''", {""}},
    {"a '' \"\" b", {"a", "", "", "b"}},
    {"'a\\b'", {"a\\b"}},
    {"'\"'", {"\""}},
    {"\"'\"", {"'"}},
    {R"("a\"b")", {"a\"b"}},
    {R"("a\\b")", {"a\\b"}},
    {R"("a\nb")", {"a\\nb"}},
    {R"(a\ b)", {"a b"}},
    {R"(\a\'\"\\)", {"a'\"\\"}},
    {"sh -c 'echo \"$A\" | cat > f; exit 1'", {"sh", "-c", "echo \"$A\" | cat > f; exit 1"}},
    {"a #b", {"a", "#b"}},
    {"a|b;c&d <e >f *.x ~ `g` $(h)", {"a|b;c&d", "<e", ">f", "*.x", "~", "`g`", "$(h)"}},
    {"a'b'\"c\"\\d", {"abcd"}},
    {"\xc3\xa9 '\xff'", {"\xc3\xa9", "\xff"}},
    {"A=b c", {"A=b", "c"}},
};

TEST(SplitCommand, SplitsAsShlexDoes) {
  for (const Case &each : kAsShlex) {
    auto words = split_command(each.text);
    ASSERT_TRUE(words) << each.text << ": " << words.error().message;
    EXPECT_EQ(*words, each.words) << each.text;
  }
}

// Where shlex differs from a shell.
TEST(SplitCommand, SplitsAsAShellDoes) {
  EXPECT_THAT(*split_command(R"("\$a \`b\`")"), ElementsAre("$a `b`"));
  EXPECT_THAT(*split_command("a\\\nb \"c\\\nd\" \\\n e"), ElementsAre("ab", "cd", "e"));
  EXPECT_THAT(*split_command("'a\\\nb'"), ElementsAre("a\\\nb"));
  EXPECT_THAT(*split_command("a\r b"), ElementsAre("a\r", "b"));
}

TEST(SplitCommand, RefusesWhatIsNoCommand) {
  EXPECT_EQ(error_of(""), "there is no command");
  EXPECT_EQ(error_of(" \t\n "), "there is no command");
  EXPECT_EQ(error_of("\\\n"), "there is no command");
  EXPECT_EQ(error_of("a 'b"), "a single quote is not closed");
  EXPECT_EQ(error_of("a \"b"), "a double quote is not closed");
  EXPECT_EQ(error_of("a \"b\\"), "a double quote is not closed");
  EXPECT_EQ(error_of("a \"b\\\""), "a double quote is not closed");
  EXPECT_EQ(error_of("a\\"), "a backslash at the end");
  EXPECT_EQ(error_of(std::string_view("a\0b", 3)), "a NUL byte");
  EXPECT_EQ(error_of(std::string_view("'a\0b'", 5)), "a NUL byte");
}

TEST(SplitCommand, IsBounded) {
  EXPECT_EQ(split_command(std::string(kMaxCommandBytes, 'a'))->size(), 1u);
  EXPECT_EQ(error_of(std::string(kMaxCommandBytes + 1, 'a')), "longer than 65536 bytes");
  std::string words;
  for (size_t i = 0; i < kMaxCommandWords; i++) words += "a ";
  EXPECT_EQ(split_command(words)->size(), kMaxCommandWords);
  EXPECT_EQ(error_of(words + "a"), "more than 1024 words");
}

TEST(Substitute, TakesTheLongestNameThatFits) {
  Variables variables{{"G1", "one"}, {"G10", "ten"}, {"RTSP_PATH", "a/b"}, {"RTSP_PORT", "8554"}};
  EXPECT_EQ(*substitute("$G1 $G10 $G11 x$G1y", variables), "one ten one1 xoney");
  EXPECT_EQ(*substitute("rtsp://h:$RTSP_PORT/$RTSP_PATH", variables), "rtsp://h:8554/a/b");
  EXPECT_EQ(*substitute("$RTSP_PATHS", variables), "a/bS");
}

TEST(Substitute, LeavesOtherDollarsAlone) {
  Variables variables{{"G1", "one"}, {"", "nothing"}};
  EXPECT_EQ(*substitute("${G1} $HOME $G2 $ $$G1 $g1 $", variables), "${G1} $HOME $G2 $ $one $g1 $");
}

TEST(Substitute, PutsValuesAlsoBetweenQuotesAndNeverLooksAtThemAgain) {
  Variables variables{{"A", "x"}, {"B", ""}, {"C", "G"}, {"G1", "one"}};
  EXPECT_THAT(*parse_command("c '$A' \"$A\" \\$A $B '$B' $C1", variables), ElementsAre("c", "x", "x", "x", "", "G1"));
}

TEST(Substitute, RefusesValuesThatCouldChangeTheWords) {
  for (const char *value : {"a b", "a'b", "a\"b", "a\\b", "a\nb", "a\tb", "$G1", "a;b", "\xff"}) {
    Variables variables{{"G1", value}};
    EXPECT_EQ(error_of("c $G1", variables), "the value of $G1 has characters that a command can't take") << value;
    EXPECT_EQ(error_of("c", variables), "none") << "not used";
  }
  EXPECT_THAT(*parse_command("c $G1", {{"G1", "-_/.~aZ9"}}), ElementsAre("c", "-_/.~aZ9"));
}

TEST(Substitute, IsBounded) {
  Variables variables{{"A", std::string(1000, 'a')}};
  std::string text;
  for (int i = 0; i < 100; i++) text += "$A";
  EXPECT_EQ(error_of(text, variables), "longer than 65536 bytes");
  EXPECT_EQ(error_of("$A" + std::string(kMaxCommandBytes - 1000, ' '), variables), "none");
  EXPECT_EQ(error_of("$A" + std::string(kMaxCommandBytes - 999, ' '), variables), "longer than 65536 bytes");
}

TEST(FirstWord, IsAllThatALogShows) {
  EXPECT_EQ(first_word("  ffmpeg -i rtsp://u:p@h"), "ffmpeg");
  EXPECT_EQ(first_word("a\x1b[1m\tb"), "a\\x1b[1m");
  EXPECT_EQ(first_word("   "), "");
  EXPECT_THAT(first_word(std::string(1000, 'a')), HasSubstr("aaa..."));
  EXPECT_LE(first_word(std::string(1000, 'a')).size(), 100u);
}

} // namespace
} // namespace sluice::hooks
