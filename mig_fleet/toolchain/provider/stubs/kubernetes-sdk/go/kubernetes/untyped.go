// Package kubernetes has what the provider needs of its Go SDK, whose thousands of generated types are most of the
// provider's time of compilation. No program in Go uses this build.
package kubernetes

import "reflect"

// UntypedArgs are the properties of a resource as plain data.
type UntypedArgs map[string]any

// ElementType makes UntypedArgs an input of a resource.
func (UntypedArgs) ElementType() reflect.Type { return reflect.TypeFor[map[string]any]() }
