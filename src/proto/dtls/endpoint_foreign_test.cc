// Against OpenSSL without our code: what other stacks do, well and badly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <functional>
#include <vector>

#include "proto/dtls/endpoint.h"
#include "proto/dtls/test_pair.h"

namespace stoa::dtls {
namespace {

// A plain OpenSSL peer without any of our code, for tests to bend.
class ForeignPeer {
 public:
  struct Options {
    bool is_server = false;
    int version = DTLS1_2_VERSION;
    const char* ciphers = "ALL:@SECLEVEL=0";
    const char* srtp = "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM";
    bool has_certificate = true;
    std::size_t padding = 0;  // Bytes of an unknown extension in the ClientHello, as a large key share.
    long mtu = 1200;
  };

  explicit ForeignPeer(const Options& options) : identity(make_test_identity()), padding_(options.padding) {
    settings_ = SSL_CTX_new(options.is_server ? DTLS_server_method() : DTLS_client_method());
    SSL_CTX_set_security_level(settings_, 0);
    SSL_CTX_set_min_proto_version(settings_, options.version);
    SSL_CTX_set_max_proto_version(settings_, options.version);
    EXPECT_EQ(SSL_CTX_set_cipher_list(settings_, options.ciphers), 1);
    if (options.has_certificate) {
      SSL_CTX_use_certificate(settings_, identity->certificate());
      SSL_CTX_use_PrivateKey(settings_, identity->key());
    }
    SSL_CTX_set_verify(settings_, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    if (options.srtp) SSL_CTX_set_tlsext_use_srtp(settings_, options.srtp);
    if (padding_ > 0)
      SSL_CTX_add_client_custom_ext(settings_, 0xff77, add_padding, nullptr, this, nullptr, nullptr);
    ssl = SSL_new(settings_);
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(in_, -1);
    SSL_set_bio(ssl, in_, out_);
    SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    SSL_set_mtu(ssl, options.mtu);
    options.is_server ? SSL_set_accept_state(ssl) : SSL_set_connect_state(ssl);
  }
  ~ForeignPeer() {
    SSL_free(ssl);
    SSL_CTX_free(settings_);
  }
  ForeignPeer(const ForeignPeer&) = delete;
  ForeignPeer& operator=(const ForeignPeer&) = delete;

  void give(Bytes datagram) { BIO_write(in_, datagram.data(), static_cast<int>(datagram.size())); }
  // Works on what was given; true once the handshake is done.
  bool advance() {
    ERR_clear_error();
    return SSL_do_handshake(ssl) == 1;
  }
  // What it sends, one record a datagram.
  std::vector<Buffer> take() {
    Buffer all(static_cast<std::size_t>(BIO_pending(out_)));
    if (!all.empty()) BIO_read(out_, all.data(), static_cast<int>(all.size()));
    std::vector<Buffer> records;
    for (Bytes rest = all; !rest.empty();) {
      auto record = take_record(rest);
      if (!record) {
        ADD_FAILURE() << "not a record";
        break;
      }
      records.emplace_back(record->whole.begin(), record->whole.end());
    }
    return records;
  }

  std::shared_ptr<const Identity> identity;
  SSL* ssl;

 private:
  static int add_padding(SSL*, unsigned, const unsigned char** bytes, std::size_t* length, int*, void* self) {
    auto& padding = static_cast<ForeignPeer*>(self)->padding_bytes_;
    padding.assign(static_cast<ForeignPeer*>(self)->padding_, 0x5a);
    *bytes = padding.data();
    *length = padding.size();
    return 1;
  }

  SSL_CTX* settings_;
  BIO* in_;
  BIO* out_;
  std::size_t padding_;
  Buffer padding_bytes_;
};

// One of ours against a foreign one, over a perfect line.
struct ForeignPair {
  explicit ForeignPair(const ForeignPeer::Options& options, Config config = {})
      : foreign(options), side(context, ours, with(config, options, foreign)) {
    side.endpoint.start(now, side.out);
  }
  // Until neither has anything to say. `reorder` may bend a flight of the foreign peer.
  void run(const std::function<void(std::vector<Buffer>&)>& bend = [](std::vector<Buffer>&) {}) {
    for (int quiet = 0; quiet < 2;) {
      bool was_quiet = side.out.empty();
      side.sort(now, [&](Bytes bytes) { foreign.give(bytes); });
      if (!is_done) is_done = foreign.advance();
      std::vector<Buffer> flight = foreign.take();
      was_quiet = was_quiet && flight.empty();
      bend(flight);
      for (const Buffer& bytes : flight) give(bytes);
      quiet = was_quiet ? quiet + 1 : 0;
    }
  }
  Result<void, Refusal> give(Bytes bytes) {
    auto outcome = side.endpoint.handle_datagram(now, bytes, side.out);
    return outcome;
  }

  Timestamp now = Timestamp::from_ns(5);
  Context context;
  std::shared_ptr<const Identity> ours = make_test_identity();
  ForeignPeer foreign;
  Side side;
  bool is_done = false;

