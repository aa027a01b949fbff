// Package v3 has the types of an OpenAPI document that the engine names: see package libopenapi.
package v3

import (
	"github.com/pb33f/libopenapi/datamodel/high/base"
	"github.com/pb33f/libopenapi/orderedmap"
	"go.yaml.in/yaml/v4"
)

// Document is never made, nor is any type below.
type Document struct {
	Info       *Info
	Components *Components
	Paths      *Paths
}

// Info describes a document.
type Info struct{ Version string }

// Components are the schemas of a document by name.
type Components struct {
	Schemas *orderedmap.Map[string, *base.SchemaProxy]
}

// Paths are the paths of a document.
type Paths struct {
	PathItems *orderedmap.Map[string, *PathItem]
}

// PathItem has the operations of a path.
type PathItem struct{ Get, Post, Put, Delete, Patch, Head *Operation }

// Operation is one request of an API.
type Operation struct {
	OperationId, Summary, Description string
	Tags                              []string
	Parameters                        []*Parameter
	RequestBody                       *RequestBody
	Responses                         *Responses
	Deprecated                        *bool
	Extensions                        *orderedmap.Map[string, *yaml.Node]
}

// Parameter is a parameter of an operation.
type Parameter struct {
	Name, In, Description string
	Required              *bool
	Schema                *base.SchemaProxy
}

// RequestBody is the body of a request by its content type.
type RequestBody struct {
	Content *orderedmap.Map[string, *MediaType]
}

// MediaType is the schema of a body.
type MediaType struct{ Schema *base.SchemaProxy }

// Responses are the responses by status.
type Responses struct {
	Codes   *orderedmap.Map[string, *Response]
	Default *Response
}

// Response is a response by its content type.
type Response struct {
	Description string
	Content     *orderedmap.Map[string, *MediaType]
}
