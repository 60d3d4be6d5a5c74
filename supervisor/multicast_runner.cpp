#include "supervisor/multicast_runner.h"

#include "common/base/log.h"
#include "supervisor/config/addresses.h"

namespace sluice {

void MulticastRunner::configure(const config::Configuration &configuration, Workers &workers) {
  workers_ = &workers;
  multicast::Settings settings;
  if (auto range = config::parse_multicast_range(configuration.multicast_ip_range)) {
    settings.enabled = configuration.protocols.multicast;
    settings.range = {range->network, range->prefix_bits};
  } // else multicast is off, or the configuration would have been refused
  settings.rtp_port = static_cast<uint16_t>(configuration.multicast_rtp_port);
  settings.rtcp_port = static_cast<uint16_t>(configuration.multicast_rtcp_port);
  multicast_.configure(settings);
  on_slots_changed();
}

void MulticastRunner::on_slots_changed() {
  perform(multicast_.set_slots(workers_->slots(config::Protocol::Rtsp)));
}

void MulticastRunner::on_join(uint16_t slot, const control::JoinMulticast &join, const paths::Paths &paths) {
  if (auto reading = paths.reading(slot, join.session))
    return perform(multicast_.on_join(slot, join, reading->stream, reading->tracks));
  // Kicked meanwhile.
  workers_->send(slot, control::Refused{join.request, control::Refusal::BadRequest, "terminated", {}});
}

void MulticastRunner::on_message(uint16_t slot, const control::Message &message) {
  if (const auto *playing = std::get_if<control::Playing>(&message))
    perform(multicast_.on_playing(slot, playing->session, true));
  else if (const auto *paused = std::get_if<control::ReaderPaused>(&message))
    perform(multicast_.on_playing(slot, paused->session, false));
  else if (const auto *release = std::get_if<control::Release>(&message))
    perform(multicast_.on_release(slot, release->session));
}

void MulticastRunner::perform(const multicast::Effects &effects) {
  for (const multicast::Effect &effect : effects) {
    if (const auto *message = std::get_if<multicast::Send>(&effect)) workers_->send(message->slot, message->message);
    if (const auto *start = std::get_if<multicast::StartSending>(&effect)) start_sending(*start);
    if (const auto *join = std::get_if<multicast::Subscribe>(&effect)) rings_.subscribe(join->stream, join->slot);
    if (const auto *part = std::get_if<multicast::Unsubscribe>(&effect)) rings_.unsubscribe(part->stream, part->slot);
  }
}

void MulticastRunner::start_sending(const multicast::StartSending &start) {
  auto ring = rings_.find(start.message.stream);
  if (!ring) return log(LogLevel::Error, "a stream can't be sent by multicast: {}", ring.error().message);
  control::SendMulticast message = start.message;
  message.ring_index = ring->ring_index;
  workers_->send(start.slot, message, {&ring->read_only, 1});
}

} // namespace sluice
