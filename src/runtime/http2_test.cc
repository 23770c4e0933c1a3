// TLS and HTTP/2 with clients nobody here wrote: curl, nghttp, h2load, openssl.
#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>

#include "runtime/http_test_server.h"

namespace stoa::runtime {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

// A self-signed P-256 certificate whose common name tells it apart.
TlsIdentity make_identity(const std::string& name) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_sign(certificate, key, EVP_sha256());
  auto text_of = [](auto write) {
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data;
    long length = BIO_get_mem_data(bio, &data);
    std::string text(data, static_cast<std::size_t>(length));
    BIO_free(bio);
    return text;
  };
  TlsIdentity identity;
  identity.certificate_pem = text_of([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
  identity.key_pem =
      text_of([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr); });
  X509_free(certificate);
  EVP_PKEY_free(key);
  return identity;
}

struct Secure {
  std::shared_ptr<TlsContext> tls = *TlsContext::make(make_identity("first"));
  TestServer server{HttpLimits{}, tls};
  std::string curl(const std::string& options, const std::string& path = "/hello") {
    return run_command("curl -sk --max-time 20 " + options + " " + server.secure_url(path));
  }
  std::string s_client(const std::string& options) {
    return run_command("echo | timeout 10 openssl s_client -connect 127.0.0.1:" +
                       std::to_string(server.secure_port) + " " + options + " 2>&1");
  }
};

TEST(Tls, speaks_1_2_and_1_3_and_nothing_older) {
  Secure s;
  EXPECT_EQ(s.curl("--tlsv1.3 --http1.1"), "hello");
  EXPECT_EQ(s.curl("--tls-max 1.2 --http1.1"), "hello");
  EXPECT_THAT(s.s_client("-tls1_1 -cipher DEFAULT@SECLEVEL=0"), Not(HasSubstr("Cipher is ECDHE")));
  EXPECT_GE(s.server.metric("stoa_tcp_refused_total", "handshake"), 1);
}

TEST(Tls, agrees_on_h2_and_on_http_1_1) {
  Secure s;
  const std::string version = "-o /dev/null -w '%{http_version} %{http_code}' ";
  EXPECT_EQ(s.curl(version + "--http2"), "2 200");
  EXPECT_EQ(s.curl(version + "--http1.1"), "1.1 200");
  EXPECT_THAT(s.s_client("-alpn h2"), HasSubstr("ALPN protocol: h2"));
}

TEST(Tls, gives_tickets_that_resume) {
  Secure s;
  std::string file = testing::TempDir() + "stoa_ticket_" + std::to_string(getpid());
  s.s_client("-tls1_2 -sess_out " + file);
  EXPECT_THAT(s.s_client("-tls1_2 -sess_in " + file), HasSubstr("Reused, "));
  std::filesystem::remove(file);
}

TEST(Tls, delivers_big_bodies_whole) {
  Secure s;
  for (const char* version : {"--http1.1", "--http2"})
    EXPECT_EQ(s.curl(version, "/big"), std::string(8 << 20, 'b')) << version;
}

TEST(Tls, uses_a_replaced_certificate_for_new_connections_only) {
  Secure s;
  EXPECT_THAT(s.s_client(""), HasSubstr("CN = first"));
  ASSERT_TRUE(s.tls->replace(make_identity("second")));
  EXPECT_THAT(s.s_client(""), HasSubstr("CN = second"));
}

TEST(Tls, reloads_its_files_and_keeps_the_old_pair_when_they_are_broken) {
  std::string stem = testing::TempDir() + "stoa_tls_" + std::to_string(getpid());
  TlsIdentity files;
  files.certificate_file = stem + ".crt";
  files.key_file = stem + ".key";
  auto store = [&](const TlsIdentity& identity) {
    std::ofstream(files.certificate_file) << identity.certificate_pem;
    std::ofstream(files.key_file) << identity.key_pem;
  };
  store(make_identity("from-file"));
  auto tls = TlsContext::make(files);
  ASSERT_TRUE(tls);
  TestServer server(HttpLimits{}, *tls);
  auto subject = [&] {
    return run_command("echo | openssl s_client -connect 127.0.0.1:" + std::to_string(server.secure_port) +
                       " 2>&1");
  };
  EXPECT_THAT(subject(), HasSubstr("CN = from-file"));
  store(make_identity("renewed"));
  ASSERT_TRUE((*tls)->reload());
  EXPECT_THAT(subject(), HasSubstr("CN = renewed"));
  TlsIdentity mixed = make_identity("other");
  mixed.key_pem = make_identity("stranger").key_pem;
  store(mixed);
  auto broken = (*tls)->reload();
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error(), HasSubstr("key"));
  EXPECT_THAT(subject(), HasSubstr("CN = renewed"));
  std::filesystem::remove(files.certificate_file);
  auto missing = (*tls)->reload();
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error(), HasSubstr(files.certificate_file));
  std::filesystem::remove(files.key_file);
}

TEST(Tls, drops_one_who_does_not_finish_the_handshake) {
  HttpLimits limits;
  limits.handshake_timeout = Duration::milliseconds(150);
  TestServer server(limits, *TlsContext::make(make_identity("x")));
  RawClient client(server.secure_port);
  client.send("\x16\x03\x01");
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_EQ(server.metric("stoa_tcp_refused_total", "handshake_timeout"), 1);
}

