"""What others installed in the cluster: the operator, and objects with the names of ours."""
