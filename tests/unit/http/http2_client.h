// A client of HTTP/2 without a socket: nghttp2's, with what it was answered.
#pragma once

#include "common/base/bytes.h"
#include "common/http/headers.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <map>
#include <memory>
#include <string>

namespace sluice::http {

class Http2Client {
public:
  struct Answer {
    Headers headers;
    std::string body;
    bool complete = false; // its last frame came
    bool closed = false;
    uint32_t error = 0; // of the stream
    std::string header(std::string_view name) const {
      const std::string *found = headers.find(name);
      return found == nullptr ? "" : *found;
    }
    std::string status() const { return header(":status"); }
  };

  // `window`: bytes that may come unasked on each stream.
  explicit Http2Client(uint32_t window = 65535) {
    nghttp2_session_callbacks *callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session *made = nullptr;
    nghttp2_option *options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_no_auto_window_update(options, window < 65535 ? 1 : 0);
    nghttp2_option_set_no_http_messaging(options, 1); // so that it may say what is wrong
    EXPECT_EQ(nghttp2_session_client_new2(&made, callbacks, this, options), 0);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    session_.reset(made);
    nghttp2_settings_entry setting{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window};
    EXPECT_EQ(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, &setting, 1), 0);
  }

  Http2Client(const Http2Client &) = delete;
  Http2Client &operator=(const Http2Client &) = delete;

  // The stream's number. With `more`, its end is left open.
  int32_t request(const Headers &headers, const std::string &body = "", bool more = false) {
    std::vector<nghttp2_nv> fields;
    for (const Header &header : headers.all())
      fields.push_back({reinterpret_cast<uint8_t *>(const_cast<char *>(header.name.data())),
                        reinterpret_cast<uint8_t *>(const_cast<char *>(header.value.data())), header.name.size(),
                        header.value.size(), NGHTTP2_NV_FLAG_NONE});
    auto upload = std::make_unique<Upload>(Upload{body, 0, more});
    nghttp2_data_provider provider{{.ptr = upload.get()}, on_read};
    int32_t id = nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(),
                                        body.empty() && !more ? nullptr : &provider, nullptr);
    EXPECT_GT(id, 0);
    uploads_[id] = std::move(upload);
    return id;
  }
  int32_t get(const std::string &path, const std::string &method = "GET") {
    return request({{":method", method}, {":scheme", "https"}, {":authority", "h"}, {":path", path}});
  }

  std::string output() {
    std::string text;
    const uint8_t *bytes = nullptr;
    ssize_t count = 0;
    while ((count = nghttp2_session_mem_send(session_.get(), &bytes)) > 0)
      text += as_text(Bytes(bytes, static_cast<size_t>(count)));
    return text;
  }
  void feed(Bytes bytes) {
    ssize_t taken = nghttp2_session_mem_recv(session_.get(), bytes.data(), bytes.size());
    EXPECT_EQ(taken, static_cast<ssize_t>(bytes.size()));
  }

  Answer &operator[](int32_t id) { return answers_[id]; }
  bool sent_away() const { return sent_away_; } // by a GOAWAY
  uint32_t goaway_error() const { return goaway_error_; }
  nghttp2_session *raw() { return session_.get(); }

private:
  struct Upload {
    std::string body;
    size_t sent;
    bool more;
  };
  struct Free {
    void operator()(nghttp2_session *session) const { nghttp2_session_del(session); }
  };

  static Http2Client &self(void *user) { return *static_cast<Http2Client *>(user); }
  static int on_header(nghttp2_session *, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                       const uint8_t *value, size_t value_length, uint8_t, void *user) {
    self(user).answers_[frame->hd.stream_id].headers.add(std::string(as_text(Bytes(name, name_length))),
                                                         std::string(as_text(Bytes(value, value_length))));
    return 0;
  }
  static int on_data(nghttp2_session *, uint8_t, int32_t id, const uint8_t *data, size_t length, void *user) {
    self(user).answers_[id].body += as_text(Bytes(data, length));
    return 0;
  }
  static int on_frame(nghttp2_session *, const nghttp2_frame *frame, void *user) {
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      self(user).sent_away_ = true;
      self(user).goaway_error_ = frame->goaway.error_code;
    }
    bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
      self(user).answers_[frame->hd.stream_id].complete = true;
    return 0;
  }
  static int on_close(nghttp2_session *, int32_t id, uint32_t error, void *user) {
    self(user).answers_[id].closed = true;
    self(user).answers_[id].error = error;
    return 0;
  }
  static ssize_t on_read(nghttp2_session *, int32_t, uint8_t *into, size_t most, uint32_t *flags,
                         nghttp2_data_source *source, void *) {
    auto *upload = static_cast<Upload *>(source->ptr);
    size_t count = upload->body.copy(reinterpret_cast<char *>(into), most, upload->sent);
    upload->sent += count;
    if (upload->sent < upload->body.size()) return static_cast<ssize_t>(count);
    if (upload->more && count == 0) return NGHTTP2_ERR_DEFERRED;
    if (!upload->more) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(count);
  }

  std::unique_ptr<nghttp2_session, Free> session_;
  std::map<int32_t, Answer> answers_;
  std::map<int32_t, std::unique_ptr<Upload>> uploads_;
  bool sent_away_ = false;
  uint32_t goaway_error_ = 0;
};

} // namespace sluice::http
