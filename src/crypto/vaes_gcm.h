// AES-GCM (NIST SP 800-38D) with 256-bit AES and carry-less multiplication: for processors that have VAES and
// VPCLMULQDQ but no AVX-512 (Zen 3, Alder Lake and later), where libipsec-mb 1.3 works on 128 bits at a time.
// Part of the multi-buffer kernel; nothing else includes it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "crypto/srtp_kernel.h"

namespace stoa::crypto {

// Whether this processor has the instructions, and the system saves the registers.
bool has_vaes_gcm();

// A key of kAes128Gcm or kAes256Gcm, from its 11 or 15 round keys (FIPS 197 §5.2), 16 bytes each.
// Requires: has_vaes_gcm(), here and below.
std::unique_ptr<SrtpKey> make_vaes_gcm_key(SrtpCipher cipher, Bytes round_keys);

// Requires: a job whose key is of make_vaes_gcm_key(). Writes the whole tag, 16 bytes, to `tag`; a job to
// open is not compared with it here.
void vaes_gcm_seal(const SrtpJob& job, std::uint8_t* tag);
void vaes_gcm_open(const SrtpJob& job, std::uint8_t* tag);

}  // namespace stoa::crypto
