// Package v2 registers the resources of YAML files, ConfigGroups and Charts.
package v2

import (
	"strings"

	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

type resource struct {
	pulumi.CustomResourceState
}

// RegisterResource registers a resource of any type by its API version and kind. It returns no typed outputs.
func RegisterResource(
	ctx *pulumi.Context, apiVersion, kind, name string, props pulumi.Input, opts ...pulumi.ResourceOption,
) (pulumi.CustomResource, error) {
	if !strings.Contains(apiVersion, "/") {
		apiVersion = "core/" + apiVersion
	}
	var registered resource
	if err := ctx.RegisterResource("kubernetes:"+apiVersion+":"+kind, name, props, &registered, opts...); err != nil {
		return nil, err
	}
	return &registered, nil
}
