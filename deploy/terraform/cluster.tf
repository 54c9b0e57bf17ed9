# The cluster: servers on nodes of their own, jobs on others that come and go.
resource "linode_lke_cluster" "this" {
  label       = var.name
  region      = var.region
  k8s_version = var.kubernetes_version
  tags        = [var.name]

  control_plane {
    high_availability = true

    acl {
      enabled = length(var.control_plane_addresses) > 0

      addresses {
        ipv4 = var.control_plane_addresses
      }
    }
  }

  # First, and stays first: pools are told apart by their place.
  pool {
    label  = "servers"
    type   = var.server_node_type
    count  = var.server_nodes
    labels = { "hangar.dev/pool" = "servers" }
  }

  pool {
    label  = "jobs"
    type   = var.job_node_type
    labels = { "hangar.dev/pool" = "jobs" }

    # The job template tolerates it, see README.md; nothing else comes here.
    taint {
      key    = "hangar.dev/pool"
      value  = "jobs"
      effect = "NoSchedule"
    }

    autoscaler {
      min = var.job_nodes_min
      max = var.job_nodes_max
    }
  }

  lifecycle {
    # The autoscaler's to change.
    ignore_changes = [pool[1].count]
  }
}

locals {
  server_node_ids = [for node in linode_lke_cluster.this.pool[0].nodes : node.instance_id]
}

data "linode_instances" "servers" {
  filter {
    name   = "id"
    values = local.server_node_ids
  }
}
