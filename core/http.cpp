#include "core/http.h"

#include <strings.h>

namespace virga {

const std::string* HttpHeaders::find(std::string_view name) const {
  for (const auto& [field, value] : fields_)
    if (field.size() == name.size() && strncasecmp(field.data(), name.data(), name.size()) == 0) return &value;
  return nullptr;
}

}  // namespace virga
