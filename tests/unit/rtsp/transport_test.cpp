#include "workers/rtsp/protocol/transport.h"

#include <gtest/gtest.h>

namespace sluice::rtsp {
namespace {

std::vector<TransportSpec> specs_of(std::string_view text) {
  Result<std::vector<TransportSpec>> specs = parse_transport(text);
  EXPECT_TRUE(specs.has_value()) << text;
  return specs ? *specs : std::vector<TransportSpec>{};
}

std::string error_of(std::string_view text) {
  Result<std::vector<TransportSpec>> specs = parse_transport(text);
  return specs ? "" : specs.error().message;
}

TEST(Transport, OfFfmpegPublishingOverTcp) {
  TransportSpec spec = specs_of("RTP/AVP/TCP;unicast;interleaved=0-1;mode=record").at(0);
  EXPECT_EQ(spec.lower, LowerTransport::Tcp);
  EXPECT_FALSE(spec.multicast);
  EXPECT_EQ(spec.interleaved, (PortPair{0, 1}));
  EXPECT_EQ(spec.mode, TransportMode::Record);
}

TEST(Transport, OfGStreamerPlayingOverUdp) {
  TransportSpec spec = specs_of("RTP/AVP;unicast;client_port=60110-60111;mode=\"PLAY\"").at(0);
  EXPECT_EQ(spec.lower, LowerTransport::Udp);
  EXPECT_EQ(spec.client_port, (PortPair{60110, 60111}));
  EXPECT_EQ(spec.mode, TransportMode::Play);
}

TEST(Transport, HasAlternativesInTheClientsOrder) {
  auto specs = specs_of("RTP/AVP/UDP;unicast;client_port=3056-3057;mode=\"PLAY\", RTP/SAVP;unicast, "
                        "RTP/AVP;multicast;ttl=127 ,RTP/AVP/TCP;unicast;interleaved=0-1");
  ASSERT_EQ(specs.size(), 3u);
  EXPECT_EQ(specs[0].client_port, (PortPair{3056, 3057}));
  EXPECT_TRUE(specs[1].multicast);
  EXPECT_EQ(specs[1].ttl, 127);
  EXPECT_EQ(specs[2].lower, LowerTransport::Tcp);
}

TEST(Transport, TakesSinglePortsAndOtherKeys) {
  TransportSpec spec =
      specs_of("RTP/AVP; unicast; client_port=5000; server_port=8000-8001;mode=receive;append;layers=1;"
               "destination=1.2.3.4;source=\"::1\";port=10-11;ssrc=0b6020ad")
          .at(0);
  EXPECT_EQ(spec.client_port, (PortPair{5000, 5001}));
  EXPECT_EQ(spec.server_port, (PortPair{8000, 8001}));
  EXPECT_EQ(spec.port, (PortPair{10, 11}));
  EXPECT_EQ(spec.mode, TransportMode::Record);
  EXPECT_EQ(spec.destination, "1.2.3.4");
  EXPECT_EQ(spec.source, "::1");
  EXPECT_EQ(spec.ssrc, 0x0b6020adu);
  EXPECT_EQ(specs_of("RTP/AVP;ssrc=  zz").at(0).ssrc, std::nullopt);
}

TEST(Transport, IsRefusedWithAReason) {
  EXPECT_EQ(error_of(""), "value not provided");
  EXPECT_EQ(error_of("unicast"), "protocol not found (unicast)");
  EXPECT_EQ(error_of("RTP/SAVP;unicast;client_port=1-2"), "protocol not found (RTP/SAVP;unicast;client_port=1-2)");
  EXPECT_EQ(error_of("RTP/AVP;client_port=a-b"), "invalid ports (a-b)");
  EXPECT_EQ(error_of("RTP/AVP;client_port=65535"), "invalid ports (65535)");
  EXPECT_EQ(error_of("RTP/AVP;client_port=1-65536"), "invalid ports (1-65536)");
  EXPECT_EQ(error_of("RTP/AVP;client_port=1-2-3"), "invalid ports (1-2-3)");
  EXPECT_EQ(error_of("RTP/AVP;client_port=0-1"), "invalid ports (0-1)");
  EXPECT_EQ(error_of("RTP/AVP;client_port"), "invalid ports ()");
  EXPECT_EQ(error_of("RTP/AVP;destination=example.com"), "invalid destination (example.com)");
  EXPECT_EQ(error_of("RTP/AVP;source=x"), "invalid source (x)");
  EXPECT_EQ(error_of("RTP/AVP;ttl=256"), "invalid ttl (256)");
  EXPECT_EQ(error_of("RTP/AVP;mode=sing"), "invalid transport mode: 'sing'");
}

TEST(Transport, ReadsAtMostEightAlternatives) {
  std::string text;
  for (int i = 0; i < 20; i++) text += "RTP/AVP;client_port=" + std::to_string(1000 + i) + ",";
  EXPECT_EQ(specs_of(text).size(), kMaxTransportAlternatives);
}

TEST(Transport, IsWrittenInTheServersOrder) {
  TransportSpec udp;
  udp.client_port = PortPair{5000, 5001};
  udp.server_port = PortPair{8000, 8001};
  udp.ssrc = 0xabcdef;
  EXPECT_EQ(write_transport(udp), "RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=00ABCDEF");
  TransportSpec tcp;
  tcp.lower = LowerTransport::Tcp;
  tcp.interleaved = PortPair{2, 3};
  EXPECT_EQ(write_transport(tcp), "RTP/AVP/TCP;unicast;interleaved=2-3");
  TransportSpec multicast;
  multicast.multicast = true;
  multicast.destination = "224.1.0.1";
  multicast.port = PortPair{8002, 8003};
  multicast.ttl = 127;
  EXPECT_EQ(write_transport(multicast), "RTP/AVP;multicast;destination=224.1.0.1;port=8002-8003;ttl=127");
}

TEST(Transport, TruncatedAnywhereReadsBackWhatItWrites) {
  std::string_view text = "RTP/AVP;unicast;source=1.2.3.4;client_port=5000-5001;server_port=8000-8001;ssrc=0A;"
                          "mode=\"PLAY\",RTP/AVP/TCP;interleaved=0-1";
  for (size_t size = 0; size <= text.size(); size++) {
    Result<std::vector<TransportSpec>> specs = parse_transport(text.substr(0, size));
    if (!specs) continue;
    for (const TransportSpec &spec : *specs) EXPECT_EQ(specs_of(write_transport(spec)).at(0), spec) << size;
  }
}

} // namespace
} // namespace sluice::rtsp
