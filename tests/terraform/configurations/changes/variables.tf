variable "tags" {
  type    = map(string)
  default = { Name = "before" }
}

variable "dns_hostnames" {
  type    = bool
  default = false
}

variable "subnet" {
  type    = number
  default = 1
}

variable "public" {
  type    = bool
  default = false
}

variable "description" {
  type    = string
  default = "first"
}

variable "port" {
  type    = number
  default = 22
}

variable "inline_ports" {
  type    = list(number)
  default = [80]
}

variable "instance_type" {
  type    = string
  default = "t3.nano"
}

variable "both_groups" {
  type    = bool
  default = false
}

variable "user_data" {
  type    = string
  default = "#!/bin/sh\necho one\n"
}

variable "source_dest_check" {
  type    = bool
  default = true
}

variable "monitoring" {
  type    = bool
  default = false
}

variable "protected" {
  type    = bool
  default = false
}

variable "shutdown_behavior" {
  type    = string
  default = "stop"
}

variable "tokens" {
  type    = string
  default = "required"
}

variable "root_gib" {
  type    = number
  default = 1
}

variable "volume_gib" {
  type    = number
  default = 1
}

variable "public_key" {
  type = string
}

variable "after" {
  description = "Whether what has two settings has the second one."
  type        = bool
  default     = false
}
