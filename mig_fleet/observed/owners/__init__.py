"""Who owns a cluster, and which wave owns a node."""