TEST(Http2, speaks_by_prior_knowledge_on_the_plain_port) {
  TestServer server;
  auto curl = [&](const std::string& options, const std::string& path) {
    return run_command("curl -s --max-time 20 --http2-prior-knowledge " + options + " " + server.url(path));
  };
  EXPECT_EQ(curl("-w ' %{http_version}'", "/hello"), "hello 2");
  EXPECT_EQ(curl("", "/big"), std::string(8 << 20, 'b'));
  EXPECT_EQ(curl("-d some=form", "/echo"), "some=form");
  EXPECT_EQ(curl("-r 1-2", "/hello"), "el");
  EXPECT_THAT(curl("-I", "/hello"), HasSubstr("content-length: 5"));
  EXPECT_THAT(curl("-i -H 'If-None-Match: \"tag\"'", "/hello"), HasSubstr("HTTP/2 304"));
  EXPECT_THAT(curl("-i --compressed", "/text"), HasSubstr("content-encoding: gzip"));
  EXPECT_EQ(curl("--compressed", "/text"), std::string(5000, 't'));
  EXPECT_THAT(curl("-i", "/absent"), HasSubstr("HTTP/2 404"));
}

TEST(Http2, answers_waiters_later_and_hears_when_they_go) {
  TestServer server;
  const std::string command = "curl -s --http2-prior-knowledge ";
  auto answer = std::async(std::launch::async, [&] { return run_command(command + server.url("/wait")); });
  ASSERT_TRUE(server.handler.waits.wait_for());
  server.release("now");
  EXPECT_EQ(answer.get(), "now");
  auto impatient = std::async(std::launch::async,
                              [&] { return run_command(command + "--max-time 0.2 " + server.url("/wait")); });
  EXPECT_TRUE(server.handler.cancelled.wait_for());
  EXPECT_EQ(impatient.get(), "");
}

TEST(Http2, serves_many_streams_of_many_connections) {
  Secure s;
  std::string report = run_command("h2load -n 4000 -c 8 -m 32 " + s.server.secure_url("/hello") + " 2>&1");
  EXPECT_THAT(report, HasSubstr("4000 succeeded, 0 failed, 0 errored"));
  report = run_command("h2load -n 40 -c 2 -m 10 " + s.server.secure_url("/big") + " 2>&1");
  EXPECT_THAT(report, HasSubstr("40 succeeded, 0 failed, 0 errored"));
  report = run_command("h2load --h1 -n 4000 -c 8 " + s.server.url("/hello") + " 2>&1");
  EXPECT_THAT(report, HasSubstr("4000 succeeded, 0 failed, 0 errored"));
}

TEST(Http2, lets_go_of_a_client_that_never_opens_its_window) {
  HttpLimits limits;
  limits.write_stall_timeout = Duration::milliseconds(300);
  TestServer server(limits);
  // --window-bits=0 is a window of no bytes: headers come, no body ever does.
  std::string output =
      run_command("timeout 10 nghttp --window-bits=0 " + server.url("/big") + " >/dev/null 2>&1; echo $?");
  EXPECT_NE(output, "124\n");
  EXPECT_EQ(server.metric("stoa_http_refused_total", "http2_stalled"), 1);
}

TEST(Http2, does_not_wait_for_a_handshake_when_it_drains) {
  Secure s;
  RawClient silent(s.server.secure_port), waiter(s.server.port);
  // The silent one was accepted before this one, which was answered.
  waiter.send("GET /hello HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  waiter.read_to_end();
  waiter.close();
  Timestamp began = Loop::now();
  Signal drained;
  s.server.thread.call(
      [&] { s.server.server->drain(Loop::now() + Duration::seconds(9), [&] { drained.raise(); }); });
  EXPECT_TRUE(drained.wait_for());
  EXPECT_LT(Loop::now() - began, Duration::seconds(5));
}

TEST(Http2, finishes_a_waiter_when_it_drains) {
  TestServer server;
  auto answer = std::async(std::launch::async, [&] {
    return run_command("curl -s --http2-prior-knowledge " + server.url("/wait"));
  });
  ASSERT_TRUE(server.handler.waits.wait_for());
  Signal drained;
  server.thread.call(
      [&] { server.server->drain(Loop::now() + Duration::seconds(8), [&] { drained.raise(); }); });
  server.release("last");
  EXPECT_EQ(answer.get(), "last");
  EXPECT_TRUE(drained.wait_for());
}

TEST(Http2, closes_an_idle_connection) {
  HttpLimits limits;
  limits.idle_timeout = limits.header_timeout = Duration::milliseconds(150);
  TestServer server(limits);
  RawClient client(server.port);
  client.send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") + std::string("\0\0\0\4\0\0\0\0\0", 9));
  std::string end = client.read_to_end();
  // The last frame is a GOAWAY without an error.
  ASSERT_GE(end.size(), 17u);
  EXPECT_EQ(end[end.size() - 17 + 3], 7);
  EXPECT_THAT(end, EndsWith(std::string(4, '\0')));
}

TEST(Http2, is_told_from_http_1_1_by_the_whole_preface) {
  TestServer server;
  RawClient client(server.port);
  client.send("P");
  client.send("OST /echo HTTP/1.1\r\nHost: stoa\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_THAT(client.read_response(), EndsWith("hi"));
}

}  // namespace
}  // namespace stoa::runtime
