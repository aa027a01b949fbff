// Package base has the types of a JSON schema that the engine names: see package libopenapi.
package base

import (
	"errors"

	"github.com/pb33f/libopenapi/orderedmap"
	"go.yaml.in/yaml/v4"
)

// SchemaProxy is never made.
type SchemaProxy struct{}

// Schema returns nil.
func (*SchemaProxy) Schema() *Schema { return nil }

// Low is never made.
type Low struct{}

// Hash is never called.
func (*Low) Hash() uint64 { return 0 }

// Discriminator is never made.
type Discriminator struct {
	PropertyName string
	Mapping      *orderedmap.Map[string, string]
}

// Choice is one of two values.
type Choice[A, B any] struct {
	A A
	B B
}

// IsA is never called.
func (*Choice[A, B]) IsA() bool { return false }

// Schema is never made from a document.
type Schema struct {
	Type, Required       []string
	Format, Pattern      string
	Description          string
	AllOf, OneOf, AnyOf  []*SchemaProxy
	Properties           *orderedmap.Map[string, *SchemaProxy]
	Extensions           *orderedmap.Map[string, *yaml.Node]
	Items                *Choice[*SchemaProxy, bool]
	AdditionalProperties *Choice[*SchemaProxy, bool]
	Discriminator        *Discriminator
	Enum                 []*yaml.Node
	Default              *yaml.Node
	MinLength, MaxLength *int64
	Minimum, Maximum     *float64
	MultipleOf           *float64
	Nullable, ReadOnly   *bool
}

// GoLow returns nil.
func (*Schema) GoLow() *Low { return nil }

// MarshalJSONInline fails.
func (*Schema) MarshalJSONInline() ([]byte, error) { return nil, errors.New("no schema") }
