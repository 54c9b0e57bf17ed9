variable "name" {
  description = "Begins the name of everything that is made."
  type        = string
  default     = "hangar"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,20}$", var.name))
    error_message = "Two to 21 small letters, digits and dashes, a letter first."
  }
}

variable "region" {
  description = "Where it stands. One with Kubernetes, managed databases and object storage."
  type        = string
  default     = "de-fra-2"
}

variable "kubernetes_version" {
  description = "Major and minor. From 1.30 on."
  type        = string
  default     = "1.33"
}

variable "server_nodes" {
  description = "Nodes for the servers. Their number is fixed: the database lets in their addresses alone."
  type        = number
  default     = 3
}

variable "server_node_type" {
  description = "Type of those nodes."
  type        = string
  default     = "g6-standard-2"
}

variable "job_nodes_min" {
  description = "Nodes for jobs that are always there."
  type        = number
  default     = 1
}

variable "job_nodes_max" {
  description = "Nodes for jobs at most."
  type        = number
  default     = 10
}

variable "job_node_type" {
  description = "Type of those nodes."
  type        = string
  default     = "g6-dedicated-8"
}

variable "database_type" {
  description = "Type of the nodes of the database."
  type        = string
  default     = "g6-dedicated-2"
}

variable "database_nodes" {
  description = "Nodes of the database: 1, or 3 for one that survives the loss of a node."
  type        = number
  default     = 3

  validation {
    condition     = contains([1, 3], var.database_nodes)
    error_message = "1 or 3."
  }
}

variable "control_plane_addresses" {
  description = "Addresses that may reach the API server from outside, as CIDRs. Everybody when empty."
  type        = list(string)
  default     = []
}

variable "bucket_suffix" {
  description = "Ends the name of the bucket, which nobody else in the region may have."
  type        = string
}
