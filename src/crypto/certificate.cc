#include "crypto/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <optional>
#include <string_view>

#include "base/assert.h"
#include "crypto/random.h"

namespace stoa::crypto {
namespace {

template <auto free_it>
struct Freer {
  template <typename T>
  void operator()(T* owned) const {
    free_it(owned);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freer<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using Memory = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

constexpr std::size_t kDnsNameBytesMax = 253;
constexpr std::size_t kDnsLabelBytesMax = 63;

bool is_dns_label(std::string_view label) {
  if (label.empty() || label.size() > kDnsLabelBytesMax) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  for (char c : label) {
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_letter && !(c >= '0' && c <= '9') && c != '-') return false;
  }
  return true;
}

bool is_dns_name(std::string_view name) {
  if (name.empty() || name.size() > kDnsNameBytesMax) return false;
  if (name.starts_with("*.")) name.remove_prefix(2);
  while (true) {
    std::size_t dot = name.find('.');
    if (!is_dns_label(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

// What looks like numbers and dots only is an address or nothing: 999.1.1.1 is no host name.
bool looks_like_ipv4(std::string_view name) {
  return name.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool add_name(GENERAL_NAMES* names, const std::string& text) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  STOA_ASSERT(name != nullptr && sk_GENERAL_NAME_push(names, name) > 0);
  if (text.find('\0') != std::string::npos) return false;
  if (ASN1_OCTET_STRING* address = a2i_IPADDRESS(text.c_str())) {
    GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    return true;
  }
  if (looks_like_ipv4(text) || !is_dns_name(text)) return false;
  ASN1_IA5STRING* dns = ASN1_IA5STRING_new();
  STOA_ASSERT(dns != nullptr && ASN1_STRING_set(dns, text.data(), static_cast<int>(text.size())) == 1);
  GENERAL_NAME_set0_value(name, GEN_DNS, dns);
  return true;
}

void set_serial_number(X509* certificate) {
  // RFC 5280 §4.1.2.2: positive, at most 20 octets. A cleared top bit and a set next one make it both.
  std::array<std::uint8_t, 16> bytes;
  fill_random(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);
  Number number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  STOA_ASSERT(number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr);
}

void add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  STOA_ASSERT(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void set_names(X509* certificate, const char* name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto* common_name = reinterpret_cast<const unsigned char*>(name);
  STOA_ASSERT(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, common_name, -1, -1, 0) == 1);
  STOA_ASSERT(X509_set_issuer_name(certificate, subject) == 1);
}

std::string take_text(BIO* memory) {
  char* text = nullptr;
  long length = BIO_get_mem_data(memory, &text);
  return {text, static_cast<std::size_t>(length)};
}

struct Draft {
  Key key;
  Certificate certificate;
};

// Everything but what it is for and the signature.
Draft make_draft(WallTime now, Duration lifetime, const char* name) {
  Draft draft{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
  STOA_ASSERT(draft.key && draft.certificate);
  X509* certificate = draft.certificate.get();
  STOA_ASSERT(X509_set_version(certificate, X509_VERSION_3) == 1);
  set_serial_number(certificate);
  set_names(certificate, name);
  WallTime from = now - Duration::seconds(3600);
  WallTime until = now + lifetime;
  STOA_ASSERT(ASN1_TIME_set(X509_getm_notBefore(certificate), from.seconds()) != nullptr);
  STOA_ASSERT(ASN1_TIME_set(X509_getm_notAfter(certificate), until.seconds()) != nullptr);
  STOA_ASSERT(X509_set_pubkey(certificate, draft.key.get()) == 1);
  add_extension(certificate, NID_subject_key_identifier, "hash");
  add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate, NID_key_usage, "critical,digitalSignature");
  return draft;
}

CertificatePem sign(const Draft& draft) {
  STOA_ASSERT(X509_sign(draft.certificate.get(), draft.key.get(), EVP_sha256()) > 0);
  Memory certificate(BIO_new(BIO_s_mem())), key(BIO_new(BIO_s_mem()));
  STOA_ASSERT(PEM_write_bio_X509(certificate.get(), draft.certificate.get()) == 1);
  STOA_ASSERT(PEM_write_bio_PrivateKey(key.get(), draft.key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
              1);
  return {take_text(certificate.get()), take_text(key.get())};
}

}  // namespace

const char* name_of(CertificateRefusal refusal) {
  switch (refusal) {
    case CertificateRefusal::kBadName: return "bad_name";
    case CertificateRefusal::kTooManyNames: return "too_many_names";
    case CertificateRefusal::kBadLifetime: return "bad_lifetime";
  }
  return "unknown";
}

Result<CertificatePem, CertificateRefusal> make_self_signed_certificate(
    WallTime now, Duration lifetime, const std::vector<std::string>& names) {
  if (names.size() > kCertificateNamesMax) return refuse(CertificateRefusal::kTooManyNames);
  if (lifetime < Duration::seconds(1)) return refuse(CertificateRefusal::kBadLifetime);
  Names alternatives(GENERAL_NAMES_new());
  STOA_ASSERT(alternatives != nullptr);
  for (const char* own : {"localhost", "127.0.0.1", "::1"}) STOA_ASSERT(add_name(alternatives.get(), own));
  for (const std::string& name : names) {
    if (!add_name(alternatives.get(), name)) return refuse(CertificateRefusal::kBadName);
  }

  Draft draft = make_draft(now, lifetime, "Stoa development certificate");
  add_extension(draft.certificate.get(), NID_ext_key_usage, "serverAuth");
  STOA_ASSERT(X509_add1_ext_i2d(draft.certificate.get(), NID_subject_alt_name, alternatives.get(), 0, 0) ==
              1);
  return sign(draft);
}

CertificatePem make_webrtc_certificate(WallTime now, Duration lifetime) {
  STOA_ASSERT(lifetime >= Duration::seconds(1));
  return sign(make_draft(now, lifetime, "WebRTC"));
}

}  // namespace stoa::crypto
