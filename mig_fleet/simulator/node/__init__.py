"""One GPU node: its Node object, its kubelet, its pods and their files. What a container does comes from above."""
