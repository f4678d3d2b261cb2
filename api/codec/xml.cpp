#include "api/codec/xml.h"

#include "api/codec/value.h"

namespace virga::codec {

using ec2::Kind;
using ec2::Member;
using ec2::Shape;

namespace {

constexpr std::string_view prologue = R"(<?xml version="1.0" encoding="UTF-8"?>)";
constexpr std::string_view ec2_namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";

void open(std::string& out, std::string_view name) { out.append("<").append(name).append(">"); }
void close(std::string& out, std::string_view name) { out.append("</").append(name).append(">"); }

void append_value(std::string& out, std::string_view name, const Shape& shape, const void* value);

void append_list(std::string& out, const Member& member, const void* vector) {
  const Shape& element = *member.shape->element;
  const auto size = element.access->size(vector);
  if (size == 0) {
    if (!member.deprecated) out.append("<").append(member.xml).append("/>");
    return;
  }
  open(out, member.xml);
  for (std::size_t i = 0; i < size; ++i) append_value(out, member.shape->item, element, element.access->at(vector, i));
  close(out, member.xml);
}

void append_members(std::string& out, const Shape& shape, const void* structure) {
  for (const Member& member : shape.members) {
    const void* slot = static_cast<const std::byte*>(structure) + member.offset;
    if (member.shape->kind == Kind::list)
      append_list(out, member, slot);
    else if (const void* value = member.shape->access->get(slot))
      append_value(out, member.xml, *member.shape, value);
  }
}

void append_value(std::string& out, std::string_view name, const Shape& shape, const void* value) {
  open(out, name);
  if (shape.kind == Kind::structure)
    append_members(out, shape, value);
  else
    append_escaped(out, to_text(shape, value));
  close(out, name);
}

}  // namespace

std::string encode_xml(std::string_view action, std::string_view request_id, const Shape* shape, const void* response) {
  std::string out;
  out.reserve(4096);
  out.append(prologue).append("<").append(action).append("Response xmlns=\"").append(ec2_namespace).append("\">");
  out.append("<requestId>").append(request_id).append("</requestId>");
  if (shape == nullptr)
    out.append("<return>true</return>");
  else
    append_members(out, *shape, response);
  out.append("</").append(action).append("Response>");
  return out;
}

std::string encode_xml_error(std::string_view code, std::string_view message, std::string_view request_id) {
  std::string out;
  out.append(prologue).append("<Response><Errors><Error><Code>").append(code).append("</Code><Message>");
  append_escaped(out, message);
  out.append("</Message></Error></Errors><RequestID>").append(request_id).append("</RequestID></Response>");
  return out;
}

void append_escaped(std::string& out, std::string_view text) {
  const bool legal = is_legal_text(text);
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&apos;";
        break;
      case '\r':
        out += "&#xD;";
        break;  // a bare one would be read as a line feed
      default:
        out += legal || (c >= ' ' && c < 0x7F) || c == '\t' || c == '\n' ? c : '?';
    }
  }
}

}  // namespace virga::codec
