#include "api/errors.h"

#include "core/assert.h"

namespace virga::api {

WireError wire_error(Code code) {
  switch (code) {
#define X(name, wire, status, when) \
  case Code::name:            \
    return {wire, status};
#include "core/error_codes.def"
#undef X
  }
  assertion_failed("an error of the closed list", __FILE__, __LINE__);
}

}  // namespace virga::api
