#pragma once

#include <span>

namespace virga::store {

/// A step of the schema. Numbered by its place, forward only; one that has been released is never edited.
struct Migration {
  const char* name;
  const char* sql;
};

/// All steps, in order, embedded from core/store/migrations/*.sql at build time.
std::span<const Migration> migrations();

}  // namespace virga::store
