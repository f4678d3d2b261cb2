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

variable "ssh_from" {
  description = "Who may connect by SSH."
  type        = string
  default     = "0.0.0.0/0"
}

variable "name" {
  description = "Name of everything this makes."
  type        = string
  default     = "one-instance"
}
