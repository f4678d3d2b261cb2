variable "image_name" {
  description = "Name of an image that this account sees (virga image list)."
  type        = string
  default     = "tiny"
}

variable "public_key" {
  description = "The OpenSSH public key that may log in."
  type        = string
}

variable "instance_type" {
  type    = string
  default = "t3.nano"
}

variable "name" {
  description = "Name of everything this makes."
  type        = string
  default     = "two-tiers"
}

variable "cidr" {
  description = "The VPC's addresses, a /16."
  type        = string
  default     = "10.30.0.0/16"
}

variable "web_servers" {
  type    = number
  default = 2
}

variable "data_gib" {
  description = "Size of the database's volume. It can grow, not shrink."
  type        = number
  default     = 2
}