 private:
  static Config with(Config config, const ForeignPeer::Options& options, const ForeignPeer& foreign) {
    config.role = options.is_server ? Role::kClient : Role::kServer;
    if (config.peer_fingerprints.empty()) config.peer_fingerprints = {foreign.identity->fingerprint()};
    return config;
  }
};

TEST(ForeignPeers, export_the_same_keys_in_either_role) {
  for (bool is_server : {false, true}) {
    ForeignPair pair({.is_server = is_server});
    pair.run();
    ASSERT_TRUE(pair.is_done && pair.side.connected);
    // A server of theirs follows its own order, one of ours ours.
    SrtpProfile chosen = is_server ? SrtpProfile::kAes128CmHmacSha1_80 : SrtpProfile::kAeadAes128Gcm;
    ASSERT_EQ(pair.side.connected->srtp->profile, chosen);
    auto [key, salt] = sizes_of(chosen);
    Buffer material(2 * (key + salt));
    ASSERT_EQ(SSL_export_keying_material(pair.foreign.ssl, material.data(), material.size(),
                                         "EXTRACTOR-dtls_srtp", 19, nullptr, 0, 0),
              1);
    SrtpKeys theirs = split_srtp_material(chosen, !is_server, material);
    EXPECT_EQ(key_bytes(pair.side.connected->srtp->local), key_bytes(theirs.remote));
    EXPECT_EQ(key_bytes(pair.side.connected->srtp->remote), key_bytes(theirs.local));
  }
}

TEST(ForeignPeers, may_cut_their_client_hello_and_send_its_pieces_in_any_order) {
  for (std::size_t padding : {std::size_t{1300}, std::size_t{8000}}) {
    ForeignPair pair({.padding = padding, .mtu = 300});
    std::size_t pieces = 0;
    pair.run([&](std::vector<Buffer>& flight) {
      if (pieces == 0) pieces = flight.size();
      std::reverse(flight.begin(), flight.end());
      if (pair.side.connected) return;
      std::vector<Buffer> doubled = flight;
      for (const Buffer& bytes : doubled) {
        if (bytes[0] == 22) flight.push_back(bytes);
      }
      std::stable_sort(flight.begin(), flight.end(), [](const Buffer& a, const Buffer& b) {
        return a[4] < b[4] || (a[4] == b[4] && a[0] == 22 && b[0] == 20);  // Epochs and CCS in order.
      });
    });
    EXPECT_GT(pieces, padding / 300);
    EXPECT_TRUE(pair.is_done && pair.side.connected) << padding;
  }
}

TEST(ForeignPeers, may_send_a_client_hello_in_one_datagram_larger_than_ours) {
  ForeignPair pair({.padding = 4000, .mtu = 9000});
  pair.run();
  EXPECT_TRUE(pair.is_done && pair.side.connected);
}

TEST(ForeignPeers, without_a_certificate_are_refused) {
  ForeignPair pair({.has_certificate = false});
  pair.run();
  ASSERT_TRUE(pair.side.closed);
  EXPECT_EQ(pair.side.closed->refusal, Refusal::kNoCertificate);
  EXPECT_FALSE(pair.side.connected);
}

TEST(ForeignPeers, of_dtls_1_0_are_refused) {
  for (bool is_server : {false, true}) {
    ForeignPair pair({.is_server = is_server, .version = DTLS1_VERSION});
    pair.run();
    ASSERT_TRUE(pair.side.closed) << is_server;
    if (!is_server) {
      EXPECT_EQ(pair.side.closed->refusal, Refusal::kUnsupportedVersion);
      EXPECT_EQ(pair.side.closed->alert, 70);  // protocol_version
    } else {
      EXPECT_FALSE(pair.side.connected);
    }
  }
}

TEST(ForeignPeers, with_none_of_our_ciphers_are_refused) {
  ForeignPair pair({.ciphers = "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"});
  pair.run();
  ASSERT_TRUE(pair.side.closed);
  EXPECT_EQ(pair.side.closed->refusal, Refusal::kNoSharedCipher);
  EXPECT_EQ(pair.side.closed->alert, 40);
}

TEST(ForeignPeers, get_a_warning_and_no_more_when_they_renegotiate) {
  ForeignPair pair({});
  pair.run();
  ASSERT_TRUE(pair.side.connected);
  ASSERT_EQ(SSL_renegotiate(pair.foreign.ssl), 1);
  (void)pair.foreign.advance();
  for (const Buffer& bytes : pair.foreign.take()) EXPECT_TRUE(pair.give(bytes));
  ASSERT_EQ(pair.side.out.size(), 1u);  // An alert, no_renegotiation.
  EXPECT_EQ(std::get<SendDatagram>(*pair.side.out.begin()).bytes[0], 21);
  EXPECT_FALSE(pair.side.endpoint.is_closed());
  EXPECT_TRUE(pair.side.endpoint.send_data(as_bytes("still here"), pair.side.out));
}

TEST(ForeignPeers, are_answered_a_limited_number_of_times_after_the_handshake) {
  ForeignPair pair({});
  Buffer finished;
  pair.run([&](std::vector<Buffer>& flight) {
    for (const Buffer& bytes : flight) {
      if (bytes[0] == 22 && bytes[4] == 1) finished = bytes;
    }
  });
  ASSERT_TRUE(pair.side.connected && !finished.empty());
  // A Finished again as it was is a replay, and no reason to answer.
  for (int i = 0; i < 100; ++i) EXPECT_EQ(pair.give(finished).error(), Refusal::kUnreadableRecord);
  EXPECT_TRUE(pair.side.out.empty());
  // A renegotiation under a new record number is authentic.
  for (int i = 0; i < 2 * kLateAnswersMax; ++i) {
    SSL_renegotiate(pair.foreign.ssl);
    (void)pair.foreign.advance();
    for (const Buffer& bytes : pair.foreign.take()) (void)pair.give(bytes);
    DTLSv1_handle_timeout(pair.foreign.ssl);
  }
  EXPECT_LE(pair.side.out.size(), static_cast<std::size_t>(kLateAnswersMax));
  EXPECT_FALSE(pair.side.endpoint.is_closed());
}

// What OpenSSL reads and writes with the keys and counters that we took over from it.
TEST(ForeignPeers, notice_nothing_when_the_endpoint_settles) {
  for (bool is_server : {false, true}) {
    for (const char* cipher : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                               "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
      ForeignPair pair({.is_server = is_server, .ciphers = cipher});
      pair.run();
      ASSERT_TRUE(pair.is_done && pair.side.connected) << cipher;
      EXPECT_EQ(pair.side.connected->cipher, cipher);
      // The first of ours goes through OpenSSL when we are the server, the first of theirs settles us.
      for (int i = 0; i < 300; ++i) {
        std::string ours = "from us " + std::string(static_cast<std::size_t>(i) * 3, 'a');
        ASSERT_TRUE(pair.side.endpoint.send_data(as_bytes(ours), pair.side.out));
        pair.side.sort(pair.now, [&](Bytes bytes) { pair.foreign.give(bytes); });
        char heard[2000];
        int length = SSL_read(pair.foreign.ssl, heard, sizeof heard);
        ASSERT_EQ(std::string_view(heard, static_cast<std::size_t>(std::max(length, 0))), ours);
        std::string theirs = "from them " + std::string(static_cast<std::size_t>(i) * 3, 'b');
        ASSERT_GT(SSL_write(pair.foreign.ssl, theirs.data(), static_cast<int>(theirs.size())), 0);
        for (const Buffer& bytes : pair.foreign.take()) {
          ASSERT_TRUE(pair.give(bytes));
          EXPECT_EQ(pair.give(bytes).error(), Refusal::kUnreadableRecord);
        }
        pair.side.sort(pair.now, [](Bytes) {});
        ASSERT_EQ(as_text(pair.side.data.back()), theirs);
        EXPECT_TRUE(pair.side.endpoint.is_settled());
      }
      EXPECT_EQ(pair.side.data.size(), 300u);
      if (is_server) {
        EXPECT_EQ(SSL_shutdown(pair.foreign.ssl), 0);
        for (const Buffer& bytes : pair.foreign.take()) EXPECT_TRUE(pair.give(bytes));
        pair.side.sort(pair.now, [&](Bytes bytes) { pair.foreign.give(bytes); });
        ASSERT_TRUE(pair.side.closed);
        EXPECT_TRUE(pair.side.closed->was_by_peer);
        EXPECT_EQ(SSL_shutdown(pair.foreign.ssl), 1);
      } else {
        pair.side.endpoint.close(pair.side.out);
        pair.side.sort(pair.now, [&](Bytes bytes) { pair.foreign.give(bytes); });
        char heard[16];
        EXPECT_EQ(SSL_read(pair.foreign.ssl, heard, sizeof heard), 0);
        EXPECT_EQ(SSL_get_error(pair.foreign.ssl, 0), SSL_ERROR_ZERO_RETURN);
      }
    }
  }
}

TEST(ForeignPeers, are_not_answered_when_they_renegotiate_with_a_settled_endpoint) {
  ForeignPair pair({});
  pair.run();
  ASSERT_TRUE(pair.side.connected);
  pair.side.endpoint.confirm_peer(pair.now);
  SSL_renegotiate(pair.foreign.ssl);
  (void)pair.foreign.advance();
  for (const Buffer& bytes : pair.foreign.take())
    EXPECT_EQ(pair.give(bytes).error(), Refusal::kUnexpectedRecord);
  EXPECT_TRUE(pair.side.out.empty());
}

TEST(ForeignPeers, may_resume_nothing) {
  ForeignPair pair({});
  pair.run();
  ASSERT_TRUE(pair.is_done);
  SSL_SESSION* session = SSL_get1_session(pair.foreign.ssl);
  unsigned length = 0;
  SSL_SESSION_get_id(session, &length);
  EXPECT_EQ(length, 0u);
  EXPECT_FALSE(SSL_SESSION_has_ticket(session));
  SSL_SESSION_free(session);
}

}  // namespace
}  // namespace stoa::dtls
