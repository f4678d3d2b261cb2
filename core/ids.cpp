#include "core/ids.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>

#include "core/assert.h"

namespace virga {

std::string IdSource::hex17() {
  const std::uint64_t high = next();
  return fmt::format("{:016x}{:x}", next(), high & 0xf);
}

std::string IdSource::uuid() {
  const std::uint64_t a = next();
  const std::uint64_t b = next();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff,
                     ((b >> 48) & 0x3fff) | 0x8000, b & 0xffff'ffff'ffff);
}

std::uint64_t SystemIdSource::next() {
  std::uint64_t value = 0;
  const auto got = getrandom(&value, sizeof value, 0);
  VIRGA_ASSERT(got == static_cast<ssize_t>(sizeof value));
  return value;
}

std::uint64_t SeededIdSource::next() {  // splitmix64
  state_ += 0x9e3779b97f4a7c15;
  std::uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

namespace detail {

bool is_ec2_id(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  const auto digits = text.substr(prefix.size());
  if (digits.size() != 17 && digits.size() != 8) return false;
  return std::ranges::all_of(digits, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

namespace {
/// A caller's text as it may be repeated in a message: bounded, and without control characters.
std::string quoted(std::string_view text) {
  std::string clean(text.substr(0, 64));
  std::ranges::replace_if(clean, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return clean;
}
}  // namespace

Error malformed_id(Code code, std::string_view text, std::string_view prefix) {
  return {code, fmt::format("Invalid id: \"{}\" (expecting \"{}...\")", quoted(text), prefix), {}};
}

Error id_not_found(Code code, std::string_view text, std::string_view noun) {
  return {code, fmt::format("The {} '{}' does not exist", noun, quoted(text)), {}};
}

}  // namespace detail

void bad_trusted_id(std::string_view text, std::string_view prefix) {
  const auto what = fmt::format("trusted id '{}' is not '{}...'", text.substr(0, 64), prefix);
  assertion_failed(what.c_str(), __FILE__, __LINE__);
}

Result<AccountId> AccountId::parse(std::string_view text) {
  if (text.size() != 12 || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
    return fail(Code::invalid_user_id_malformed, "Invalid account ID: an account ID has twelve digits.");
  return AccountId(std::string(text));
}

AccountId AccountId::trusted(std::string_view text) {
  if (text.empty()) return AccountId();  // of nobody, as with other ids
  auto id = parse(text);
  VIRGA_ASSERT(id.has_value());
  return *id;
}

}  // namespace virga
