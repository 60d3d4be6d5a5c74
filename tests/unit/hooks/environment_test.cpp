#include "supervisor/hooks/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::hooks {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

TEST(CommandEnvironment, LacksTheKeyAndCredentials) {
  config::Environment server{
      {"RTSP_CONFKEY", "k"},
      {"RTSP_APIUSER", "u"},
      {"RTSP_APIPASS", "p"},
      {"RTSP_PATHS_CAM_PUBLISHUSER", "u"},
      {"RTSP_PATHS_CAM_PUBLISHPASS", "p"},
      {"RTSP_PATHS_ALL_READUSER", "u"},
      {"RTSP_PATHS_ALL_READPASS", "p"},
      {"RTSP_PATHS_CAM_SOURCE", "rtsp://u:p@h/x"},
      {"RTSP_PATHS_CAM2_SOURCE", "rtsp://u:p/q@h/x"},
      {"RTSP_PATHS_CAM_RUNONREADY", "ffmpeg -i rtsp://u:p@h/x -f null -"},
      {"RTSP_EXTERNALAUTHENTICATIONURL", "https://u:p@h/auth"},
  };
  EXPECT_THAT(without_credentials(server), IsEmpty());
}

TEST(CommandEnvironment, KeepsAllElse) {
  config::Environment server{
      {"PATH", "/bin"},
      {"HOME", "/root"},
      {"EMPTY", ""},
      {"DATABASE_URL", "postgres://u:p@h/d"}, // the operator's, for the commands
      {"READPASS", "p"},
      {"RTSP_LOGLEVEL", "debug"},
      {"RTSP_PATHS_CAM_SOURCE", "rtsp://h/x"},
      {"RTSP_PATHS_CAM_RUNONREADY", "mail a@b"},
      {"RTSP_SERVERKEY", "server.key"},
  };
  EXPECT_EQ(without_credentials(server), server);
}

TEST(CommandEnvironment, OwnValuesWinOverInheritedOnes) {
  config::Environment inherited{{"A", "b=c"}, {"G1", "old"}, {"RTSP_PATH", "old"}};
  EXPECT_THAT(command_environment(inherited, {{"RTSP_PATH", "x"}, {"RTSP_PORT", "8554"}, {"G1", ""}}),
              UnorderedElementsAre("A=b=c", "G1=", "RTSP_PATH=x", "RTSP_PORT=8554"));
}

TEST(HookVariables, AreThePathThePortAndTheGroups) {
  std::vector<std::string> texts;
  for (const Variable &variable : hook_variables("a/b", "8554", {"a", "b"}))
    texts.push_back(variable.name + "=" + variable.value);
  EXPECT_THAT(texts, ElementsAre("RTSP_PATH=a/b", "RTSP_PORT=8554", "G1=a", "G2=b"));
}

} // namespace
} // namespace sluice::hooks
