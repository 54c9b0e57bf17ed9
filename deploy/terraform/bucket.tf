# Logs and artifacts. The server removes what plans do not keep; the bucket itself forgets nothing but uploads that broke off.
resource "linode_object_storage_bucket" "this" {
  region = var.region
  label  = "${var.name}-blobs-${var.bucket_suffix}"
  acl    = "private"
}

# May read and write this bucket and no other.
resource "linode_object_storage_key" "this" {
  label = "${var.name}-blobs"

  bucket_access {
    bucket_name = linode_object_storage_bucket.this.label
    region      = linode_object_storage_bucket.this.region
    permissions = "read_write"
  }
}
