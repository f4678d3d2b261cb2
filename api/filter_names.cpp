#include "api/filter_names.h"

#include <algorithm>
#include <cctype>

namespace virga::api {

using ec2::Kind;
using ec2::Member;
using ec2::Shape;

namespace {

struct Meaning {
  std::string_view action;
  std::string_view filter;
  std::string_view path;  ///< dotted member names
};

/// Names that do not lead to their member by themselves.
constexpr Meaning meanings[] = {
    {"DescribeInstances", "availability-zone", "Placement.AvailabilityZone"},
    {"DescribeInstances", "availability-zone-id", "Placement.AvailabilityZoneId"},
    {"DescribeInstances", "affinity", "Placement.Affinity"},
};

/// Spellings that clients send and no document lists.
constexpr Meaning undocumented[] = {
    {"DescribeVpcs", "isDefault", "IsDefault"},
};

/// Letters and digits of a name, in lower case: "VCpuInfo" and "vcpu-info" are the same.
std::string flat(std::string_view name) {
  std::string text;
  for (const char c : name)
    if (c != '-') text += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// How a member may be called in a filter's name.
std::vector<std::string> spellings(const Member& member) {
  std::vector<std::string> all = {flat(member.name), flat(member.xml)};
  for (const auto& word : {all[0], all[1]}) {
    if (word.ends_with("set")) all.push_back(word.substr(0, word.size() - 3));
    if (member.shape->kind == Kind::list && word.ends_with("es")) all.push_back(word.substr(0, word.size() - 2));
    if (member.shape->kind == Kind::list && word.ends_with("s")) all.push_back(word.substr(0, word.size() - 1));
  }
  return all;
}

bool follow(const Shape& shape, std::string_view name, MemberPath& path);

/// Goes on inside a structure member whose spelling begins the name.
bool enter(const Member& member, std::string_view name, std::string_view between, MemberPath& path) {
  const Shape* inner = structure_of(member);
  if (inner == nullptr) return false;
  for (const auto& word : spellings(member)) {
    const auto prefix = word + std::string(between);
    if (word.empty() || !name.starts_with(prefix) || name.size() == prefix.size()) continue;
    path.push_back(&member);
    if (follow(*inner, name.substr(prefix.size()), path)) return true;
    path.pop_back();
  }
  return false;
}

/// A member of that very name first; then one behind a dot; then one whose structure's name is its prefix.
bool follow(const Shape& shape, std::string_view name, MemberPath& path) {
  for (const Member& member : shape.members) {
    if (structure_of(member) != nullptr) continue;
    const auto words = spellings(member);
    if (std::ranges::find(words, name) == words.end()) continue;
    path.push_back(&member);
    return true;
  }
  for (const std::string_view between : {".", ""})
    for (const Member& member : shape.members)
      if (enter(member, name, between, path)) return true;
  return false;
}

std::optional<std::string_view> meaning(std::span<const Meaning> table, std::string_view action,
                                        std::string_view filter) {
  const auto found =
      std::ranges::find_if(table, [&](const Meaning& m) { return m.action == action && m.filter == filter; });
  return found == table.end() ? std::nullopt : std::optional(found->path);
}

}  // namespace

bool filter_is_known(const ec2::Operation& operation, std::string_view filter) {
  const auto has = [&](std::string_view name) {
    return std::ranges::find(operation.filters, name) != operation.filters.end();
  };
  if (filter == "tag") return false;  // the documents' way of writing tag:<key>
  if (has(filter) || meaning(undocumented, operation.name, filter)) return true;
  return has("tag") && ((filter.starts_with("tag:") && filter.size() > 4) || filter == "tag-key" || filter == "tag-value");
}

std::optional<MemberPath> filter_path(const ec2::Operation& operation, std::string_view filter, const Shape& item) {
  const auto absent = absent_filters(operation.name);
  if (std::ranges::find(absent, filter) != absent.end()) return std::nullopt;
  auto written = meaning(meanings, operation.name, filter);
  if (!written) written = meaning(undocumented, operation.name, filter);
  if (written) {
    if (auto path = member_path(item, *written)) return path;
    // Items of DescribeInstances are reservations; its filters are about their instances, with few exceptions.
    return member_path(item, "Instances." + std::string(*written));
  }
  MemberPath path;
  const auto name = flat(filter);
  if (follow(item, name, path)) return path;
  const auto* instances = find_member(item, "Instances");
  if (instances != nullptr && structure_of(*instances) != nullptr) {
    path = {instances};
    if (follow(*structure_of(*instances), name, path)) return path;
  }
  return std::nullopt;
}

std::optional<MemberPath> tags_path(const Shape& item) {
  if (item.name == "TagDescription") return MemberPath{};
  for (const std::string_view name : {"Tags", "TagSet", "Instances.Tags"})
    if (auto path = member_path(item, name)) return path;
  return std::nullopt;
}

std::span<const std::string_view> absent_filters(std::string_view) { return {}; }

}  // namespace virga::api
