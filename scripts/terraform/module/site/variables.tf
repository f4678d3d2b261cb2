variable "name" {
  type = string
}

variable "cidr" {
  type = string
}

variable "servers" {
  type = number
}

variable "ports" {
  type = list(number)
}

variable "image" {
  type = string
}

variable "instance_type" {
  type = string
}
