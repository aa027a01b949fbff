"""The plugin: components and resources for programs in any language, served from one process over gRPC."""
